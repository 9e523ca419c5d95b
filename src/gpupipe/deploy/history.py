"""The history of runs: one object for each in the staging bucket, copied to a folder by a destroy.

For people to read; nothing is ever decided from it. A run that wrote nothing leaves no record, nor
does one that ended before there was a bucket to write to, or that was killed.
"""

import json
import uuid
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from gpupipe import __version__
from gpupipe.cloud.storage import StorageApi
from gpupipe.core.errors import GpupipeError
from gpupipe.core.process import user_at_host
from gpupipe.deploy.executor import Outcome

PREFIX = "history/"
NO_RESULT = "no result"
"""How a canary ended that was cut off."""


@dataclass(frozen=True, slots=True)
class Run:
    """One deploy or destroy.

    began, ended: in UTC; result: "done" or "failed"; done, failed: "create bucket NAME"; canary: how
    the canary ended, "" where none was sent.
    """

    command: str
    who: str
    version: str
    began: datetime
    ended: datetime
    result: str
    done: tuple[str, ...]
    failed: tuple[str, ...]
    canary: str = ""


_RUN = TypeAdapter(Run)


def run_of(
    command: str, outcome: Outcome, began: datetime, ended: datetime, *, canary: str = "",
) -> Run:  # fmt: skip
    """The record of a run with this outcome, and of its canary where one was sent."""
    failed = [one for one, _ in outcome.errors] + [one for one, _ in outcome.skipped]
    return Run(
        command,
        user_at_host(),
        __version__,
        began,
        ended,
        "done" if canary in {"", "succeeded"} and not failed else "failed",
        tuple(f"{one.verb} {one.kind} {one.name}" for one in outcome.done),
        tuple(f"{one.verb} {one.kind} {one.name}" for one in failed),
        canary,
    )


def record(storage: StorageApi, bucket: str, run: Run) -> None:
    """Write a run's record; one that cannot be written is no reason for a run to fail."""
    with suppress(GpupipeError):
        storage.upload(bucket, PREFIX + _name(run), _text(run), content_type="application/json")


def record_in(folder: Path, run: Run) -> None:
    """The same into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _name(run)).write_bytes(_text(run))


def copy(storage: StorageApi, bucket: str, folder: Path) -> None:
    """Bring the bucket's records into a folder, where they outlive the bucket."""
    for name, content in _contents(storage, bucket):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name.removeprefix(PREFIX)).write_bytes(content)


def runs(storage: StorageApi, bucket: str, folder: Path) -> tuple[Run, ...]:
    """All records of the bucket and the folder, newest first; a text that is none is left out."""
    contents = {path.name: path.read_bytes() for path in folder.glob("*.json")}
    contents |= {name.removeprefix(PREFIX): text for name, text in _contents(storage, bucket)}
    found = []
    for content in contents.values():
        with suppress(ValidationError):
            found.append(_RUN.validate_json(content))
    return tuple(sorted(found, key=lambda run: run.began, reverse=True))


def _contents(storage: StorageApi, bucket: str) -> Iterable[tuple[str, bytes]]:
    if storage.get(bucket) is None:
        return
    for found in storage.objects(bucket, PREFIX):
        content = storage.read(bucket, found.name)
        # The name becomes a file's: one with another folder in it was not written here.
        if content is not None and "/" not in found.name.removeprefix(PREFIX):
            yield found.name, content


def _name(run: Run) -> str:
    return f"{run.began:%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:8]}.json"


def _text(run: Run) -> bytes:
    return json.dumps(asdict(run), default=str, indent=1).encode()
