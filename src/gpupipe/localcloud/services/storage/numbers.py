"""Whole numbers of requests: the API's int64, written in ASCII digits."""

import re

_WHOLE = re.compile(r"-?[0-9]{1,19}")
_LEAST, _MOST = -(1 << 63), (1 << 63) - 1


def int64(value: object) -> int | None:
    """The number that a text (or a JSON number) stands for; None when it is no int64."""
    text = str(value)
    if not _WHOLE.fullmatch(text):
        return None
    number = int(text)
    return number if _LEAST <= number <= _MOST else None
