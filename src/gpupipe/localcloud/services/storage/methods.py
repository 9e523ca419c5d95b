"""Every method that is emulated, as one table. To add one: its row here, its handler beside.

Permissions: docs `storage/docs/access-control/iam-json`; the second check that some methods make
(overwriting, the other side of a copy) is in their handlers.
"""

from collections.abc import Iterator
from functools import partial

from gpupipe.localcloud.services.storage import preconditions
from gpupipe.localcloud.services.storage.acl import VERBS, AccessControls
from gpupipe.localcloud.services.storage.bucket_methods import BucketMethods
from gpupipe.localcloud.services.storage.copies import Copies
from gpupipe.localcloud.services.storage.iam import BucketPolicies
from gpupipe.localcloud.services.storage.media import Media
from gpupipe.localcloud.services.storage.notifications import Notifications
from gpupipe.localcloud.services.storage.objects import Objects
from gpupipe.localcloud.services.storage.resumable import Resumable
from gpupipe.localcloud.services.storage.routes import Handler, Method
from gpupipe.localcloud.services.storage.uploads import Uploads

_IF = preconditions.NAMES
_IF_META = frozenset({"ifMetagenerationMatch", "ifMetagenerationNotMatch"})
_PAGE = frozenset({"maxResults", "pageToken", "prefix"})
_LIST = _PAGE | {
    "delimiter",
    "startOffset",
    "endOffset",
    "includeTrailingDelimiter",
    "versions",
    "softDeleted",
    "matchGlob",
    # There are no folders but those that names of objects suggest.
    "includeFoldersAsPrefixes",
}
_FOLDERS = frozenset({"prefix", "pageToken", "pageSize"})
_COPY = (
    _IF
    | preconditions.SOURCE_NAMES
    | {"sourceGeneration", "maxBytesRewrittenPerCall", "rewriteToken"}
)
_VERSION = _IF | {"generation"}
_NONE: frozenset[str] = frozenset()
_BUCKET, _OBJECT = "b/{bucket}", "b/{bucket}/o/{object}"
_CONFIG = "b/{bucket}/notificationConfigs"
_TARGET = "b/{destination_bucket}/o/{destination_object}"
_UPLOAD, _DOWNLOAD = "/upload/storage/v1", "/download/storage/v1"


def bucket_rows(buckets: BucketMethods, policies: BucketPolicies) -> Iterator[Method]:
    """buckets.*, managedFolders.list and projects.serviceAccount."""
    project, policy = frozenset({"project"}), frozenset({"optionsRequestedPolicyVersion"})
    yield _write(
        "POST b", "buckets.insert", "buckets.create", buckets.insert, project, required=project
    )
    yield _read(
        "GET b", "buckets.list", "buckets.list", buckets.list, project | _PAGE, required=project
    )
    yield _read(f"GET {_BUCKET}", "buckets.get", "buckets.get", buckets.get, _IF_META)
    yield _write(f"PATCH {_BUCKET}", "buckets.patch", "buckets.update", buckets.patch, _IF_META)
    yield _write(f"PUT {_BUCKET}", "buckets.update", "buckets.update", buckets.update, _IF_META)
    yield _write(f"DELETE {_BUCKET}", "buckets.delete", "buckets.delete", buckets.delete, _IF_META)
    yield _write(
        f"POST {_BUCKET}/lockRetentionPolicy",
        "buckets.lockRetentionPolicy",
        "buckets.update",
        buckets.lock_retention,
        _IF_META,
    )
    yield _read(
        f"GET {_BUCKET}/storageLayout", "buckets.getStorageLayout", "objects.list", buckets.layout
    )
    folders = f"{_BUCKET}/managedFolders"
    yield _read(
        f"GET {folders}", "managedFolders.list", "managedFolders.list", buckets.folders, _FOLDERS
    )
    iam = f"{_BUCKET}/iam"
    yield _read(f"GET {iam}", "buckets.getIamPolicy", "buckets.getIamPolicy", policies.get, policy)
    yield _write(f"PUT {iam}", "buckets.setIamPolicy", "buckets.setIamPolicy", policies.set)
    yield _read(
        f"GET {iam}/testPermissions",
        "buckets.testIamPermissions",
        "",
        policies.test,
        frozenset({"permissions"}),
    )
    # own knowledge: whoever can see the project may ask for its agent
    account = buckets.service_account
    yield Method(
        "GET",
        "projects/{project}/serviceAccount",
        "storage.projects.serviceAccount.get",
        "resourcemanager.projects.get",
        account,
    )


