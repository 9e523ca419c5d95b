"""objects.copy, rewrite and compose: new objects from stored ones.

A copy shares the file of its source; a composed object is a new file and has no MD5.
"""

from collections.abc import Iterator

from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.services.storage import access, fields, preconditions, rewrites
from gpupipe.localcloud.services.storage.blobs import Blob, Blobs, read_chunks
from gpupipe.localcloud.services.storage.buckets import Buckets
from gpupipe.localcloud.services.storage.message import Inbound, Json, Reply
from gpupipe.localcloud.services.storage.names import check_object_name
from gpupipe.localcloud.services.storage.numbers import int64
from gpupipe.localcloud.services.storage.objects import Objects
from gpupipe.localcloud.services.storage.preconditions import Preconditions
from gpupipe.localcloud.services.storage.refusals import bad_request, not_emulated, required
from gpupipe.localcloud.services.storage.rows import Version, versions_of
from gpupipe.localcloud.services.storage.shapes import check_known
from gpupipe.localcloud.services.storage.writes import NewObject, Writer, digest_of

_MAX_SOURCES = 32
_REWRITE_UNIT = 1 << 20


class Copies:
    """Makes objects of objects."""

    def __init__(
        self, kernel: Kernel, buckets: Buckets, objects: Objects, writer: Writer, blobs: Blobs
    ) -> None:
        self._kernel = kernel
        self._buckets = buckets
        self._objects = objects
        self._writer = writer
        self._blobs = blobs

    def copy(self, request: Inbound) -> Reply:
        """objects.copy: answers the new resource."""
        return Reply(body=fields.present(self._copy(request, request.json()), request.base))

    def rewrite(self, request: Inbound) -> Reply:
        """objects.rewrite: in one call, or in steps when the caller limits the bytes per call."""
        sent = request.json()
        unfinished = self._step(request, sent)
        if unfinished is not None:
            return Reply(body=unfinished)
        version = self._copy(request, sent)
        body: Json = {
            "kind": "storage#rewriteResponse",
            "totalBytesRewritten": str(version.size),
            "objectSize": str(version.size),
            "done": True,
            "resource": fields.present(version, request.base),
        }
        return Reply(body=body)

    def compose(self, request: Inbound) -> Reply:
        """objects.compose: up to 32 objects of one bucket, one after the other."""
        body = request.json()
        check_known(body, "compose")
        if body.get("deleteSourceObjects"):
            raise not_emulated("deleteSourceObjects of compose")
        destination: Json = body.get("destination") or {}
        fields.check_fields(destination)
        access.require(self._kernel, request.caller, "storage.objects.get", request.bucket)
        sources = self._sources(request, body.get("sourceObjects") or [])
        new = NewObject(
            request.caller,
            request.bucket,
            check_object_name(request.object),
            destination,
            preconditions.from_query(request),
        )
        self._writer.check(new)
        blob = self._blobs.store(self._read_all(sources), composite=True)
        count = sum(int(source.body.get("componentCount", 1)) for source in sources)
        try:
            version = self._writer.commit(new, blob, components=count)
        except BaseException:
            self._blobs.remove(blob.name)
            raise
        return Reply(body=fields.present(version, request.base))

    def _copy(self, request: Inbound, body: Json) -> Version:
        fields.check_fields(body)
        bucket, name = request.path["destination_bucket"], request.path["destination_object"]
        check_object_name(name)
        access.require(self._kernel, request.caller, "storage.objects.create", bucket)
        with self._kernel.database.transaction():
            source = self._objects.find(request, request.integer("sourceGeneration"))
            preconditions.from_query(request, "ifSource").check_write(versions_of(source))
            wanted = preconditions.from_query(request)
            new = NewObject(request.caller, bucket, name, _merged(source, body), wanted)
            return self._writer.commit(
                new,
                Blob(source.blob, digest_of(source)),
                components=source.body.get("componentCount"),
            )

    def _step(self, request: Inbound, sent: Json) -> Json | None:
        """The answer of a rewrite that needs another call, or None for the one that ends it.

        A copy shares its data here, so there is nothing to move: the token counts the bytes that
        Google would have moved, between other locations or classes only.
        """
        limit = request.integer("maxBytesRewrittenPerCall")
        token = request.query.get("rewriteToken", "")
        if limit is None and not token:
            return None
        if limit is not None and (limit <= 0 or limit % _REWRITE_UNIT):
            raise bad_request("maxBytesRewrittenPerCall must be a positive multiple of 1 MiB.")
        source = self._objects.find(request, request.integer("sourceGeneration"))
        done = rewrites.done(token, source) + (limit or source.size)
        if done >= source.size or not self._moves(request, sent, source):
            return None
        return {
            "kind": "storage#rewriteResponse",
            "totalBytesRewritten": str(done),
            "objectSize": str(source.size),
            "done": False,
            "rewriteToken": rewrites.token(source, done),
        }

    def _moves(self, request: Inbound, sent: Json, source: Version) -> bool:
        """Whether the data would have to be moved: to another location or class."""
        target = self._buckets.get(request.path["destination_bucket"])
        wanted = sent.get("storageClass") or target.body["storageClass"]
        home = self._buckets.get(source.bucket)
        return bool(
            target.body["location"] != home.body["location"]
            or wanted != source.body["storageClass"]
        )

    def _sources(self, request: Inbound, listed: list[Json]) -> list[Version]:
        if not listed:
            raise required("sourceObjects")
        if len(listed) > _MAX_SOURCES:
            raise bad_request(
                f"The number of source components provided ({len(listed)}) exceeds the maximum "
                f"({_MAX_SOURCES})"
            )
        return [self._source(request, item) for item in listed]

    def _source(self, request: Inbound, item: Json) -> Version:
        generation = item.get("generation")
        found = self._objects.named(
            request,
            request.bucket,
            str(item.get("name")),
            _number(generation),
            soft=False,
        )
        match = (item.get("objectPreconditions") or {}).get("ifGenerationMatch")
        wanted = Preconditions(_number(match))
        wanted.check_write(versions_of(found))
        return found

    def _read_all(self, sources: list[Version]) -> Iterator[bytes]:
        for source in sources:
            with self._blobs.open(source.blob) as file:
                yield from read_chunks(file)


def _number(value: object) -> int | None:
    if value is None:
        return None
    number = int64(value)
    if number is None:
        raise bad_request(f"Invalid generation: '{value}'.")
    return number


def _merged(source: Version, body: Json) -> Json:
    sent = fields.written(body)
    kept = sent or fields.written(
        {k: v for k, v in source.body.items() if k not in {"temporaryHold", "eventBasedHold"}}
    )
    storage_class = body.get("storageClass")
    return {**kept, "storageClass": storage_class} if storage_class else kept
