"""Text of an expression to tokens."""

import json
import math
import re
from dataclasses import dataclass
from typing import Any

from gpupipe.workflows.errors import ExpressionError
from gpupipe.workflows.values import MOST_INTEGER, well_formed

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)
    | (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<operator>//|==|!=|<=|>=|[-+*/%<>()\[\],.])
    )""",
    re.VERBOSE | re.DOTALL,
)
_QUOTED = re.compile(r'\\.|"', re.DOTALL)
_DIGITS = 4000  # more are not turned into a number at all
# Words in lower or in upper case, never mixed.
_WORDS = {word: word for word in ("and", "or", "not", "in")}
_WORDS |= {word.upper(): word for word in _WORDS}
_CONSTANTS = {
    spelling: value
    for word, value in (("true", True), ("false", False), ("null", None))
    for spelling in (word, word.capitalize(), word.upper())
}


@dataclass(frozen=True, slots=True)
class Token:
    """kind: number, string, constant, name, operator, end; `value` is what `text` means."""

    kind: str
    value: Any
    position: int
    text: str = ""


def tokenize(text: str) -> list[Token]:
    """All tokens and a last one of kind "end". ExpressionError names the place."""
    tokens: list[Token] = []
    position = 0
    stripped = text.rstrip()
    while position < len(stripped):
        match = _TOKEN.match(stripped, position)
        if match is None:
            blanks = len(stripped) - position - len(stripped[position:].lstrip())
            position += blanks
            raise ExpressionError(
                f"unexpected character at {position + 1}: {stripped[position:][:10]!r}", position
            )
        tokens.append(_token(match))
        position = match.end()
    return [*tokens, Token("end", "", position)]


def _token(match: re.Match[str]) -> Token:
    kind, text = str(match.lastgroup), match[match.lastgroup or 0]
    position = match.start(match.lastgroup or 0)
    if kind == "number":
        return Token("number", _number(text, position), position, text)
    if kind == "string":
        return Token("string", _unescaped(text, position), position, text)
    if kind == "name" and text in _WORDS:
        return Token("operator", _WORDS[text], position, text)
    if kind == "name" and text in _CONSTANTS:
        return Token("constant", _CONSTANTS[text], position, text)
    return Token(kind, text, position, text)


def _number(text: str, position: int) -> int | float:
    if not (text.isascii() and text.isdigit()):
        value = float(text)
        if math.isinf(value):
            raise ExpressionError(f"{text} does not fit in a double", position)
        return value
    # One more than the largest fits behind a minus; the parser looks at that.
    if len(text) > _DIGITS or int(text) > MOST_INTEGER + 1:
        raise ExpressionError(f"{text[:30]} does not fit in 64 bits", position)
    return int(text)


def _unescaped(text: str, position: int) -> str:
    inner = text[1:-1]
    if text[0] == "'":
        inner = _QUOTED.sub(_requoted, inner)
    try:
        # strict=False: a real line break may stand in a string of a folded YAML scalar.
        return well_formed(str(json.loads(f'"{inner}"', strict=False)))
    except ValueError as error:
        raise ExpressionError(f"bad escape in the string {text}", position) from error


def _requoted(match: re.Match[str]) -> str:
    """A part of a string in single quotes as it is written in double quotes."""
    return {'"': '\\"', "\\'": "'"}.get(match[0], match[0])
