"""What an image is built from, as one digest and as one archive, both independent of the machine."""

import gzip
import hashlib
import io
import tarfile
from collections.abc import Sequence

from gpupipe.core.assets import SourceFile

_TAG_DIGITS = 12


def source_digest(files: Sequence[SourceFile]) -> str:
    """SHA-256 (hex) over paths and contents, in the given order."""
    total = hashlib.sha256()
    for file in files:
        for part in (file.path.encode(), file.data):
            total.update(len(part).to_bytes(8, "big"))
            total.update(part)
    return total.hexdigest()


def source_tag(digest: str) -> str:
    """The tag of an image built from the source with this digest."""
    return f"src-{digest[:_TAG_DIGITS]}"


def archive(files: Sequence[SourceFile]) -> bytes:
    """The files as .tar.gz; the same files give the same bytes."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for file in files:
            info = tarfile.TarInfo(file.path)
            info.size, info.mode = len(file.data), 0o644
            tar.addfile(info, io.BytesIO(file.data))
    return gzip.compress(raw.getvalue(), compresslevel=6, mtime=0)
