"""What a bucket may be made of: fields, their checks, their defaults."""

import re
from collections.abc import Mapping
from typing import Any

from gpupipe.localcloud.services.storage.lifecycle import STORAGE_CLASSES, check_lifecycle
from gpupipe.localcloud.services.storage.message import Json
from gpupipe.localcloud.services.storage.numbers import int64
from gpupipe.localcloud.services.storage.refusals import bad_request, not_emulated
from gpupipe.localcloud.services.storage.shapes import check_known

DEFAULT_SOFT_DELETE_S = 604800
_MULTI_REGIONS = {"US", "EU", "ASIA"}
_DUAL_REGIONS = {"NAM4", "EUR4", "EUR5", "EUR7", "EUR8", "ASIA1"}
_REGION = re.compile(r"[A-Z]+(?:-[A-Z]+)+[0-9]+")
_LABEL_KEY = re.compile(r"[a-z\u00df-\uffff][a-z0-9_\u00df-\uffff-]{0,62}")
_LABEL_VALUE = re.compile(r"[a-z0-9_\u00df-\uffff-]{0,63}")
_MAX_LABELS = 64
_RETENTION_MAX_S = 3155760000
_SOFT_DELETE_MIN_S, _SOFT_DELETE_MAX_S = 604800, 7776000

WRITABLE = frozenset(
    {
        "labels",
        "versioning",
        "lifecycle",
        "iamConfiguration",
        "softDeletePolicy",
        "retentionPolicy",
        "defaultEventBasedHold",
        "storageClass",
        "encryption",
    }
)
# fields whose effect the local cloud does not have: refused unless empty or false
_NOT_EMULATED = {
    *("acl", "defaultObjectAcl", "autoclass", "billing", "cors", "customPlacementConfig"),
    *("hierarchicalNamespace", "ipFilter", "logging", "objectRetention", "website"),
}
_READ_ONLY = {
    *("id", "kind", "selfLink", "name", "location", "locationType", "metageneration", "etag"),
    *("generation", "owner", "projectNumber", "timeCreated", "updated", "satisfiesPZS"),
    *("satisfiesPZI", "softDeleteTime", "hardDeleteTime"),
}


def location_of(value: object) -> tuple[str, str]:
    """(location as it reads back, locationType); US when none is given."""
    location = str(value or "US").upper()
    if location in _MULTI_REGIONS:
        return location, "multi-region"
    if location in _DUAL_REGIONS:
        return location, "dual-region"
    if _REGION.fullmatch(location):
        return location, "region"
    raise bad_request("The specified location constraint is not valid.")


def check_fields(body: Mapping[str, Any]) -> None:
    """Raise 400 for a field that is unknown, not emulated or has a value that is refused."""
    for name, value in body.items():
        if name in _NOT_EMULATED:
            if _has_effect(value):
                raise not_emulated(f"the bucket field '{name}'")
        elif name in _CHECKS:
            if value is not None:
                _check_shape(name, value)
                check_known(value, name)
                _CHECKS[name](value)
        elif name not in _READ_ONLY and name not in WRITABLE:
            raise bad_request(f"Unknown bucket field: '{name}'.")


def _check_shape(name: str, value: object) -> None:
    if name not in {"storageClass", "rpo", "defaultEventBasedHold"} and not isinstance(value, dict):
        raise bad_request(f"The bucket field '{name}' must be an object.")


def _has_effect(value: object) -> bool:
    if isinstance(value, dict):
        return any(_has_effect(item) for item in value.values())
    return bool(value)


def check_labels(labels: object) -> None:
    """Raise 400 unless these can be labels; a null value removes one in a patch."""
    if not isinstance(labels, dict) or len(labels) > _MAX_LABELS:
        raise bad_request("labels must be a map of at most 64 entries.")
    for key, value in labels.items():
        if not _LABEL_KEY.fullmatch(key):
            raise bad_request(f"Invalid label key: '{key}'.")
        if value is not None and not _LABEL_VALUE.fullmatch(str(value)):
            raise bad_request(f"Invalid value '{value}' for the label '{key}'.")


def _check_encryption(value: Json) -> None:
    for name, inner in value.items():
        if name == "defaultKmsKeyName":
            if not isinstance(inner, str | None):
                raise bad_request("encryption.defaultKmsKeyName must be text.")
        elif _has_effect(inner):
            raise not_emulated(f"the bucket field 'encryption.{name}'")


def _check_class(value: object) -> None:
    if value not in STORAGE_CLASSES:
        raise bad_request(f"Invalid storage class: '{value}'.")


def _check_soft_delete(value: Json) -> None:
    seconds = _seconds(value.get("retentionDurationSeconds", 0), "softDeletePolicy")
    if seconds and not _SOFT_DELETE_MIN_S <= seconds <= _SOFT_DELETE_MAX_S:
        raise bad_request("Soft delete retention must be 0, or 7 to 90 days.")


def _check_retention(value: Json) -> None:
    seconds = _seconds(value.get("retentionPeriod"), "retentionPolicy")
    if seconds <= 0:
        raise bad_request("retentionPolicy.retentionPeriod must be at least one second.")
    if seconds > _RETENTION_MAX_S:
        raise bad_request("retentionPolicy.retentionPeriod must be at most 100 years.")


def _check_iam(value: Json) -> None:
    prevention = value.get("publicAccessPrevention", "inherited")
    if prevention not in {"inherited", "enforced", "unspecified"}:
        raise bad_request(f"Invalid publicAccessPrevention: '{prevention}'.")
    uniform = value.get("uniformBucketLevelAccess") or {}
    if not isinstance(uniform.get("enabled", False), bool):
        raise bad_request("uniformBucketLevelAccess.enabled must be a boolean.")


def _check_versioning(value: Json) -> None:
    if not isinstance(value.get("enabled", False), bool):
        raise bad_request("versioning.enabled must be a boolean.")


def _check_hold(value: object) -> None:
    if not isinstance(value, bool):
        raise bad_request("defaultEventBasedHold must be a boolean.")


def _check_rpo(value: object) -> None:
    # DEFAULT is what every bucket but a dual-region one with turbo replication has
    if value != "DEFAULT":
        raise not_emulated(f"the recovery point objective (rpo) '{value}'")


def _seconds(value: object, field: str) -> int:
    number = int64(value)
    if number is None:
        raise bad_request(f"Invalid number of seconds in {field}: '{value}'.")
    return number


_CHECKS = {
    "labels": check_labels,
    "lifecycle": check_lifecycle,
    "storageClass": _check_class,
    "softDeletePolicy": _check_soft_delete,
    "retentionPolicy": _check_retention,
    "iamConfiguration": _check_iam,
    "versioning": _check_versioning,
    "rpo": _check_rpo,
    "encryption": _check_encryption,
    "defaultEventBasedHold": _check_hold,
}
