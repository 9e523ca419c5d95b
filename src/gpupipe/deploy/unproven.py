"""What was deployed and not proved yet: an object in the staging bucket, written under the lease.

A deploy writes it before its first change and removes it when its canary file has come out. One that
is killed in between leaves it: the next deploy sends the canary though nothing else is to be done,
and where that fails, the services get back the traffic that they had when all was proved last.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import TypeAdapter, ValidationError

from gpupipe.cloud.run import Traffic
from gpupipe.cloud.storage import StorageApi

NAME = "unproven.json"


@dataclass(frozen=True, slots=True)
class Unproven:
    """traffic: what each service had before, by its full name; every revision is named."""

    traffic: Mapping[str, Traffic] = field(default_factory=dict)


_UNPROVEN = TypeAdapter(Unproven)


def read(storage: StorageApi, bucket: str) -> Unproven | None:
    """What is still to be proved, or None. Of a text that is none only that is known."""
    text = storage.read(bucket, NAME)
    if text is None:
        return None
    try:
        return _UNPROVEN.validate_json(text)
    except ValidationError:
        return Unproven()


def write(storage: StorageApi, bucket: str, unproven: Unproven) -> None:
    """Remember it."""
    text = _UNPROVEN.dump_json(unproven)
    storage.upload(bucket, NAME, text, content_type="application/json")


def settle(storage: StorageApi, bucket: str) -> None:
    """Forget it: it was proved, or nobody wants a proof."""
    storage.remove(bucket, NAME)
