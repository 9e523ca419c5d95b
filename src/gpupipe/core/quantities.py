"""CPU and memory as Cloud Run writes them, as numbers: equal amounts have many spellings."""

import re

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}


def milli_cpu(text: str) -> int:
    """CPU in thousandths: "4" and "4000m" are the same."""
    return int(text[:-1]) if text.endswith("m") else round(float(text or 0) * 1000)


def memory_bytes(text: str) -> int:
    """Memory in bytes: "1Gi" and "1024Mi" are the same."""
    match = re.fullmatch(r"([0-9]+)([KMG]i?)?", text or "0")
    return int(match[1]) * _UNITS[match[2] or ""] if match else 0


def memory_text(size: int) -> str:
    """The shortest spelling: 42949672960 is "40Gi"."""
    for unit in ("Gi", "Mi", "Ki"):
        if size and size % _UNITS[unit] == 0:
            return f"{size // _UNITS[unit]}{unit}"
    return str(size)
