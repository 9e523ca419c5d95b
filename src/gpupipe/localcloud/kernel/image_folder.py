"""The digest of an image: what it contains and how it starts, not when it was made.

Bytecode is left out: it follows from the sources, and names the folder and the time of its making.
"""

import hashlib
import json
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_BLOCK = 1 << 20


def digest_of(folder: Path, config: Mapping[str, Any]) -> tuple[str, int]:
    """("sha256:…", bytes of all files) of paths, contents and execute bits, and of the config."""
    total, size = hashlib.sha256(json.dumps(config, sort_keys=True).encode()), 0
    for path in _entries(folder):
        name = path.relative_to(folder).as_posix()
        kind, content, length = _describe(path)
        total.update(json.dumps([name, kind, content]).encode())
        size += length
    return f"sha256:{total.hexdigest()}", size


def _entries(folder: Path) -> Iterator[Path]:
    for root, folders, files in os.walk(folder):
        folders.sort()
        linked = [name for name in folders if (Path(root) / name).is_symlink()]
        names = sorted(name for name in files + linked if not name.endswith(".pyc"))
        yield from (Path(root) / name for name in names)


def _describe(path: Path) -> tuple[str, str, int]:
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode):
        return "link", str(path.readlink()), 0
    if not stat.S_ISREG(found.st_mode):
        raise ValueError(f"{path} is neither a file nor a link")
    kind = "program" if found.st_mode & stat.S_IXUSR else "file"
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return kind, digest.hexdigest(), found.st_size
