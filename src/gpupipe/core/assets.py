"""Finds what travels with gpupipe: service sources, the workflow and the sample files.

In a wheel they lie inside the package; in a checkout they lie beside `src/`. Both are tested.
"""

from dataclasses import dataclass
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of a build context: its path there, and its bytes (text with LF line ends)."""

    path: str
    data: bytes


# What belongs to an image's source, by suffix or by name; everything else (caches, notes) does not.
_SUFFIXES = frozenset({".py", ".txt", ".json", ".onnx"})
_NAMES = frozenset({"Dockerfile"})
_TEXT = frozenset({".py", ".txt", ".json"})
_LEFT_OUT = frozenset({"__pycache__", "tests"})


def service_images() -> Path:
    """The folder of the service sources: the build context of every image."""
    for place in (_PACKAGE / "_service_images", _PACKAGE.parent.parent / "service_images"):
        if place.is_dir():
            return place
    raise FileNotFoundError("The service sources are missing from this installation.")


def pipeline_source() -> str:
    """The text of the workflow."""
    return (_PACKAGE / "pipeline" / "pipeline.yaml").read_text(encoding="utf-8")


def samples() -> tuple[Path, ...]:
    """The sample files that `test-upload` sends when it is given none."""
    return tuple(sorted((_PACKAGE / "pipeline" / "samples").iterdir()))


def build_context(service: str, root: Path | None = None) -> tuple[SourceFile, ...]:
    """The files that an image is built from: `common/` and the service's own folder, by path.

    root: the folder of both, ours where none is given. The same in a checkout, in a wheel and on
    another machine: sorted, LF, without times.
    """
    root = root or service_images()
    folder = service.replace("-", "_")
    files = [path for part in ("common", folder) for path in (root / part).rglob("*")]
    return tuple(
        sorted((_source(path, root) for path in files if _belongs(path, root)), key=_by_path)
    )


def own_context(folder: Path) -> tuple[SourceFile, ...]:
    """The files of a folder of the user's: all but what hides behind a dot, caches and links."""
    paths = (path for path in folder.rglob("*") if _is_source(path, folder))
    return tuple(
        sorted((SourceFile(path.relative_to(folder).as_posix(), path.read_bytes())
                for path in paths), key=_by_path)
    )  # fmt: skip


def _is_source(path: Path, folder: Path) -> bool:
    parts = path.relative_to(folder).parts
    hidden = any(part.startswith(".") for part in parts) and parts != (".dockerignore",)
    return not (hidden or "__pycache__" in parts or path.is_symlink()) and path.is_file()


def _by_path(file: SourceFile) -> str:
    return file.path


def _belongs(path: Path, root: Path) -> bool:
    if _LEFT_OUT & set(path.relative_to(root).parts):
        return False
    return path.is_file() and (path.suffix in _SUFFIXES or path.name in _NAMES)


def _source(path: Path, root: Path) -> SourceFile:
    data = path.read_bytes()
    if path.suffix in _TEXT or path.name in _NAMES:
        data = data.replace(b"\r\n", b"\n")
    return SourceFile(path.relative_to(root).as_posix(), data)
