"""Which fields the messages below a request's body have; any other is 400 with its path."""

from collections.abc import Mapping

from gpupipe.localcloud.services.storage.refusals import bad_request

_SWITCH = frozenset({"enabled", "lockedTime"})
_KNOWN: Mapping[str, frozenset[str]] = {
    "versioning": frozenset({"enabled"}),
    "encryption": frozenset(
        {
            "defaultKmsKeyName",
            "customerManagedEncryptionEnforcementConfig",
            "customerSuppliedEncryptionEnforcementConfig",
            "googleManagedEncryptionEnforcementConfig",
        }
    ),
    "softDeletePolicy": frozenset({"retentionDurationSeconds", "effectiveTime"}),
    "retentionPolicy": frozenset({"retentionPeriod", "effectiveTime", "isLocked"}),
    "iamConfiguration": frozenset(
        {"uniformBucketLevelAccess", "bucketPolicyOnly", "publicAccessPrevention"}
    ),
    "iamConfiguration.uniformBucketLevelAccess": _SWITCH,
    "iamConfiguration.bucketPolicyOnly": _SWITCH,
    "lifecycle": frozenset({"rule"}),
    "lifecycle.rule": frozenset({"action", "condition"}),
    "lifecycle.rule.action": frozenset({"type", "storageClass"}),
    "compose": frozenset({"kind", "destination", "sourceObjects", "deleteSourceObjects"}),
    "compose.sourceObjects": frozenset({"name", "generation", "objectPreconditions"}),
    "compose.sourceObjects.objectPreconditions": frozenset({"ifGenerationMatch"}),
}


def check_known(value: object, path: str) -> None:
    """Raise 400 unless a message (or each of a list) has known fields only, also below.

    path: its place, one of the table's; what has no place there is checked where it is read.
    """
    if value is None or path not in _KNOWN:
        return
    for message in value if isinstance(value, list) else [value]:
        if not isinstance(message, dict):
            raise bad_request(f"The field '{path}' must be an object.")
        for name, below in message.items():
            place = f"{path}.{name}"
            if name not in _KNOWN[path]:
                raise bad_request(f"Unknown field: '{place}'.")
            check_known(below, place)
