"""A model bundle from Cloud Storage.

Contract: `gs://bucket/prefix` holds manifest.json and its files. Files are read in parallel, large
ones in parts; each file at the generation that it had when it was first looked at. The sizes are
compared with the manifest before anything large is read, the digests after.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from common.bundle import MAX_MANIFEST_BYTES, Bundle, check_sizes, checked_bundle
from common.manifest import MANIFEST, BundleError, parse_manifest
from common.objects import ObjectRef
from common.store import ObjectMissingError, Store

_SCHEME = "gs://"
_PART_BYTES = 16 * 1024 * 1024
_PARALLEL = 8


@dataclass(frozen=True, slots=True)
class _Part:
    ref: ObjectRef
    start: int
    end: int | None


def read_uri(store: Store, uri: str) -> Bundle:
    """The bundle at a gs:// address. Raises BundleError."""
    bucket, _, prefix = uri.removeprefix(_SCHEME).partition("/")
    if not uri.startswith(_SCHEME) or not bucket:
        raise BundleError(f"{uri} is not a gs://bucket/prefix address")
    prefix = prefix.strip("/")
    folder = f"{prefix}/" if prefix else ""
    try:
        return _read(store, bucket, folder)
    except ObjectMissingError as error:
        raise BundleError(error.message) from error


def _read(store: Store, bucket: str, folder: str) -> Bundle:
    described = store.stat(bucket, f"{folder}{MANIFEST}")
    if described.size > MAX_MANIFEST_BYTES:
        raise BundleError(f"{MANIFEST} is larger than {MAX_MANIFEST_BYTES} bytes")
    manifest = parse_manifest(store.read(described.ref))
    parts: dict[str, list[_Part]] = {}
    check_sizes(manifest)
    for entry in manifest.entries:
        info = store.stat(bucket, f"{folder}{entry.name}")
        if info.size != entry.size:
            raise BundleError(f"{entry.name} has {info.size} bytes, not {entry.size}")
        parts[entry.name] = list(_parts(info.ref, info.size))
    flat = [part for some in parts.values() for part in some]
    with ThreadPoolExecutor(_PARALLEL) as pool:
        contents = iter(
            list(pool.map(lambda part: store.read(part.ref, part.start, part.end), flat))
        )
    files = {name: b"".join(next(contents) for _ in some) for name, some in parts.items()}
    return checked_bundle(manifest, files)


def _parts(ref: ObjectRef, size: int) -> Iterator[_Part]:
    if size <= _PART_BYTES:
        yield _Part(ref, 0, None)
        return
    for start in range(0, size, _PART_BYTES):
        yield _Part(ref, start, min(start + _PART_BYTES, size))
