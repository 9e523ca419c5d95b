"""Extractors of log-based metrics: EXTRACT(field) and REGEXP_EXTRACT(field, "regex")."""

import re
from collections.abc import Callable

from gpupipe.localcloud.errors import invalid_argument, unimplemented
from gpupipe.localcloud.kernel.filters import path_of
from gpupipe.localcloud.kernel.logs import LogEntry
from gpupipe.localcloud.services.logging.filter import is_known, texts

_PLAIN = re.compile(r"\s*EXTRACT\(\s*([^\s()]+)\s*\)\s*")
_BY_PATTERN = re.compile(r'\s*REGEXP_EXTRACT\(\s*([^\s(),]+)\s*,\s*"((?:[^"\\]|\\.)*)"\s*\)\s*')
Extractor = Callable[[LogEntry], str | None]


def extractor(text: str, path: str) -> Extractor:
    """What takes the text out of an entry, None where there is none.

    path: the field of the request, for refusals. INVALID_ARGUMENT for what is no extractor,
    UNIMPLEMENTED for a field that is not known here.
    """
    plain, by_pattern = _PLAIN.fullmatch(text), _BY_PATTERN.fullmatch(text)
    found = plain or by_pattern
    if found is None:
        raise invalid_argument(
            f'{path} must be EXTRACT(field) or REGEXP_EXTRACT(field, "regex"), not {text!r}.', path
        )
    field = path_of(found[1])
    if not is_known(field):
        raise unimplemented(f"the field {found[1]} in an extractor")
    pattern = None if by_pattern is None else _compiled(by_pattern[2], path)

    def extract(entry: LogEntry) -> str | None:
        value = next(iter(texts(entry, field)), None)
        if pattern is None or value is None:
            return value
        match = pattern.search(value)
        return match[1] if match else None

    return extract


def _compiled(text: str, path: str) -> re.Pattern[str]:
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise invalid_argument(f"{text!r} is no regular expression.", path) from error
    if pattern.groups != 1:
        raise invalid_argument(f"{text!r} must have exactly one capture group.", path)
    return pattern
