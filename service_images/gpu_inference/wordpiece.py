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
    visible = "".join(map(_visible, text))
    if not lowercase:
        return visible
    decomposed = unicodedata.normalize("NFD", visible)
    # Character by character: lower() on a whole word would change its last Greek sigma.
    return "".join(char.lower() for char in decomposed if unicodedata.category(char) != "Mn")


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
