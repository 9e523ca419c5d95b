"""A model bundle in a folder: whether it can be served, told by the program that the service uses too.

It runs as a process of its own, in the folder of the service sources: these import nothing of ours,
and we nothing of theirs. It needs no package and runs nothing of the bundle.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gpupipe.core import assets
from gpupipe.core.errors import GpupipeError, UsageError
from gpupipe.deploy.spec import PROBE

DOC = "reference/bundle.md"
ASSUMED_BYTES_PER_S = 20_000_000
"""How fast a bundle is assumed to come out of the models bucket: low on purpose, for Google states none."""
# sha256 and opening a session of a 90 MB graph took 0.05 and 0.15 s of one core (docs/reference/bundle.md).
_LOADED_BYTES_PER_S = 450_000_000
_STARTED_S = 10.0  # the container, its imports and the first inference


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle that may be served. sizes: file -> bytes; digests: file -> SHA-256 in hex."""

    folder: Path
    name: str
    version: str
    task: str
    labels: tuple[str, ...]
    sizes: Mapping[str, int]
    digests: Mapping[str, str]
    warnings: tuple[str, ...]
    manifest: Mapping[str, Any]

    @property
    def total_bytes(self) -> int:
        """Of all files that the service reads."""
        return sum(self.sizes.values())

    @property
    def start_s(self) -> float:
        """How long an instance is estimated to take until it is ready."""
        return start_s(self.total_bytes)


def start_s(total_bytes: int) -> float:
    """The estimate for a bundle of this size: fetched, verified, loaded, and asked once."""
    pace = 1 / ASSUMED_BYTES_PER_S + 1 / _LOADED_BYTES_PER_S
    return _STARTED_S + total_bytes * pace


def read_bundle(folder: Path, name: str | None = None, version: str | None = None) -> Bundle:
    """The bundle of a folder; what its manifest leaves out is filled in.

    Raises UsageError with the reason where it would not be served.
    """
    if not folder.is_dir():
        raise UsageError(
            f"There is no folder {folder}.",
            resolution="Give the folder that holds manifest.json and the model's files.",
            doc=DOC,
        )
    answer = _checked(folder, name, version)
    if not answer["valid"]:
        raise UsageError(
            "The model cannot be served.",
            resource=str(folder),
            details=str(answer["reason"]),
            resolution="Mend the bundle; the page shows what it holds and what is refused. A name and a "
            "version may also be given with --name and --version.",
            doc=DOC,
        )
    found = _bundle(folder, answer)
    _, period_s, failures = PROBE
    if found.start_s > period_s * failures:
        raise UsageError(
            "The model would load too slowly: its instances would be ended before they are ready.",
            resource=str(folder),
            details=f"{found.total_bytes:,} bytes are estimated to take {found.start_s:.0f} s at "
            f"{ASSUMED_BYTES_PER_S / 1e6:.0f} MB/s; the startup probe gives {period_s * failures} s.",
            resolution="Make the model smaller, as with weights of 8 or 16 bits.",
            doc=DOC,
        )
    return found


def _checked(folder: Path, name: str | None, version: str | None) -> dict[str, Any]:
    """The program's answer."""
    given = [f"--{key}={value}" for key, value in (("name", name), ("version", version)) if value]
    done = subprocess.run(
        [sys.executable, "-S", "-m", "common.check_bundle", "--complete", *given, "--", folder],
        env=os.environ
        | {"PYTHONPATH": str(assets.service_images()), "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except ValueError as error:
        last = done.stderr.strip().rpartition("\n")[2]
        raise GpupipeError(
            "The check of the model ended without an answer.",
            resource=str(folder),
            details=last or f"exit code {done.returncode}",
            resolution="Where memory is short, give it more; else report it as a bug.",
            doc="how-to/report-a-bug.md",
        ) from error
    return answer


def _bundle(folder: Path, answer: Mapping[str, Any]) -> Bundle:
    return Bundle(
        folder=folder,
        name=answer["name"],
        version=answer["version"],
        task=answer["task"],
        labels=tuple(answer["labels"]),
        sizes={one["name"]: one["size"] for one in answer["files"]},
        digests={one["name"]: one["sha256"] for one in answer["files"]},
        warnings=tuple(answer["warnings"]),
        manifest=answer["manifest"],
    )
