"""Secrets on disk: files that only their owner can read, never half written."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path


def keep_secret(path: Path, make: Callable[[], bytes]) -> bytes:
    """The secret in `path`; a new one when there is none, or when others could have read it."""
    try:
        if path.stat().st_mode & 0o077 == 0:
            return path.read_bytes()
    except FileNotFoundError:
        pass
    secret = make()
    write_secret(path, secret)
    return secret


def write_secret(path: Path, data: bytes) -> None:
    """Put `data` into a 0600 file in one step: a reader sees the old contents or the new."""
    # mkstemp makes its file 0600 whatever the umask.
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
