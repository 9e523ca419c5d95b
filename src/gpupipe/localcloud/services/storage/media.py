"""Object data for download: whole or a range, with the headers that clients check."""

from email.utils import format_datetime
from urllib.parse import quote

from gpupipe.localcloud.services.storage import preconditions
from gpupipe.localcloud.services.storage.blobs import Blobs
from gpupipe.localcloud.services.storage.message import Download, Inbound, Reply
from gpupipe.localcloud.services.storage.objects import Objects
from gpupipe.localcloud.services.storage.ranges import Span, requested
from gpupipe.localcloud.services.storage.refusals import no_object, not_emulated
from gpupipe.localcloud.services.storage.rows import Version, versions_of
from gpupipe.localcloud.services.storage.times import parse

_COPIED = {
    "contentType": "Content-Type",
    "contentDisposition": "Content-Disposition",
    "contentLanguage": "Content-Language",
    "contentEncoding": "Content-Encoding",
}


class Media:
    """Serves object data."""

    def __init__(self, objects: Objects, blobs: Blobs) -> None:
        self._objects = objects
        self._blobs = blobs

    def get(self, request: Inbound) -> Reply | Download:
        """objects.get: the resource, or with alt=media the data."""
        if request.query.get("alt") == "media":
            return self.download(request)
        return self._objects.get(request)

    def download(self, request: Inbound) -> Download:
        """The data of the version that the request names."""
        found = self._objects.find(request)
        preconditions.from_query(request).check_read(versions_of(found))
        _check_encoding(request, found)
        span = requested(request.headers.get("range"), found.size)
        try:
            file = self._blobs.open(found.blob)
        except FileNotFoundError as error:
            # deleted between the two lines
            raise no_object(found.bucket, found.name) from error
        headers = _headers(found)
        if span is None:
            return Download(200, headers, file, 0, found.size)
        headers["Content-Range"] = _content_range(span, found.size)
        return Download(206, headers, file, span.start, span.length)


def _check_encoding(request: Inbound, found: Version) -> None:
    encoding = found.body.get("contentEncoding", "")
    if encoding == "gzip" and "gzip" not in request.headers.get("accept-encoding", ""):
        raise not_emulated(
            "decompressive transcoding: ask for this object with Accept-Encoding: gzip"
        )


def _headers(found: Version) -> dict[str, str]:
    body = found.body
    hashes = f"crc32c={body['crc32c']}"
    if "md5Hash" in body:
        hashes += f",md5={body['md5Hash']}"
    headers = {
        "Accept-Ranges": "bytes",
        "Cache-Control": body.get("cacheControl", "private, max-age=0"),
        "ETag": versions_of(found).etag,
        "Last-Modified": format_datetime(parse(body["updated"]), usegmt=True),
        "X-Goog-Generation": str(found.generation),
        "X-Goog-Metageneration": str(found.metageneration),
        "X-Goog-Hash": hashes,
        "X-Goog-Storage-Class": body["storageClass"],
        "X-Goog-Stored-Content-Encoding": body.get("contentEncoding", "identity"),
        "X-Goog-Stored-Content-Length": str(found.size),
    }
    headers |= {header: body[key] for key, header in _COPIED.items() if key in body}
    headers |= {f"X-Goog-Meta-{k}": v for k, v in body.get("metadata", {}).items() if k.isascii()}
    # headers are Latin-1 on the wire
    return {k: v if v.isascii() else quote(v) for k, v in headers.items() if _is_token(k)}


def _is_token(name: str) -> bool:
    return all(c.isalnum() or c in "!#$%&'*+-.^_`|~" for c in name)


def _content_range(span: Span, size: int) -> str:
    return f"bytes {span.start}-{span.start + span.length - 1}/{size}"
