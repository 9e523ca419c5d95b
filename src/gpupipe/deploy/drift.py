"""Drift: somebody changed a field that we own after our last deploy.

A deploy seals what it sets: the label LABEL holds a digest of the owned fields. A resource whose
fields have another digest was changed by somebody else; where the digest fits, what is wanted has
changed. Only a seal of this version is believed, since another one owns other fields.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from gpupipe.deploy.action import text

LABEL = "gpupipe-seal"
_VERSION = "gpupipe-version"


@dataclass(frozen=True, slots=True)
class Drift:
    """Who changed the resource last, and when: "" and None where the API does not tell."""

    by: str = ""
    at: datetime | None = None

    def __str__(self) -> str:
        """As a plan shows it: `last changed by a@example.com at 2026-01-02 03:04:05 UTC`."""
        by = f" by {self.by}" if self.by else ""
        at = f" at {self.at:%Y-%m-%d %H:%M:%S} UTC" if self.at else ""
        return f"last changed{by}{at}" if by or at else "the API does not tell by whom and when"


def sealed(labels: Mapping[str, str], owned: Mapping[str, object]) -> dict[str, str]:
    """The labels with a seal of these fields."""
    return {**labels, LABEL: _digest(owned)}


def drift(
    found: Mapping[str, str], wanted: Mapping[str, str], owned: Mapping[str, object], last: Drift
) -> Drift | None:
    """`last` where the fields are not those that the last deploy set, else None.

    found, wanted: labels; owned: the fields as they are.
    """
    if found.get(_VERSION) != wanted.get(_VERSION) or LABEL not in found:
        return None
    return None if found[LABEL] == _digest(owned) else last


def _digest(owned: Mapping[str, object]) -> str:
    fields = {name: text(value) for name, value in owned.items()}
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:16]
