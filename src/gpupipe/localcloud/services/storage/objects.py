"""objects.get, list, patch, update, delete, restore: the metadata side of objects."""

from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.services.storage import access, fields, preconditions, protection
from gpupipe.localcloud.services.storage.blobs import Blob
from gpupipe.localcloud.services.storage.buckets import Buckets
from gpupipe.localcloud.services.storage.events import Kind, publish
from gpupipe.localcloud.services.storage.listing import collect, query_of
from gpupipe.localcloud.services.storage.message import Inbound, Json, Reply
from gpupipe.localcloud.services.storage.refusals import forbidden, no_object, required
from gpupipe.localcloud.services.storage.rows import Rows, State, Version, versions_of
from gpupipe.localcloud.services.storage.times import rfc3339
from gpupipe.localcloud.services.storage.writes import NewObject, Writer, digest_of


class Objects:
    """Reads and changes object resources."""

    def __init__(self, kernel: Kernel, buckets: Buckets, rows: Rows, writer: Writer) -> None:
        self._kernel = kernel
        self._buckets = buckets
        self._rows = rows
        self._writer = writer

    def find(self, request: Inbound, generation: int | None = None) -> Version:
        """The version that a request names, or 404; 403 for one who may not list."""
        wanted = request.integer("generation") if generation is None else generation
        soft = request.flag("softDeleted") if "softDeleted" in request.query else False
        if soft and wanted is None:
            raise required("generation")
        return self.named(request, request.bucket, request.object, wanted, soft=soft)

    def named(
        self, request: Inbound, bucket: str, name: str, generation: int | None, *, soft: bool
    ) -> Version:
        """A version by its parts; `soft` asks for a soft-deleted one."""
        self._buckets.get(bucket)
        found = (
            self._rows.live(bucket, name)
            if generation is None
            else self._rows.version(bucket, name, generation)
        )
        if found is None or (found.state is State.SOFT_DELETED) != soft:
            # docs: without storage.objects.list the caller may not learn that it is missing
            if not access.may(self._kernel, request.caller, "storage.objects.list", bucket):
                raise forbidden(request.caller.email, "storage.objects.get")
            raise no_object(bucket, name)
        return found

    def get(self, request: Inbound) -> Reply:
        """The resource of one version."""
        found = self.find(request)
        preconditions.from_query(request).check_read(versions_of(found))
        return Reply(body=fields.present(found, request.base))

    def list(self, request: Inbound) -> Reply:
        """One page of a bucket."""
        self._buckets.get(request.bucket)
        query = query_of(request)
        page = collect(
            query,
            lambda position, limit: self._rows.scan(
                request.bucket, query.states, after=position, until=query.until, limit=limit
            ),
        )
        body: Json = {"kind": "storage#objects"}
        if page.items:
            body["items"] = [fields.present(version, request.base) for version in page.items]
        if page.prefixes:
            body["prefixes"] = page.prefixes
        if page.next_token:
            body["nextPageToken"] = page.next_token
        return Reply(body=body)

    def patch(self, request: Inbound) -> Reply:
        """Change the fields that the body names."""
        return self._change(request, replace_all=False)

    def update(self, request: Inbound) -> Reply:
        """Replace all writable fields."""
        return self._change(request, replace_all=True)

    def delete(self, request: Inbound) -> Reply:
        """Delete: the live version becomes noncurrent in a versioned bucket, others are removed."""
        with self._kernel.database.transaction():
            bucket = self._buckets.get(request.bucket)
            found = self.find(request)
            preconditions.from_query(request).check_write(versions_of(found))
            protection.check(found, self._kernel.clock.now())
            versioned = bucket.versioned and "generation" not in request.query
            self._writer.retire(bucket, found, versioned=versioned)
        return Reply(status=204)

    def restore(self, request: Inbound) -> Reply:
        """Make a new live version from a soft-deleted one, which stays until its time."""
        generation = request.integer("generation")
        if generation is None:
            raise required("generation")
        with self._kernel.database.transaction():
            found = self.named(request, request.bucket, request.object, generation, soft=True)
            new = NewObject(
                request.caller,
                request.bucket,
                request.object,
                found.body,
                preconditions.from_query(request),
            )
            access.require(self._kernel, request.caller, "storage.objects.create", request.bucket)
            version = self._writer.commit(
                new,
                Blob(found.blob, digest_of(found)),
                components=found.body.get("componentCount"),
            )
        return Reply(body=fields.present(version, request.base))

    def _change(self, request: Inbound, *, replace_all: bool) -> Reply:
        body = request.json()
        fields.check_fields(body)
        with self._kernel.database.transaction():
            found = self.find(request)
            preconditions.from_query(request).check_write(versions_of(found))
            fields.check_class(found, body)
            changes = fields.replaced(body) if replace_all else fields.patched(found, body)
            fields.check_custom_time(found, changes)
            now = self._kernel.clock.now()
            changed = found.with_body(
                **changes,
                metageneration=str(found.metageneration + 1),
                updated=rfc3339(now),
            )
            bucket = self._buckets.get(request.bucket)
            changed = protection.retained(bucket, protection.released(found, changed, now))
            self._rows.change(changed)
            publish(self._kernel, Kind.METADATA_UPDATED, changed)
        return Reply(body=fields.present(changed, request.base))
