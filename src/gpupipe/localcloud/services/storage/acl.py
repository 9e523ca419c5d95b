"""Access control lists: not emulated; on a bucket with uniform access refused as Google does."""

from collections.abc import Mapping
from typing import NoReturn

from gpupipe.localcloud.services.storage.buckets import Bucket, Buckets
from gpupipe.localcloud.services.storage.message import Inbound
from gpupipe.localcloud.services.storage.refusals import StorageError, bad_request, not_emulated

_READ_MORE = "Read more at https://cloud.google.com/storage/docs/uniform-bucket-level-access"
_PARAMETERS = ("predefinedAcl", "destinationPredefinedAcl", "predefinedDefaultObjectAcl")
VERBS = {"GET": "get", "POST": "insert", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


class AccessControls:
    """Every method of bucketAccessControls, defaultObjectAccessControls, objectAccessControls."""

    def __init__(self, buckets: Buckets) -> None:
        self._buckets = buckets

    def of_bucket(self, request: Inbound) -> NoReturn:
        """bucketAccessControls.* and defaultObjectAccessControls.*."""
        if self._buckets.get(request.bucket).uniform:
            raise _refused(
                "Cannot get legacy ACL for a bucket that has uniform bucket-level access."
            )
        raise not_emulated("access control lists (acl, defaultObjectAcl): use IAM")

    def of_object(self, request: Inbound) -> NoReturn:
        """objectAccessControls.*."""
        if self._buckets.get(request.bucket).uniform:
            raise _refused(
                "Cannot get legacy ACL for an object when uniform bucket-level access is enabled."
            )
        raise not_emulated("access control lists (acl): use IAM")


def check_parameters(bucket: Bucket, query: Mapping[str, str]) -> None:
    """Raise 400 for a predefined ACL in a call on a bucket with uniform access."""
    if bucket.uniform and any(query.get(name) for name in _PARAMETERS):
        raise _refused(
            "Cannot insert legacy ACL for an object when uniform bucket-level access is enabled."
        )


def _refused(what: str) -> StorageError:
    return bad_request(f"{what} {_READ_MORE}")
