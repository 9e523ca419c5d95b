"""WordPiece tokenisation for uncased BERT vocabularies, in plain Python.

Contract: `WordPiece(vocab_lines).encode(text, limit)` gives `[CLS] ... [SEP]` as ids, at most
`limit` of them, with no padding. Text that spells a special token ("[SEP]") is ordinary text:
user input can never place one.
"""

import unicodedata
from collections.abc import Iterable, Iterator

_LONGEST_WORD = 100
# Control, format, private use and surrogate characters; unassigned ones (Cn) stay, as their set
# depends on the Unicode version of the interpreter.
_INVISIBLE = frozenset({"Cc", "Cf", "Co", "Cs"})
_CJK = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B820, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)


def _is_cjk(char: str) -> bool:
    return any(low <= ord(char) <= high for low, high in _CJK)


def _is_punctuation(char: str) -> bool:
    # BERT counts every visible ASCII symbol as punctuation, also "$", "+" and "^".
    if char.isascii():
        return char.isprintable() and not char.isalnum() and char != " "
    return unicodedata.category(char).startswith("P")


def _clean(text: str) -> str:
    pieces = []
    for char in text:
        if char.isspace() and char not in "\x0b\x0c\x1c\x1d\x1e\x1f\x85":
            pieces.append(" ")
        elif char == "\ufffd" or unicodedata.category(char) in _INVISIBLE:
            continue
        elif _is_cjk(char):
            pieces.append(f" {char} ")
        else:
            pieces.append(char)
    return "".join(pieces)


def split_words(text: str) -> Iterator[str]:
    """Lower-case words without accents; each punctuation mark is a word of its own."""
    decomposed = unicodedata.normalize("NFD", _clean(text))
    # Character by character: lower() on a whole word would change its last Greek sigma.
    plain = "".join(c.lower() for c in decomposed if unicodedata.category(c) != "Mn")
    for chunk in plain.split():
        start = 0
        for index, char in enumerate(chunk):
            if _is_punctuation(char):
                if start < index:
                    yield chunk[start:index]
                yield char
                start = index + 1
        if start < len(chunk):
            yield chunk[start:]


class WordPiece:
    """Greedy longest-match-first sub-words over one vocabulary (line number = id)."""

    def __init__(self, vocab_lines: Iterable[str]) -> None:
        self._ids = {line.rstrip("\n"): number for number, line in enumerate(vocab_lines)}
        self._unknown = self._ids["[UNK]"]
        self._first = self._ids["[CLS]"]
        self._last = self._ids["[SEP]"]

    def encode(self, text: str, limit: int) -> list[int]:
        """Ids of `text` between the two markers, cut to `limit` in all."""
        ids = [self._first]
        for word in split_words(text):
            ids.extend(self._pieces(word))
            if len(ids) >= limit:
                break
        return [*ids[: limit - 1], self._last]

    def _pieces(self, word: str) -> list[int]:
        if len(word) > _LONGEST_WORD:
            return [self._unknown]
        found = []
        start = 0
        while start < len(word):
            end = self._longest(word, start)
            if end == start:
                return [self._unknown]
            found.append(self._ids[self._key(word, start, end)])
            start = end
        return found

    def _longest(self, word: str, start: int) -> int:
        for end in range(len(word), start, -1):
            if self._key(word, start, end) in self._ids:
                return end
        return start

    @staticmethod
    def _key(word: str, start: int, end: int) -> str:
        return word[start:end] if start == 0 else "##" + word[start:end]
