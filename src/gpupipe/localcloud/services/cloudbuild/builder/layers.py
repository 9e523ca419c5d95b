"""What RUN instructions made, kept for later builds, as `docker build` keeps layers.

A layer is found by all that its RUN depends on: the stage's files, variables and folder, the command,
and this machine's Python and uv. It is the whole stage after the RUN, in a folder named by that key and
beside the digest that it had then: one that was changed since is not used. Several builds and several
local clouds may share a folder; who needs what another is making waits for it.
"""

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from gpupipe.localcloud.kernel.image_folder import digest_of
from gpupipe.localcloud.services.cloudbuild.builder.job import Job
from gpupipe.localcloud.services.cloudbuild.builder.machine import Machine
from gpupipe.localcloud.services.cloudbuild.builder.state import StageState

KEPT = 16
"""As many layers stay, those that were used last."""
_POLL_S = 0.05
_LOCK = ".lock"


def key(machine: Machine, stage: StageState, words: Sequence[str]) -> str:
    """What tells the result of a RUN from any other, in hexadecimal."""
    depends = {
        "files": digest_of(stage.root, {}),
        "folders": sorted(_folders(stage.root)),
        "variables": stage.variables,
        "workdir": stage.workdir,
        "words": words,
        "python": [str(machine.python), machine.python_version],
        "uv": [str(machine.uv), machine.uv_version, dict(machine.passed)],
    }
    return hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()


class Layers:
    """Layers in a folder of their own (0700)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def only_maker(self, name: str, job: Job) -> Iterator[None]:
        """Hold the right to make a layer; BuildEndedError when the build ends while it waits."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self._folder / f"{name}{_LOCK}").open("w") as file:
            while not _taken(file.fileno()):
                job.check()
                threading.Event().wait(_POLL_S)
            yield

    def restore(self, name: str, root: Path) -> bool:
        """Make `root` what it was after the RUN; False, and `root` as it is, without a sound layer."""
        layer, fresh = self._folder / name, root.with_name(f"{root.name}-layer")
        try:
            (wanted,) = (path.name for path in layer.iterdir())
            # Files of its own: no image can change another through the layer.
            shutil.copytree(layer / wanted, fresh, symlinks=True)
            sound = digest_of(fresh, {})[0].endswith(wanted)
        except (OSError, ValueError):
            sound = False
        if not sound:
            shutil.rmtree(fresh, ignore_errors=True)
            shutil.rmtree(layer, ignore_errors=True)
            return False
        os.utime(layer)
        shutil.rmtree(root)
        fresh.rename(root)
        return True

    def keep(self, name: str, root: Path) -> None:
        """Remember a stage as it is after the RUN. Where that fails, a later build has more to do."""
        made = Path(tempfile.mkdtemp(dir=self._folder))
        try:
            digest = digest_of(root, {})[0].rpartition(":")[2]
            shutil.copytree(root, made / digest, symlinks=True, copy_function=_link)
            made.rename(self._folder / name)
        except (OSError, ValueError):
            shutil.rmtree(made, ignore_errors=True)
        self._forget()

    def _forget(self) -> None:
        """Remove the layers that were not used for longest."""
        layers = [path for path in self._folder.iterdir() if not path.name.endswith(_LOCK)]
        times: Mapping[Path, float] = {path: _used(path) for path in layers}
        for layer in sorted(layers, key=lambda path: times[path])[:-KEPT]:
            shutil.rmtree(layer, ignore_errors=True)
            (self._folder / f"{layer.name}{_LOCK}").unlink(missing_ok=True)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _folders(root: Path) -> Iterator[str]:
    for folder, _, _ in os.walk(root):
        yield Path(folder).relative_to(root).as_posix()


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, target, follow_symlinks=False)


def _used(layer: Path) -> float:
    try:
        return layer.stat().st_mtime
    except FileNotFoundError:  # another local cloud removed it
        return 0.0
