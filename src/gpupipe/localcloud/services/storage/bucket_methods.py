"""buckets.* and projects.serviceAccount as methods of the API."""

from urllib.parse import quote

from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.services.storage import preconditions, protection
from gpupipe.localcloud.services.storage.buckets import (
    KIND,
    Bucket,
    Buckets,
    resource_of,
    versions_of,
)
from gpupipe.localcloud.services.storage.iam import BucketPolicies
from gpupipe.localcloud.services.storage.listing import asked, limit_of, token_of
from gpupipe.localcloud.services.storage.message import Inbound, Json, Reply
from gpupipe.localcloud.services.storage.notifications import Notifications
from gpupipe.localcloud.services.storage.refusals import StorageError, required
from gpupipe.localcloud.services.storage.rows import Rows
from gpupipe.localcloud.store.paging import sealed


class BucketMethods:
    """What the routes of buckets call."""

    def __init__(
        self,
        kernel: Kernel,
        buckets: Buckets,
        rows: Rows,
        policies: BucketPolicies,
        notifications: Notifications,
    ) -> None:
        self._kernel = kernel
        self._buckets = buckets
        self._rows = rows
        self._policies = policies
        self._notifications = notifications

    def insert(self, request: Inbound) -> Reply:
        """buckets.insert."""
        project = request.query["project"]
        with self._kernel.database.transaction():
            bucket = self._buckets.insert(project, request.json())
            self._policies.grant_defaults(bucket)
        return Reply(body=self._buckets.present(bucket))

    def get(self, request: Inbound) -> Reply:
        """buckets.get."""
        bucket = self._buckets.get(request.bucket)
        preconditions.from_query(request).check_read(versions_of(bucket))
        return Reply(body=self._buckets.present(bucket))

    def list(self, request: Inbound) -> Reply:
        """buckets.list: one page of a project's buckets."""
        project = request.query["project"]
        prefix = request.query.get("prefix", "")
        after, size = token_of(request), limit_of(request)
        found = [
            bucket
            for bucket in self._buckets.all(self._project_id(project))
            if bucket.name.startswith(prefix) and bucket.name > after
        ]
        body: Json = {"kind": "storage#buckets"}
        if found:
            body["items"] = [self._buckets.present(bucket) for bucket in found[:size]]
        if len(found) > size:
            body["nextPageToken"] = sealed(found[size - 1].name, asked(request))
        return Reply(body=body)

    def patch(self, request: Inbound) -> Reply:
        """buckets.patch."""
        return self._change(request, replace=False)

    def update(self, request: Inbound) -> Reply:
        """buckets.update."""
        return self._change(request, replace=True)

    def delete(self, request: Inbound) -> Reply:
        """buckets.delete: only without live and noncurrent objects; soft-deleted ones go along."""
        with self._kernel.database.transaction():
            bucket = self._buckets.get(request.bucket)
            preconditions.from_query(request).check_write(versions_of(bucket))
            if self._rows.holds_any(bucket.name):
                raise StorageError(409, "conflict", "The bucket you tried to delete is not empty.")
            for version in self._rows.all_of(bucket.name):
                self._rows.remove(version)
            self._notifications.forget(bucket.name)
            self._kernel.policies.delete(resource_of(bucket.name))
            self._kernel.resources.delete(KIND, resource_of(bucket.name))
        return Reply(status=204)

    def lock_retention(self, request: Inbound) -> Reply:
        """buckets.lockRetentionPolicy: only with the metageneration that the caller has seen."""
        if request.integer("ifMetagenerationMatch") is None:
            raise required("ifMetagenerationMatch")
        bucket = self._buckets.lock_retention(request.bucket, preconditions.from_query(request))
        return Reply(body=self._buckets.present(bucket))

    def layout(self, request: Inbound) -> Reply:
        """buckets.getStorageLayout."""
        bucket = self._buckets.get(request.bucket)
        body = {
            "kind": "storage#storageLayout",
            "bucket": bucket.name,
            "location": bucket.body["location"],
            "locationType": bucket.body["locationType"],
        }
        return Reply(body=body)

    def folders(self, request: Inbound) -> Reply:
        """managedFolders.list: none, since none can be made; clients ask before they delete."""
        self._buckets.get(request.bucket)
        return Reply(body={"kind": "storage#managedFolders"})

    def service_account(self, request: Inbound) -> Reply:
        """projects.serviceAccount.get: makes Cloud Storage's agent when it is not there yet."""
        project = self._project_id(request.path["project"])
        email = self._kernel.agents.create("storage.googleapis.com", project)
        body = {"kind": "storage#serviceAccount", "email_address": email}
        return Reply(body=body)

    def _change(self, request: Inbound, *, replace: bool) -> Reply:
        wanted = preconditions.from_query(request)
        with self._kernel.database.transaction():
            before = self._buckets.get(request.bucket)
            bucket = self._buckets.change(request.bucket, request.json(), wanted, replace=replace)
            if bucket.retention_s != before.retention_s:
                self._retain(bucket)
        return Reply(body=self._buckets.present(bucket))

    def _retain(self, bucket: Bucket) -> None:
        """Give every object the expiration of the new policy, which counts for those that exist."""
        for version in self._rows.all_of(bucket.name):
            self._rows.change(protection.retained(bucket, version))

    def _project_id(self, named: str) -> str:
        project = self._kernel.projects.get(named)
        if project is None:
            raise StorageError(400, "invalid", f"Unknown project id: {quote(named)}")
        return project.id
