"""Text to ids with a tokenizer.json of the Hugging Face tokenizers library.

Contract: `ids` yields the ids of a text without markers, in bounded pieces, so that a caller can stop
at a limit; `first` and `last` are the markers around a window, `largest` the largest id. The file's own truncation and
padding are off. Text that spells a special token is ordinary text.
"""

from collections.abc import Iterator

from common.manifest import BundleError

# Cut at white space: within a word the ids would change.
_PIECE_CHARS = 65_536
_PROBE = "a"


class TokenizerJson:
    """Safe to use from several threads."""

    def __init__(self, data: bytes, max_tokens: int) -> None:
        # Only models that need it pay for loading the library.
        from tokenizers import Tokenizer

        try:
            self._tokenizer = Tokenizer.from_str(data.decode("utf-8"))
        except Exception as error:  # the library raises plain Exception
            raise BundleError(
                "tokenizer.json cannot be loaded by the tokenizers library"
            ) from error
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._tokenizer.encode_special_tokens = True
        self.first, self.last = self._markers()
        self.largest = max(self._tokenizer.get_vocab(with_added_tokens=True).values(), default=0)
        if len(self.first) + len(self.last) >= max_tokens:
            raise BundleError(f"max_tokens {max_tokens} leaves no room beside the markers")

    def ids(self, text: str) -> Iterator[int]:
        """The ids of `text`, without markers."""
        for piece in _pieces(text):
            yield from self._tokenizer.encode(piece, add_special_tokens=False).ids

    def _markers(self) -> tuple[list[int], list[int]]:
        inner = self._tokenizer.encode(_PROBE, add_special_tokens=False).ids
        whole = self._tokenizer.encode(_PROBE, add_special_tokens=True).ids
        for start in range(len(whole) - len(inner) + 1):
            if whole[start : start + len(inner)] == inner:
                return whole[:start], whole[start + len(inner) :]
        raise BundleError("the markers of tokenizer.json are not around the text")


def _pieces(text: str) -> Iterator[str]:
    start = 0
    while len(text) - start > _PIECE_CHARS:
        end = start + _PIECE_CHARS
        space = max(text.rfind(" ", start + 1, end), text.rfind("\n", start + 1, end))
        end = space if space > start else end
        yield text[start:end]
        start = end
    if start < len(text):
        yield text[start:]
