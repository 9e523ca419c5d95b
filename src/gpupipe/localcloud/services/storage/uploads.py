"""objects.insert in one request: `media` (the body is the data) and `multipart`."""

from collections.abc import Iterator
from dataclasses import dataclass

from gpupipe.localcloud.services.storage import fields
from gpupipe.localcloud.services.storage.blobs import Blobs
from gpupipe.localcloud.services.storage.checksums import sent, verify
from gpupipe.localcloud.services.storage.insert import new_object
from gpupipe.localcloud.services.storage.message import Inbound, Json, Reply
from gpupipe.localcloud.services.storage.multipart import parse_related
from gpupipe.localcloud.services.storage.refusals import bad_request
from gpupipe.localcloud.services.storage.resumable import Resumable
from gpupipe.localcloud.services.storage.rows import Version
from gpupipe.localcloud.services.storage.writes import Writer


@dataclass(frozen=True, slots=True)
class _Upload:
    metadata: Json
    content_type: str | None
    data: Iterator[bytes]


class Uploads:
    """Takes in objects."""

    def __init__(self, writer: Writer, blobs: Blobs, resumable: Resumable) -> None:
        self._writer = writer
        self._blobs = blobs
        self._resumable = resumable

    def insert(self, request: Inbound) -> Reply:
        """objects.insert of any upload type."""
        kind = request.query.get("uploadType", "")
        if kind == "resumable":
            return self._resumable.start(request)
        # Without a type the body is the data: Google's workflows-demos/gcs-read-write-json does so.
        if kind in {"", "media"}:
            upload = _Upload({}, request.headers.get("content-type"), request.body)
        elif kind == "multipart":
            parts = parse_related(request.headers.get("content-type", ""), request.body)
            upload = _Upload(parts.metadata, parts.content_type, parts.data)
        else:
            raise bad_request(f"Invalid uploadType: '{kind}'.")
        return Reply(body=fields.present(self._store(request, upload), request.base))

    def _store(self, request: Inbound, upload: _Upload) -> Version:
        new = new_object(request, upload.metadata, upload.content_type)
        self._writer.check(new)
        blob = self._blobs.store(upload.data)
        try:
            verify(sent(upload.metadata, request.headers), blob.digest)
            return self._writer.commit(new, blob)
        except BaseException:
            self._blobs.remove(blob.name)
            raise
