"""Kubernetes quantities as Cloud Run takes them: CPU in milli-CPU, memory in bytes."""

import re
from decimal import Decimal

_SUFFIXES = {
    "": 1,
    "k": 10**3,
    "M": 10**6,
    "G": 10**9,
    "T": 10**12,
    "Ki": 2**10,
    "Mi": 2**20,
    "Gi": 2**30,
    "Ti": 2**40,
}
_QUANTITY = re.compile(r"(\d+(?:\.\d+)?)(m|k|M|G|T|Ki|Mi|Gi|Ti)?")


def milli_cpu(text: str) -> int | None:
    """ "4" and "4000m" are 4000; None when the text is no quantity."""
    match = _QUANTITY.fullmatch(text)
    if match is None or match[2] not in (None, "m"):
        return None
    value = Decimal(match[1])
    return int(value if match[2] else value * 1000)


def memory_bytes(text: str) -> int | None:
    """ "512Mi" is 536870912; None when the text is no quantity."""
    match = _QUANTITY.fullmatch(text)
    if match is None or match[2] == "m":
        return None
    return int(Decimal(match[1]) * _SUFFIXES[match[2] or ""])
