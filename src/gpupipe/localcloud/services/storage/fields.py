"""The resource of an object: which fields a client may write, and how it looks in answers."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from gpupipe.localcloud.services.storage.lifecycle import STORAGE_CLASSES
from gpupipe.localcloud.services.storage.message import Json
from gpupipe.localcloud.services.storage.refusals import bad_request, not_emulated
from gpupipe.localcloud.services.storage.rows import (
    RETAINED_FROM,
    State,
    Version,
    versions_of,
)
from gpupipe.localcloud.services.storage.times import parse

_TEXTS = {
    *("contentType", "contentEncoding", "contentDisposition", "contentLanguage"),
    *("cacheControl", "customTime"),
}
_HOLDS = {"temporaryHold", "eventBasedHold"}
DEFAULT_TYPE = "application/octet-stream"
WRITABLE = _TEXTS | _HOLDS | {"metadata"}
_NOT_EMULATED = {"acl", "retention", "contexts", "customerEncryption", "kmsKeyName"}
# what Google computes: sent back by clients that change a resource they have read, and ignored
_READ_ONLY = {
    *("bucket", "name", "generation", "metageneration", "id", "kind", "etag", "selfLink"),
    *("mediaLink", "size", "md5Hash", "crc32c", "componentCount", "owner", "storageClass"),
    *("timeCreated", "updated", "timeDeleted", "timeStorageClassUpdated", "timeFinalized"),
    *("softDeleteTime", "hardDeleteTime", "retentionExpirationTime", "restoreToken"),
}
_MAX_METADATA = 8192
_FIRST_PRINTABLE = 32


def check_fields(body: Mapping[str, Any]) -> None:
    """Raise 400 for writable fields with values that cannot be stored; the rest is read-only."""
    for name in _NOT_EMULATED & body.keys():
        if body[name]:
            raise not_emulated(f"the object field '{name}'")
    if unknown := body.keys() - WRITABLE - _READ_ONLY - _NOT_EMULATED:
        raise bad_request(f"Unknown object field: '{min(unknown)}'.")
    for name in _TEXTS & body.keys():
        _check_text(name, body[name])
    _check_time("customTime", body.get("customTime"))
    for name in _HOLDS & body.keys():
        if not isinstance(body[name], bool | None):
            raise bad_request(f"{name} must be a boolean.")
    if body.get("storageClass") not in {None, *STORAGE_CLASSES}:
        raise bad_request(f"Invalid storage class: '{body['storageClass']}'.")
    _check_metadata(body.get("metadata"))


def written(body: Mapping[str, Any]) -> Json:
    """The writable fields that a body sets, nulls left out."""
    kept: Json = {k: v for k, v in body.items() if k in WRITABLE and v is not None}
    if "metadata" in kept:
        kept["metadata"] = {k: v for k, v in kept["metadata"].items() if v is not None}
    return {k: v for k, v in kept.items() if v != {}}


def patched(version: Version, body: Mapping[str, Any]) -> Json:
    """The changes of a PATCH: null removes a field, and a key of the custom metadata."""
    changes: Json = {k: v for k, v in body.items() if k in WRITABLE}
    if "contentType" in changes:
        changes["contentType"] = changes["contentType"] or DEFAULT_TYPE
    if changes.get("metadata") is not None:
        merged = {**version.body.get("metadata", {}), **changes["metadata"]}
        changes["metadata"] = {k: v for k, v in merged.items() if v is not None} or None
    return changes


def replaced(body: Mapping[str, Any]) -> Json:
    """The changes of a PUT: a writable field that is not sent is removed."""
    return {**dict.fromkeys(WRITABLE), "contentType": DEFAULT_TYPE, **written(body)}


def check_class(version: Version, body: Mapping[str, Any]) -> None:
    """Refuse another storage class than the object has: a rewrite changes it."""
    wanted = body.get("storageClass")
    if wanted is not None and wanted != version.body["storageClass"]:
        raise not_emulated("a change of storageClass by patch or update: rewrite the object")


def check_custom_time(version: Version, changes: Json) -> None:
    """Raise 400 for a custom time that a change would remove or move to the past."""
    old = version.body.get("customTime")
    if old is None or "customTime" not in changes:
        return
    new = changes["customTime"]
    if new is None or parse(new) < parse(old):
        raise bad_request(f"customTime is '{old}' and can neither be removed nor become earlier.")


def present(version: Version, base: str) -> Json:
    """The resource as the API answers it, with links to the listener at `base`."""
    bucket, name = quote(version.bucket, safe=""), quote(version.name, safe="")
    path = f"/storage/v1/b/{bucket}/o/{name}"
    links = {
        "kind": "storage#object",
        "id": f"{version.bucket}/{version.name}/{version.generation}",
        "selfLink": f"{base}{path}",
        "mediaLink": f"{base}/download{path}?generation={version.generation}&alt=media",
        "name": version.name,
        "bucket": version.bucket,
        "generation": str(version.generation),
        "etag": versions_of(version).etag,
    }
    hidden = {RETAINED_FROM}
    if version.state is not State.SOFT_DELETED:
        hidden |= {"softDeleteTime", "hardDeleteTime"}
    return {**links, **{k: v for k, v in version.body.items() if k not in hidden}}


def _check_text(name: str, value: object) -> None:
    if value is None:
        return
    if not isinstance(value, str) or any(ord(c) < _FIRST_PRINTABLE for c in value):
        raise bad_request(f"Invalid value for {name}: it must be text without control characters.")


def _check_time(name: str, value: str | None) -> None:
    try:
        moment = parse(value) if value else None
    except ValueError as error:
        raise bad_request(f"Invalid value for {name}: '{value}' is not a time.") from error
    if moment is not None and moment.tzinfo is None:
        raise bad_request(f"Invalid value for {name}: '{value}' has no time zone.")


def _check_metadata(metadata: object) -> None:
    if metadata is None:
        return
    if not isinstance(metadata, dict) or not all(
        isinstance(value, str | None) for value in metadata.values()
    ):
        raise bad_request("metadata must be a map from text to text.")
    size = sum(len(k.encode()) + len((v or "").encode()) for k, v in metadata.items())
    if size > _MAX_METADATA:
        raise bad_request(f"Custom metadata is limited to 8 KiB, but got {size} bytes.")
