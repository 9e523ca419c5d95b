"""Reads a Terraform variable file: names with strings, numbers, truth values, null, lists and maps.

Neither functions nor templates: a variable file has none. A `.json` file is read as JSON.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gpupipe.core.errors import UsageError

_TOKEN = re.compile(
    r"""(?P<space>[ \t\r,]+|\#[^\n]*|//[^\n]*|/\*.*?\*/)|(?P<line>\n)
    |(?P<string>"(?:[^"\\\n]|\\.)*")|(?P<number>-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)
    |(?P<word>[A-Za-z_][\w-]*)|(?P<mark>[][{}=:])""",
    re.DOTALL | re.VERBOSE,
)
_WORDS = {"true": True, "false": False, "null": None}
_DEEPEST, _MOST_DIGITS = 20, 300


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    line: int


def parse(text: str, name: str) -> dict[str, Any]:
    """The variables of a file. UsageError with the line that cannot be read."""
    if name.endswith(".json"):
        return _json(text, name)
    reader = _Reader(list(_tokens(text, name)), name)
    return reader.assignments("")


def _json(text: str, name: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _wrong(name, 0, str(error)) from error
    if not isinstance(found, dict):
        raise _wrong(name, 1, "a variable file is an object")
    return found


def _tokens(text: str, name: str) -> Iterator[_Token]:
    at, line = 0, 1
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _wrong(name, line, f"{text[at : at + 20].splitlines()[0]!r} is not understood")
        kind, found = str(match.lastgroup), match[0]
        if kind not in {"space", "line"}:
            yield _Token(kind, found, line)
        line += found.count("\n")
        at = match.end()


class _Reader:
    """Reads values off a list of tokens."""

    def __init__(self, tokens: list[_Token], name: str) -> None:
        self._tokens, self._name, self._at = tokens, name, 0

    def assignments(self, end: str, depth: int = 0) -> dict[str, Any]:
        """`name = value` until the mark `end`, or until the end of the file."""
        found: dict[str, Any] = {}
        while (token := self._next(end)) is not None:
            if token.kind == "string":
                key = self._string(token)
            elif token.kind == "word":
                key = token.text
            else:
                raise _wrong(self._name, token.line, f"a name was expected, not {token.text!r}")
            sign = self._next("")
            if sign is None or sign.text not in {"=", ":"}:
                raise _wrong(self._name, token.line, f"{key!r} has no value")
            found[key] = self._value(depth + 1)
        return found

    def _value(self, depth: int) -> Any:
        token = self._next("")
        if token is None or depth > _DEEPEST:
            line = self._tokens[-1].line if self._tokens else 1
            raise _wrong(self._name, line, "a value was expected")
        if token.kind == "string":
            return self._string(token)
        if token.kind == "number":
            return self._number(token)
        if token.kind == "word" and token.text in _WORDS:
            return _WORDS[token.text]
        if token.text == "{":
            return self.assignments("}", depth)
        if token.text == "[":
            return self._list(depth)
        raise _wrong(self._name, token.line, f"{token.text!r} is no value")

    def _number(self, token: _Token) -> int | float:
        if len(token.text) > _MOST_DIGITS:
            raise _wrong(self._name, token.line, "this number is too long")
        return float(token.text) if re.search(r"[.eE]", token.text) else int(token.text)

    def _list(self, depth: int) -> list[Any]:
        found = []
        while self._next("]") is not None:
            self._at -= 1
            found.append(self._value(depth + 1))
        return found

    def _next(self, end: str) -> _Token | None:
        """The next token; None at `end`, which is taken."""
        if self._at == len(self._tokens):
            if end:
                raise _wrong(self._name, self._tokens[-1].line, f"{end!r} is missing")
            return None
        token = self._tokens[self._at]
        self._at += 1
        return None if end and token.text == end else token

    def _string(self, token: _Token) -> str:
        try:
            return str(json.loads(token.text))
        except ValueError as error:
            raise _wrong(self._name, token.line, f"{token.text} is not understood") from error


def _wrong(name: str, line: int, why: str) -> UsageError:
    return UsageError(
        f"The variable file {name} cannot be read.",
        details=f"{name}:{line}: {why}" if line else why,
        resolution="Give a Terraform variable file (.tfvars or .tfvars.json).",
        doc="how-to/come-from-the-recipe.md",
    )
