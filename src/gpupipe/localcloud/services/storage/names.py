"""Rules for the names of buckets and objects (docs: buckets/naming, objects/naming)."""

import ipaddress
import re

from gpupipe.localcloud.services.storage.refusals import StorageError, bad_request, required

_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
_LOOKALIKES = ("google", "g00gle", "goog1e", "go0gle", "g0ogle")
_MAX_OBJECT = 1024
_MAX_PART = 63


def check_bucket_name(name: object) -> str:
    """The name, if a bucket may have it; dotted names need a verified domain, so are refused."""
    if not isinstance(name, str) or not name:
        raise required("name")
    if not _BUCKET.fullmatch(name) or _is_address(name):
        raise _invalid(name)
    if ".." in name or any(len(part) > _MAX_PART for part in name.split(".")):
        raise _invalid(name)
    if name.startswith("goog") or any(word in name for word in _LOOKALIKES):
        raise _invalid(name)
    if "." in name:
        raise StorageError(
            403,
            "forbidden",
            f"The bucket name '{name}' is a domain name, and another user owns it or it was "
            "not verified. The local cloud verifies no domains: use a name without dots.",
        )
    return name


def check_object_name(name: object) -> str:
    """The name, if an object may have it: 1 to 1024 bytes of UTF-8, no line breaks."""
    if not isinstance(name, str) or not name:
        raise required("name")
    try:
        size = len(name.encode())
    except UnicodeEncodeError as error:
        raise bad_request("The object name is not valid Unicode.") from error
    if size > _MAX_OBJECT:
        raise bad_request(f"The maximum object name length is 1024 bytes, but got {size}.")
    if "\r" in name or "\n" in name or "\0" in name:
        raise bad_request("Disallowed unicode characters present in object name.")
    if name in {".", ".."} or name.startswith(".well-known/acme-challenge/"):
        raise bad_request(f"Invalid object name: '{name}'.")
    return name


def _invalid(name: str) -> StorageError:
    return bad_request(f"Invalid bucket name: '{name}'")


def _is_address(name: str) -> bool:
    try:
        ipaddress.IPv4Address(name)
    except ValueError:
        return False
    return True
