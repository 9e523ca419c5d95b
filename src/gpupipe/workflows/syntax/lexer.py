"""Text of an expression to tokens."""

import json
import re
from dataclasses import dataclass
from typing import Any

from gpupipe.workflows.errors import ExpressionError

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
    | (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<operator>//|==|!=|<=|>=|[-+*/%<>()\[\],.])
    )""",
    re.VERBOSE,
)
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
    """kind: number, string, constant, name, operator, end; `value` is its meaning."""

    kind: str
    value: Any
    position: int


def tokenize(text: str) -> list[Token]:
    """All tokens and a last one of kind "end". ExpressionError names the place."""
    tokens: list[Token] = []
    position = 0
    stripped = text.rstrip()
    while position < len(stripped):
        match = _TOKEN.match(stripped, position)
        if match is None:
            raise ExpressionError(
                f"unexpected character at {position + 1}: {stripped[position:][:10]!r}"
            )
        tokens.append(_token(match))
        position = match.end()
    return [*tokens, Token("end", "", position)]


def _token(match: re.Match[str]) -> Token:
    kind, text = str(match.lastgroup), match[match.lastgroup or 0]
    position = match.start(match.lastgroup or 0)
    if kind == "number":
        return Token("number", int(text) if text.isdigit() else float(text), position)
    if kind == "string":
        return Token("string", _unescaped(text), position)
    if kind == "name" and text in _WORDS:
        return Token("operator", _WORDS[text], position)
    if kind == "name" and text in _CONSTANTS:
        return Token("constant", _CONSTANTS[text], position)
    return Token(kind, text, position)


def _unescaped(text: str) -> str:
    inner = text[1:-1]
    if text[0] == "'":
        inner = inner.replace("\\'", "'").replace('"', '\\"')
    # A real line break may stand in a string of a folded YAML scalar.
    inner = inner.replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")
    try:
        return str(json.loads(f'"{inner}"'))
    except ValueError as error:
        raise ExpressionError(f"bad escape in the string {text}") from error
