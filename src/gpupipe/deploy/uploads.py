"""Which files `test-upload` sends and under which names; checked before anything is sent."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from gpupipe.cloud.cloud import Cloud
from gpupipe.core.clock import Clock
from gpupipe.core.errors import GpupipeError, UsageError
from gpupipe.deploy.follow import Sent

_PARALLEL = 8
_DOC = "reference/cli.md#test-upload"
_TYPES = {
    ".txt": "text/plain",
    ".md": "text/markdown",
    ".json": "application/json",
    ".jsonl": "application/x-ndjson",
    ".csv": "text/csv",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
}


@dataclass(frozen=True, slots=True)
class Upload:
    """One file and the object name that it gets."""

    path: Path
    name: str


def collect(paths: Sequence[Path]) -> tuple[Upload, ...]:
    """The files below `paths`, in order, without links. UsageError names what cannot be sent."""
    found = tuple(upload for path in paths for upload in _below(path))
    names = [upload.name for upload in found]
    double = sorted({name for name in names if names.count(name) > 1})
    if double:
        raise UsageError(
            f"Two files would get the object name {double[0]!r}.",
            resolution="Send them one after another, or from folders with other names.",
            doc=_DOC,
        )
    return found


def _below(path: Path) -> Iterator[Upload]:
    if path.is_dir():
        files = sorted(one for one in path.rglob("*") if one.is_file() and not one.is_symlink())
        if not files:
            raise UsageError(
                f"There is no file in {path}.", resolution="Give files, or a folder with files.",
                doc=_DOC,
            )  # fmt: skip
        for file in files:
            yield _checked(file, f"{path.resolve().name}/{file.relative_to(path).as_posix()}")
    elif path.is_file():
        yield _checked(path, path.name)
    else:
        raise UsageError(
            f"There is no file or folder {path}.", resolution="Check the path.", doc=_DOC
        )


def _checked(path: Path, name: str) -> Upload:
    why = _objection(path, name)
    if why:
        raise UsageError(
            f"{path} cannot be sent: {why}.",
            details="Nothing was sent.",
            resolution="Rename it, or leave it out.",
            doc=_DOC,
        )
    return Upload(path, name)


def _objection(path: Path, name: str) -> str:
    if name.startswith("_"):
        return "an object name that begins with _ is ignored by the pipeline"
    if len(name.encode("utf-8", "surrogateescape")) > 1024:  # noqa: PLR2004  # Storage's limit
        return "its object name would be longer than 1024 bytes"
    if any(character in name for character in "\r\n"):
        return "an object name cannot contain a line break"
    try:
        name.encode()
        size = path.stat().st_size
        with path.open("rb"):
            pass
    except UnicodeEncodeError:
        return "its name is not valid text"
    except OSError as error:
        return f"it cannot be read ({error.strerror})"
    return "it is empty" if size == 0 else ""


def send(cloud: Cloud, bucket: str, uploads: Sequence[Upload], clock: Clock) -> list[Sent]:
    """Upload everything, several at a time. GpupipeError for the first that fails."""

    def one(upload: Upload) -> Sent:
        began = clock.monotonic()
        done = cloud.storage.upload(
            bucket,
            upload.name,
            upload.path,
            content_type=_TYPES.get(upload.path.suffix.lower(), "application/octet-stream"),
        )
        return Sent(str(upload.path), done, clock.monotonic() - began)

    with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="upload") as pool:
        return list(pool.map(one, uploads))


def require_bucket(cloud: Cloud, bucket: str, pipelines: Sequence[str]) -> None:
    """GpupipeError, with the pipelines that there are, where the input bucket is missing."""
    if cloud.storage.get(bucket) is None:
        raise GpupipeError(
            "There is no pipeline of this name to send files to.",
            resource=f"gs://{bucket}",
            details=f"Pipelines in this project: {', '.join(pipelines) or 'none'}.",
            resolution="Run gpupipe deploy first, or name another one with --prefix.",
            doc=_DOC,
        )
