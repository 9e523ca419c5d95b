"""Tokens of an expression to nodes, by precedence.

or < and < comparison, in < + - < * / // % < unary minus < not < access. `not` binds tightly, as the
documents order it; samples always put parentheses after it.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from gpupipe.workflows.errors import ExpressionError
from gpupipe.workflows.limits import EXPRESSION_CHARACTERS
from gpupipe.workflows.syntax.lexer import Token, tokenize
from gpupipe.workflows.syntax.nodes import (
    Attribute,
    Binary,
    Call,
    Index,
    ListLiteral,
    Literal,
    Name,
    Node,
    Unary,
    dotted,
    first_name,
)
from gpupipe.workflows.values import MOST_INTEGER

_LEVELS: tuple[frozenset[str], ...] = (
    frozenset({"or"}),
    frozenset({"and"}),
    frozenset({"==", "!=", "<", "<=", ">", ">=", "in"}),
    frozenset({"+", "-"}),
    frozenset({"*", "/", "//", "%"}),
)
_DEPTH = 60  # of nesting; an expression has 400 characters at most


def parse(text: str) -> Node:
    """The node of an expression (without `${}`). ExpressionError."""
    if len(text) > EXPRESSION_CHARACTERS:
        raise ExpressionError(
            f"the expression has {len(text)} characters; {EXPRESSION_CHARACTERS} are allowed"
        )
    parser = _Parser(tokenize(text))
    node = parser.binary(0)
    parser.expect_end()
    return node


def _is_too_large(token: Token) -> bool:
    """The one integer that needs a minus to fit in 64 bits."""
    return isinstance(token.value, int) and token.value == MOST_INTEGER + 1


def _unexpected(token: Token) -> ExpressionError:
    what = "the end" if token.kind == "end" else repr(token.text)
    return ExpressionError(f"unexpected {what} at {token.position + 1}", token.position)


class _Parser:
    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._index = 0
        self._nested = 0

    def binary(self, level: int) -> Node:
        if level == len(_LEVELS):
            return self._unary()
        node = self.binary(level + 1)
        while self._peek().kind == "operator" and self._peek().value in _LEVELS[level]:
            operator = str(self._take().value)
            node = Binary(operator, node, self.binary(level + 1))
        return node

    def expect_end(self) -> None:
        token = self._peek()
        if token.kind != "end":
            raise _unexpected(token)

    def _unary(self) -> Node:
        token = self._peek()
        if token.kind == "operator" and token.value in {"-", "not"}:
            self._take()
            if token.value == "-" and _is_too_large(self._peek()):
                return self._access(Literal(-int(self._take().value)))
            with self._deeper():
                return Unary(str(token.value), self._unary())
        return self._access(self._primary())

    def _access(self, node: Node) -> Node:
        while self._peek().kind == "operator":
            if self._accept("."):
                node = Attribute(node, self._word())
            elif self._accept("["):
                with self._deeper():
                    node = Index(node, self.binary(0))
                self._close("]")
            elif self._peek().value == "(" and (start := first_name(node)) is not None:
                self._take()
                with self._deeper():
                    node = Call(str(dotted(node)), self._list(")"), start.position)
            else:
                break
        return node

    def _primary(self) -> Node:
        token = self._take()
        if _is_too_large(token):
            raise ExpressionError(f"{token.text} does not fit in 64 bits", token.position)
        if token.kind in {"number", "string", "constant"}:
            return Literal(token.value)
        if token.kind == "name":
            return Name(token.text, token.position)
        if token.kind == "operator" and token.value in {"(", "["}:
            with self._deeper():
                return self._bracketed(str(token.value))
        raise _unexpected(token)

    def _bracketed(self, opening: str) -> Node:
        if opening == "[":
            return ListLiteral(self._list("]"))
        node = self.binary(0)
        self._close(")")
        return node

    def _list(self, closing: str) -> tuple[Node, ...]:
        items: list[Node] = []
        if not self._accept(closing):
            items.append(self.binary(0))
            while self._accept(","):
                items.append(self.binary(0))
            self._close(closing)
        return tuple(items)

    @contextmanager
    def _deeper(self) -> Iterator[None]:
        self._nested += 1
        if self._nested > _DEPTH:
            raise ExpressionError("the expression is nested too deeply", self._peek().position)
        yield
        self._nested -= 1

    def _close(self, closing: str) -> None:
        if not self._accept(closing):
            position = self._peek().position
            raise ExpressionError(f"{closing!r} is missing at {position + 1}", position)

    def _word(self) -> str:
        """A name behind a point, where `in` and `true` are names as well."""
        token = self._take()
        if not token.text.isidentifier():
            raise ExpressionError(f"a name is missing at {token.position + 1}", token.position)
        return token.text

    def _accept(self, operator: str) -> bool:
        token = self._peek()
        if token.kind == "operator" and token.value == operator:
            self._index += 1
            return True
        return False

    def _peek(self) -> Token:
        return self._tokens[self._index]

    def _take(self) -> Token:
        token = self._tokens[self._index]
        if token.kind != "end":
            self._index += 1
        return token
