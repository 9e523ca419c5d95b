"""POST /batch/storage/v1: up to 100 calls without media in one `multipart/mixed` request."""

from collections.abc import Iterator
from dataclasses import dataclass
from email.parser import BytesParser
from http import HTTPStatus
from http.client import HTTPMessage
from io import BytesIO
from urllib.parse import parse_qs, urlsplit

from starlette.responses import Response

from gpupipe.localcloud.services.storage.refusals import bad_request, not_emulated

PATH = "/batch/storage/v1"
MAX_CALLS = 100
MAX_BYTES = 10 << 20
_VERBS = {"GET", "POST", "PUT", "PATCH", "DELETE"}
_BOUNDARY = "batch_of_gpupipe"


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a batch; `target` is its path with its query."""

    id: str
    verb: str
    target: str
    headers: HTTPMessage
    body: bytes


def calls(content_type: str, data: bytes) -> list[Call]:
    """The calls in a batch's body; 400 for what is not a batch."""
    head = f"Content-Type: {content_type}\nMIME-Version: 1.0\n\n".encode("latin-1")
    message = BytesParser().parsebytes(head + data)
    parts = [part for part in message.walk() if part is not message]
    if not message.is_multipart():
        raise bad_request("A batch is a body of type multipart/mixed.", "badRequest")
    if len(parts) > MAX_CALLS:
        raise bad_request(f"The batch has {len(parts)} calls; at most {MAX_CALLS} are allowed.")
    return [
        _call(str(part.get("Content-ID", "")), bytes(part.get_payload(decode=True) or b""))
        for part in parts
    ]


def answer(answered: Iterator[tuple[Call, Response]]) -> Response:
    """One answer of the answers to all calls, in their order."""
    body = b"".join(_part(call, response) for call, response in answered)
    ended = f"--{_BOUNDARY}--\r\n".encode()
    return Response(body + ended, media_type=f"multipart/mixed; boundary={_BOUNDARY}")


def _call(content_id: str, data: bytes) -> Call:
    stream = BytesIO(data.lstrip())
    verb, _, rest = stream.readline().decode("latin-1").partition(" ")
    target = urlsplit(rest.split(" ")[0].strip())
    if verb not in _VERBS:
        raise bad_request("A part of the batch has no request line.", "badRequest")
    headers = BytesParser(_class=HTTPMessage).parse(_head(stream))
    is_json = target.path.startswith("/storage/v1/")
    if not is_json or "media" in parse_qs(target.query).get("alt", ()):
        raise not_emulated("uploads, downloads and other APIs in a batch")
    return Call(content_id, verb, f"{target.path}?{target.query}", headers, stream.read())


def _head(stream: BytesIO) -> BytesIO:
    """The header lines, so that the body stays as it was sent."""
    lines = bytearray()
    while line := stream.readline():
        lines += line
        if not line.strip():
            break
    return BytesIO(bytes(lines))


def _part(call: Call, response: Response) -> bytes:
    answered_id = f"<response-{call.id.strip('<>')}>"
    phrase = HTTPStatus(response.status_code).phrase
    lines = [
        f"--{_BOUNDARY}",
        "Content-Type: application/http",
        f"Content-ID: {answered_id}",
        "",
        f"HTTP/1.1 {response.status_code} {phrase}",
        *(f"{name}: {value}" for name, value in response.headers.items()),
        "",
        "",
    ]
    return "\r\n".join(lines).encode("latin-1") + bytes(response.body) + b"\r\n"
