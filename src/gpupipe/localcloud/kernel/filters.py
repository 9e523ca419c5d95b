"""The filter language of list methods (AIP-160 and Cloud Logging's): parsed, not interpreted.

comparisons `field OP value` joined by AND (also by nothing but space), OR, NOT or `-`, and
parentheses. Each API says what a comparison means and refuses the fields that it does not know.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from gpupipe.localcloud.errors import invalid_argument, unimplemented

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<paren>[()])
    | (?P<op><=|>=|!=|=~|!~|=|<|>|:)
    | "(?P<quoted>(?:[^"\\]|\\.)*)"
    | (?P<word>(?:[^\s()<>=!:"\\]|\\.)+(?:"(?:[^"\\]|\\.)*"[^\s()<>=!:"]*)*)
    )""",
    re.VERBOSE,
)
_JOINERS = frozenset({"AND", "OR", "NOT"})
_MOST = 20_000  # LogEntry filters: "The maximum length of a filter is 20,000 characters"


@dataclass(frozen=True, slots=True)
class Comparison:
    """`path operator value`; a path's quotes are gone, its parts separate."""

    path: tuple[str, ...]
    operator: str
    value: str

    @property
    def field(self) -> str:
        """The path as it is written without quotes."""
        return ".".join(self.path)


@dataclass(frozen=True, slots=True)
class Not:
    """True when the part is not."""

    part: "Expression"


@dataclass(frozen=True, slots=True)
class Every:
    """True when all parts are (AND); none at all is true."""

    parts: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Some:
    """True when one part is (OR)."""

    parts: tuple["Expression", ...]


Expression = Comparison | Not | Every | Some


def parse(text: str) -> Expression:
    """The expression; INVALID_ARGUMENT names what cannot be read.

    UNIMPLEMENTED are functions, and texts that are looked for in all fields.
    """
    if len(text) > _MOST:
        raise invalid_argument(f"The filter is longer than {_MOST} characters.", "filter")
    return _Parser(_tokens(text)).whole()


def holds(expression: Expression, compare: Callable[[Comparison], bool]) -> bool:
    """Whether the expression is true, with `compare` deciding each comparison."""
    match expression:
        case Not(part):
            return not holds(part, compare)
        case Every(parts):
            return all(holds(part, compare) for part in parts)
        case Some(parts):
            return any(holds(part, compare) for part in parts)
    return compare(expression)


def comparisons(expression: Expression) -> tuple[Comparison, ...]:
    """All comparisons, for checking that each is one that the API knows."""
    match expression:
        case Not(part):
            return comparisons(part)
        case Every(parts) | Some(parts):
            return tuple(one for part in parts for one in comparisons(part))
    return (expression,)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int = field(default=0, compare=False)
    """Its place in the filter, from 1."""


def _tokens(text: str) -> list[_Token]:
    # Lines that begin with -- are comments in Cloud Logging.
    text = "\n".join("" if line.lstrip().startswith("--") else line for line in text.split("\n"))
    found, position, end = [], 0, len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None:
            raise invalid_argument(
                f"The filter cannot be read at character {position + 1}: {text[position:]!r}.",
                "filter",
            )
        kind = match.lastgroup or ""
        found.append(_Token(kind, match[kind], match.start(kind) + 1))
        position = match.end()
    return found


class _Parser:
    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._at = 0

    def whole(self) -> Expression:
        if not self._tokens:
            return Every(())
        result = self._every()
        if self._at < len(self._tokens):
            raise self._unexpected()
        return result

    def _every(self) -> Expression:
        # As in both languages, OR binds more tightly than AND.
        parts = [self._some()]
        while self._at < len(self._tokens) and self._peek() != _Token("paren", ")"):
            self._take_word("AND")
            parts.append(self._some())
        return parts[0] if len(parts) == 1 else Every(tuple(parts))

    def _some(self) -> Expression:
        parts = [self._one()]
        while self._take_word("OR"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else Some(tuple(parts))

    def _one(self) -> Expression:
        if self._take_word("NOT"):
            return Not(self._one())
        if self._peek() == _Token("paren", "("):
            self._at += 1
            inner = self._every()
            if self._peek() != _Token("paren", ")"):
                raise self._unexpected()
            self._at += 1
            return inner
        return self._comparison()

    def _comparison(self) -> Expression:
        name = self._take("word", "quoted")
        if name.kind == "word" and name.text in _JOINERS:
            raise invalid_argument(
                f"The filter has {name.text!r} at character {name.at}, where a comparison "
                "(field=value) is expected.",
                "filter",
            )
        if self._peek() == _Token("paren", "("):
            raise unimplemented(f"the function {name.text} in a filter")
        if self._peek().kind != "op":
            raise unimplemented(f"a filter that searches all fields for a text ({name.text!r})")
        operator = self._take("op").text
        value = _plain(self._take("word", "quoted"))
        if name.kind == "word" and name.text.startswith("-"):
            return Not(Comparison(path_of(name.text[1:]), operator, value))
        return Comparison(path_of(name.text), operator, value)

    def _peek(self) -> _Token:
        return self._tokens[self._at] if self._at < len(self._tokens) else _Token("end", "")

    def _take(self, *kinds: str) -> _Token:
        token = self._peek()
        if token.kind not in kinds:
            raise self._unexpected()
        self._at += 1
        return token

    def _take_word(self, word: str) -> bool:
        taken = self._peek() == _Token("word", word)
        self._at += taken
        return taken

    def _unexpected(self) -> Exception:
        token = self._peek()
        what = f"character {token.at}: {token.text!r}" if token.at else "its end"
        return invalid_argument(f"The filter cannot be read at {what}.", "filter")


def _plain(token: _Token) -> str:
    return re.sub(r"\\(.)", r"\1", token.text)


def path_of(text: str) -> tuple[str, ...]:
    """The parts of a field's path: `labels."a.b/c".d` -> ("labels", "a.b/c", "d")."""
    parts = re.findall(r'"((?:[^"\\]|\\.)*)"|([^."]+)', text)
    return tuple(re.sub(r"\\(.)", r"\1", quoted) or bare for quoted, bare in parts)
