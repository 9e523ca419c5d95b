"""WordPiece tokenisation for BERT vocabularies, in plain Python.

Contract: `WordPiece(lines).ids(text)` yields the same ids as BERT's tokeniser, uncased unless
`lowercase` is false, without markers, lazily, so that a caller can stop at a limit. Text that spells
a special token ("[SEP]") is ordinary text: user input can never place one. `model/wordpiece.py`
trains with the same rules; a test compares the two.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence

_LONGEST_WORD = 100
_KEPT_CHARACTERS = 20_000
# Control, format, private use and surrogate characters; unassigned ones (Cn) stay, as their set
# depends on the Unicode version of the interpreter.
_INVISIBLE = frozenset({"Cc", "Cf", "Co", "Cs"})
# What the long way below does to ASCII: three kinds of white space stay, control characters go.
_ASCII = {code: " " if chr(code) in "\t\n\r" else None for code in [*range(32), 127]}
# BERT counts every visible ASCII symbol as punctuation, also "$", "+" and "^".
_ASCII_WORDS = re.compile(r"[A-Za-z0-9]+|[!-/:-@\[-`{-~]")
_matched = re.Match.group
# White space to Python, control characters to BERT.
_NOT_SPACE = frozenset("\x0b\x0c\x1c\x1d\x1e\x1f\x85")
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


def words(text: str, *, lowercase: bool = True) -> Iterator[str]:
    """Words; each punctuation mark and CJK character is one. Lower case has no accents either."""
    if text.isascii():
        plain = text.translate(_ASCII)
        yield from map(_matched, _ASCII_WORDS.finditer(plain.lower() if lowercase else plain))
        return
    for chunk in _spaced(text, lowercase=lowercase).split():
        start = 0
        for index, char in enumerate(chunk):
            if _is_punctuation(char):
                if start < index:
                    yield chunk[start:index]
                yield char
                start = index + 1
        if start < len(chunk):
            yield chunk[start:]


def _spaced(text: str, *, lowercase: bool) -> str:
    return text.translate(_LOWERED if lowercase else _CASED)


class _Characters(dict[int, str]):
    """What becomes of each character, for str.translate; that of the first ones met is kept.

    One by one and not with `normalize` on the text: that sorts the marks behind a letter, in a time that
    grows with the square of their number, so that one hostile text would hold the process for hours.
    Those marks are dropped here, so that their order is nobody's.
    """

    def __init__(self, *, lowercase: bool) -> None:
        super().__init__()
        self._lowercase = lowercase

    def __missing__(self, code: int) -> str:
        found = _visible(chr(code))
        if self._lowercase:
            decomposed = unicodedata.normalize("NFD", found)
            found = "".join(c.lower() for c in decomposed if unicodedata.category(c) != "Mn")
        if len(self) < _KEPT_CHARACTERS:
            self[code] = found
        return found


_LOWERED = _Characters(lowercase=True)
_CASED = _Characters(lowercase=False)


def _visible(char: str) -> str:
    if char.isspace() and char not in _NOT_SPACE:
        return " "
    if char == "\ufffd" or unicodedata.category(char) in _INVISIBLE:
        return ""
    if any(low <= ord(char) <= high for low, high in _CJK):
        return f" {char} "
    return char


def _is_punctuation(char: str) -> bool:
    if char.isascii():
        return char.isprintable() and not char.isalnum() and char != " "
    return unicodedata.category(char).startswith("P")


class WordPiece:
    """Greedy longest-match-first sub-words over one vocabulary (line number = id)."""

    def __init__(self, vocabulary: Sequence[str], *, lowercase: bool = True) -> None:
        ids = {piece: number for number, piece in enumerate(vocabulary)}
        self._unknown = ids["[UNK]"]
        self.first = [ids["[CLS]"]]
        self.last = [ids["[SEP]"]]
        self.largest = len(vocabulary) - 1
        self._lowercase = lowercase
        self._heads = {piece: number for piece, number in ids.items() if piece[:2] != "##"}
        self._tails = {piece[2:]: number for piece, number in ids.items() if piece[:2] == "##"}
        # A word that is itself a "##" entry of the vocabulary cannot occur: "#" is punctuation.

    def ids(self, text: str) -> Iterator[int]:
        """The ids of `text`, without markers."""
        heads = self._heads
        for word in words(text, lowercase=self._lowercase):
            if (whole := heads.get(word)) is not None:
                yield whole
            else:
                yield from self._pieces(word)

    def _pieces(self, word: str) -> list[int]:
        if len(word) > _LONGEST_WORD:
            return [self._unknown]
        found: list[int] = []
        start = 0
        while start < len(word):
            table = self._tails if start else self._heads
            for end in range(len(word), start, -1):
                if (number := table.get(word[start:end])) is not None:
                    found.append(number)
                    start = end
                    break
            else:
                return [self._unknown]
        return found