def acl_rows(acl: AccessControls) -> Iterator[Method]:
    """The methods of access control lists, which are all refused, and why."""
    lists = (
        (f"{_BUCKET}/acl", "bucketAccessControls", acl.of_bucket),
        (f"{_BUCKET}/defaultObjectAcl", "defaultObjectAccessControls", acl.of_bucket),
        (f"{_OBJECT}/acl", "objectAccessControls", acl.of_object),
    )
    for path, name, handler in lists:
        for verb, method in VERBS.items():
            for target in (path, f"{path}/{{entity}}"):
                yield _read(f"{verb} {target}", f"{name}.{method}", "", handler)


def notification_rows(notifications: Notifications) -> Iterator[Method]:
    """notifications.*."""
    one = f"{_CONFIG}/{{notification}}"
    yield _write(f"POST {_CONFIG}", "notifications.insert", "buckets.update", notifications.insert)
    yield _read(f"GET {_CONFIG}", "notifications.list", "buckets.get", notifications.list)
    yield _read(f"GET {one}", "notifications.get", "buckets.get", notifications.get)
    yield _write(f"DELETE {one}", "notifications.delete", "buckets.update", notifications.delete)


def object_rows(objects: Objects, media: Media, copies: Copies) -> Iterator[Method]:
    """objects.* but insert."""
    get = frozenset({"softDeleted"}) | _VERSION
    yield _read(f"GET {_BUCKET}/o", "objects.list", "objects.list", objects.list, _LIST)
    yield _read(f"GET {_OBJECT}", "objects.get", "objects.get", media.get, get)
    yield _read(f"GET {_OBJECT}", "objects.get", "objects.get", media.download, get, root=_DOWNLOAD)
    yield _write(f"PATCH {_OBJECT}", "objects.patch", "objects.update", objects.patch, _VERSION)
    yield _write(f"PUT {_OBJECT}", "objects.update", "objects.update", objects.update, _VERSION)
    yield _write(f"DELETE {_OBJECT}", "objects.delete", "objects.delete", objects.delete, _VERSION)
    yield _write(
        f"POST {_OBJECT}/restore", "objects.restore", "objects.restore", objects.restore, _VERSION
    )
    yield _write(
        f"POST {_OBJECT}/compose", "objects.compose", "objects.create", copies.compose, _IF
    )
    yield _write(
        f"POST {_OBJECT}/copyTo/{_TARGET}", "objects.copy", "objects.get", copies.copy, _COPY
    )
    yield _write(
        f"POST {_OBJECT}/rewriteTo/{_TARGET}",
        "objects.rewrite",
        "objects.get",
        copies.rewrite,
        _COPY,
    )


def upload_rows(uploads: Uploads, resumable: Resumable) -> Iterator[Method]:
    """objects.insert; a resumable session is continued and ended at its own address."""
    insert, create = "objects.insert", "objects.create"
    target, session = f"{_BUCKET}/o", frozenset({"upload_id", "name"})
    taken = _IF | {"name", "contentEncoding"}
    yield _write(f"POST {target}", insert, create, uploads.insert, taken, root=_UPLOAD)
    yield _write(f"PUT {target}", insert, create, resumable.put, session, root=_UPLOAD)
    yield _write(f"DELETE {target}", insert, create, resumable.cancel, session, root=_UPLOAD)


def _read(
    call: str,
    name: str,
    permission: str,
    handler: Handler,
    query: frozenset[str] = _NONE,
    root: str = "/storage/v1",
    *,
    writes: bool = False,
    required: frozenset[str] = _NONE,
) -> Method:
    verb, _, template = call.partition(" ")
    permission = permission and f"storage.{permission}"
    return Method(
        verb, template, f"storage.{name}", permission, handler, query, root, writes, required
    )


_write = partial(_read, writes=True)
