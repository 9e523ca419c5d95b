"""Times as the API writes them: UTC, milliseconds, `Z`."""

from datetime import UTC, datetime


def rfc3339(moment: datetime) -> str:
    """For example 2026-01-02T03:04:05.678Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse(text: str) -> datetime:
    """The moment that `rfc3339` wrote."""
    return datetime.fromisoformat(text)
