"""What a check found: how bad it is, why, and what to do."""

from dataclasses import dataclass
from enum import StrEnum

from gpupipe.core.errors import Exit


class Level(StrEnum):
    """How bad a finding is. UNKNOWN: the check could not be made, which stops nothing."""

    OK = "ok"
    UNKNOWN = "unknown"
    WARNING = "warning"
    BLOCKER = "blocker"


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding. check: of which check; what: in a sentence; why and fix: "" where there is none.

    exit: how a command ends that is stopped by it.
    """

    check: str
    level: Level
    what: str
    why: str = ""
    fix: str = ""
    exit: Exit = Exit.FAILED


def ok(check: str, what: str) -> Finding:
    """All is well."""
    return Finding(check, Level.OK, what)


def unknown(check: str, what: str, why: str = "", fix: str = "") -> Finding:
    """It could not be told."""
    return Finding(check, Level.UNKNOWN, what, why, fix)


def warning(check: str, what: str, why: str = "", fix: str = "") -> Finding:
    """A deploy can go on."""
    return Finding(check, Level.WARNING, what, why, fix)


def blocker(
    check: str,
    what: str,
    why: str = "",
    fix: str = "",
    exit: Exit = Exit.FAILED,  # noqa: A002  # the word users read
) -> Finding:
    """A deploy would fail."""
    return Finding(check, Level.BLOCKER, what, why, fix, exit)
