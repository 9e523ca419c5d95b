"""text.*_regex: RE2 syntax, leftmost-longest, in time that grows with the text alone."""

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any

import re2

from gpupipe.workflows.errors import raised
from gpupipe.workflows.limits import STRING_BYTES
from gpupipe.workflows.stdlib.function import Function, need, pure
from gpupipe.workflows.values import Value

_PATTERNS = 64


@lru_cache(_PATTERNS)
def _compiled(pattern: str) -> Any:
    options = re2.Options()
    options.longest_match = True
    options.never_capture = True
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0] if error.args else b""
        said = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        raise raised("ValueError", f"{pattern!r} is no regular expression: {said}") from error


def _matches(source: str, pattern: str) -> Iterator[tuple[int, int]]:
    """Begin and end of each match, in characters; no empty one right behind another."""
    last = -1
    for match in _compiled(pattern).finditer(source):
        begin, end = match.span()
        if begin < end or begin != last:
            yield begin, end
        last = end


def _find_all(source: str, pattern: str) -> list[Value]:
    return [
        {"index": begin, "match": source[begin:end]} for begin, end in _matches(source, pattern)
    ]


def _replace_all(source: str, pattern: str, repl: str) -> str:
    parts, at, grown = [], 0, 0
    for begin, end in _matches(source, pattern):
        parts += [source[at:begin], repl]
        at, grown = end, grown + len(repl)
        if grown > STRING_BYTES:
            raise raised("ResourceLimitError", f"a string is larger than {STRING_BYTES} bytes")
    return "".join([*parts, source[at:]])


_SOURCE, _PATTERN = need("source", "string"), need("regexp", "string")
FUNCTIONS: tuple[Function, ...] = (
    pure("text.find_all_regex", _find_all, _SOURCE, _PATTERN),
    pure("text.match_regex",
         lambda source, pattern: _compiled(pattern).search(source) is not None, _SOURCE, _PATTERN),
    replace(
        pure("text.replace_all_regex", _replace_all, _SOURCE, _PATTERN, need("repl", "string")),
        aliases={"substr": "regexp"},
    ),
)  # fmt: skip
