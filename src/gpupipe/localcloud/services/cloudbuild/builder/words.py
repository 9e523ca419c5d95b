"""Words of a Dockerfile line: quotes, escapes, and variables as Docker expands them."""

from collections.abc import Mapping

_QUOTES = "'\""


class WordError(Exception):
    """The words cannot be read; the text says why."""


def split(text: str, variables: Mapping[str, str]) -> list[str]:
    """Words split at spaces outside quotes, with variables expanded outside single quotes."""
    return _Reader(text, variables).words()


def one(text: str, variables: Mapping[str, str]) -> str:
    """Exactly one word."""
    words = split(text, variables)
    if len(words) != 1:
        raise WordError(f"one word is expected, there are {len(words)}")
    return words[0]


def pairs(text: str, variables: Mapping[str, str]) -> dict[str, str]:
    """`key=value ...`, values expanded with the variables from before the line."""
    result = {}
    for word in split(text, variables):
        key, equals, value = word.partition("=")
        if not key or not equals:
            raise WordError("only the form KEY=VALUE is supported")
        result[key] = value
    if not result:
        raise WordError("nothing is set")
    return result


class _Reader:
    def __init__(self, text: str, variables: Mapping[str, str]) -> None:
        self._text = text
        self._variables = variables
        self._at = 0

    def words(self) -> list[str]:
        result: list[str] = []
        current: list[str] | None = None
        while self._at < len(self._text):
            character = self._text[self._at]
            if character.isspace():
                self._at += 1
                if current is not None:
                    result.append("".join(current))
                current = None
                continue
            current = [] if current is None else current
            current.append(self._quoted(character) if character in _QUOTES else self._plain())
        if current is not None:
            result.append("".join(current))
        return result

    def _quoted(self, quote: str) -> str:
        self._at += 1
        parts: list[str] = []
        while self._at < len(self._text):
            if self._text[self._at] == quote:
                self._at += 1
                return "".join(parts)
            if quote == "'":
                parts.append(self._text[self._at])
                self._at += 1
            else:
                parts.append(self._plain())
        raise WordError("a quote is not closed")

    def _plain(self) -> str:
        """One character, an escaped one, or a variable's value."""
        character = self._text[self._at]
        self._at += 1
        if character == "\\" and self._at < len(self._text):
            self._at += 1
            return self._text[self._at - 1]
        return self._variable() if character == "$" else character

    def _variable(self) -> str:
        if self._text[self._at : self._at + 1] == "{":
            end = self._text.find("}", self._at)
            if end < 0:
                raise WordError("a ${ is not closed")
            inner = self._text[self._at + 1 : end]
            self._at = end + 1
            return self._braced(inner)
        start = self._at
        while self._at < len(self._text) and _is_name(self._text[start : self._at + 1]):
            self._at += 1
        name = self._text[start : self._at]
        return self._variables.get(name, "") if name else "$"

    def _braced(self, inner: str) -> str:
        for operator in (":-", ":+"):
            name, found, word = inner.partition(operator)
            if found and _is_name(name):
                value = self._variables.get(name, "")
                return (value or word) if operator == ":-" else (word if value else "")
        if not _is_name(inner):
            raise WordError(f"the form ${{{inner}}} is not supported")
        return self._variables.get(inner, "")


def _is_name(text: str) -> bool:
    return text.isidentifier() and text.isascii()
