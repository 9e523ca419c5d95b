"""Which files `test-upload` sends and under which names; checked before anything is sent."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from gpupipe.cloud.cloud import Cloud
from gpupipe.core.errors import GpupipeError, UsageError
from gpupipe.deploy.canary import PREFIX as CANARY
from gpupipe.deploy.pipelines import Pipeline, told

_NAMED = 25
_LONGEST = 1024  # bytes of an object name that Storage takes
_DOC = "reference/cli.md#test-upload"
TYPES = {
    ".txt": "text/plain",
    ".md": "text/markdown",
    ".json": "application/json",
    ".jsonl": "application/x-ndjson",
    ".csv": "text/csv",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
}
"""The kinds of files that the pipeline is made for, and the content type of each."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file and the object name that it gets: its path below `root`, with forward slashes."""

    path: Path
    root: Path

    @property
    def name(self) -> str:
        """The object name."""
        return _absolute(self.path).relative_to(self.root).as_posix()

    def longer(self) -> "Upload":
        """The same file under a name that one more folder leads."""
        return Upload(self.path, self.root.parent)


@dataclass(frozen=True, slots=True)
class Refused:
    """A file that cannot be sent, and why."""

    path: Path
    why: str


@dataclass(frozen=True, slots=True)
class Collected:
    """What is sent, and what was left out because the user said so."""

    uploads: tuple[Upload, ...]
    left_out: tuple[Refused, ...]


def collect(paths: Sequence[Path], *, skip: bool = False) -> Collected:
    """The files at and below `paths`, each once, in order; nothing of a folder that begins with a dot.

    One file that cannot be sent refuses all, with UsageError that names every such file; with
    `skip` they are left out instead.
    """
    uploads = _distinct({_absolute(one.path): one for path in paths for one in _at(path)}.values())
    refused = tuple(
        Refused(one.path, why) for one in uploads if (why := _objection(one.path, one.name))
    )
    if refused and not skip:
        raise _cannot_be_sent(refused)
    bad = {one.path for one in refused}
    good = tuple(one for one in uploads if one.path not in bad)
    if not good:
        raise UsageError(
            "No file is left to send.",
            details=_told(refused),
            resolution="Give files that the pipeline reads.",
            doc=_DOC,
        )
    return Collected(good, refused)


def _at(path: Path) -> Iterator[Upload]:
    """The uploads of one argument: the file itself, or the files of a folder, named from it on."""
    if path.is_dir():
        files = [file for file in _visible(path) if file.is_file()]
        if not files:
            raise UsageError(
                f"There is no file in {path}.",
                details="What begins with a dot, and links, are not looked at.",
                resolution="Give files, or a folder with files.",
                doc=_DOC,
            )
        root = _absolute(path).parent
    elif path.is_file():
        files, root = [path], _absolute(path).parent
    else:
        raise UsageError(
            f"There is no file or folder {path}.", resolution="Check the path.", doc=_DOC
        )
    yield from (Upload(file, root) for file in files)


def _visible(folder: Path) -> Iterator[Path]:
    """All below a folder, sorted, without links and without what begins with a dot."""
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise UsageError(
            f"The folder {folder} cannot be read ({error.strerror}).",
            resolution="Make it readable, or leave it out.",
            doc=_DOC,
        ) from error
    for entry in entries:
        if entry.is_symlink() or entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from _visible(entry)
        else:
            yield entry


def _distinct(uploads: Iterable[Upload]) -> tuple[Upload, ...]:
    """Uploads whose names differ: files of one name get the names of their folders too."""
    found = tuple(uploads)
    while True:
        counted = Counter(one.name for one in found)
        if max(counted.values(), default=0) < 2:  # noqa: PLR2004  # two of one name
            return found
        # Different files differ somewhere on the way to the root, so this ends.
        found = tuple(one.longer() if counted[one.name] > 1 else one for one in found)


def _absolute(path: Path) -> Path:
    """The path from the root on, without `..`; links stay links, since their names are the user's."""
    return Path(os.path.abspath(path))  # noqa: PTH100  # resolve() would follow the links


def _cannot_be_sent(refused: Sequence[Refused]) -> UsageError:
    first = refused[0]
    brief = (
        f"{first.path} cannot be sent: {first.why}."
        if len(refused) == 1
        else f"{len(refused)} files cannot be sent."
    )
    return UsageError(
        brief,
        details=(f"{_told(refused)}\n" if len(refused) > 1 else "") + "Nothing was sent.",
        resolution="Rename or remove what is named above, or send the rest with --skip.",
        doc=_DOC,
    )


def _told(refused: Sequence[Refused]) -> str:
    lines = [f"{one.path}: {one.why}" for one in refused[:_NAMED]]
    more = len(refused) - len(lines)
    return "\n".join([*lines, f"and {more:,} more"] if more else lines)


def _objection(path: Path, name: str) -> str:
    """Why a file cannot be sent under this name; "" when it can."""
    return _bad_name(name) or _unreadable(path)


def _bad_name(name: str) -> str:
    if name.startswith("_"):
        return "the pipeline ignores object names that begin with _"
    if name.startswith(CANARY):
        return f"names below {CANARY} are kept for the file that a deploy sends"
    if PurePosixPath(name).suffix.lower() not in TYPES:
        return f"the pipeline reads {', '.join(TYPES)}"
    if any(character in name for character in "\r\n"):
        return "an object name cannot contain a line break"
    try:
        length = len(name.encode())
    except UnicodeEncodeError:
        return "its name is not valid text"
    return "its object name would be longer than 1024 bytes" if length > _LONGEST else ""


def _unreadable(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return "" if file.read(1) else "it is empty"
    except OSError as error:
        return f"it cannot be read ({error.strerror})"


def require_bucket(cloud: Cloud, bucket: str, pipelines: tuple[Pipeline, ...]) -> None:
    """GpupipeError, with the pipelines that there are, where the input bucket is missing."""
    if cloud.storage.get(bucket) is None:
        raise no_pipeline(bucket, pipelines)


def no_pipeline(bucket: str, pipelines: tuple[Pipeline, ...]) -> GpupipeError:
    """What to say where a bucket of the pipeline is missing."""
    return GpupipeError(
        "There is no pipeline of this name.",
        resource=f"gs://{bucket}",
        details=told(pipelines),
        resolution="Run gpupipe deploy first, or name another one with --prefix.",
        doc=_DOC,
    )
