"""The most memory that this process has had since a moment of one's choice (Linux)."""

from pathlib import Path

_PROC = Path("/proc/self")


def resident_bytes() -> int:
    """What it has now."""
    return _status("VmRSS")


def forget_peak() -> None:
    """The peak is counted anew from here on."""
    (_PROC / "clear_refs").write_text("5")


def peak_bytes() -> int:
    """The most since the peak was forgotten, or ever."""
    return _status("VmHWM")


def _status(key: str) -> int:
    lines = (_PROC / "status").read_text().splitlines()
    (line,) = (one for one in lines if one.startswith(f"{key}:"))
    return int(line.split()[1]) * 1024
