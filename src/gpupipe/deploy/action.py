"""What a plan consists of: one frozen action a step, with its reason and the fields that differ."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from gpupipe.deploy.phase import Phase

KNOWN_AFTER_BUILD = "known after build"
KNOWN_AFTER_DEPLOY = "known after deploy"
OWNER = "owner"
"""The field of a resource that is taken over."""
NOT_SET = "default, not set in gpupipe.toml"


class Verb(StrEnum):
    """What is done to a resource."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"
    KEEP = "keep"


@dataclass(frozen=True, slots=True)
class Change:
    """One owned field whose value differs, both sides as text; `note` says whence the new one is."""

    field: str
    old: str
    new: str
    note: str = ""

    def __str__(self) -> str:
        """As a plan shows it: `max instances: 5 -> 10 (default, not set in gpupipe.toml)`."""
        return f"{self.field}: {self.old} -> {self.new}" + (f" ({self.note})" if self.note else "")


@dataclass(frozen=True, slots=True)
class Action:
    """What happens to one resource and why.

    step: key of the step that carries it out, "bucket:input".
    kind: the resource kind in Google's word, "bucket"; name: the resource's name.
    drift: who changed it after the last deploy and when, in words; "" where nobody did.
    """

    step: str
    phase: Phase
    kind: str
    name: str
    verb: Verb
    reason: str
    changes: tuple[Change, ...] = ()
    drift: str = ""

    @property
    def writes(self) -> bool:
        """True unless the resource stays as it is."""
        return self.verb is not Verb.KEEP


def differences(
    wanted: Mapping[str, object],
    observed: Mapping[str, object],
    *,
    defaults: Collection[str] = (),
) -> tuple[Change, ...]:
    """The fields of `wanted` whose observed value is another; fields we do not own are not asked.

    defaults: the fields whose wanted value nobody set. An earlier deploy may have had another, so
    going back to the default is said.
    """
    return tuple(
        Change(field, text(observed.get(field)), text(value), NOT_SET if field in defaults else "")
        for field, value in wanted.items()
        if observed.get(field) != value
    )


def text(value: object) -> str:
    """A value as a plan shows it; equal values have one text, whatever their order."""
    if value is None:
        return "(none)"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={value[key]}" for key in sorted(value)) or "(empty)"
    if isinstance(value, frozenset | set | tuple | list):
        return ", ".join(sorted(str(item) for item in value)) or "(empty)"
    return str(value)
