"""GoogleStore through the official client against a few Storage routes on loopback."""

import json
import logging
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from google.auth import credentials
from google.cloud import storage

from common.google_store import GoogleStore
from common.objects import ObjectRef
from common.problems import ProblemError
from common.store import ObjectExistsError, ObjectMissingError, StorageDeniedError


@dataclass
class Bucket:
    """Answers of the server and what it was asked."""

    status: int = 200
    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)
    requests: list[tuple[str, dict[str, list[str]], str | None]] = field(default_factory=list)
    together: threading.Barrier = field(default_factory=lambda: threading.Barrier(1))
    """So many requests have to be here before any is answered."""


class Handler(BaseHTTPRequestHandler):
    """Get metadata, get media (with a range), multipart upload."""

    protocol_version = "HTTP/1.1"
    bucket: Bucket

    def log_message(self, *arguments: Any) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = parse_qs(url.query)
        self.bucket.together.wait(60)
        if url.path == "/token":
            self.answer(200, {})
            return
        self.bucket.requests.append((url.path, query, self.headers.get("range")))
        name = unquote(url.path.rpartition("/o/")[2])
        if name not in self.bucket.objects:
            self.answer(404, {"error": {"message": "No such object"}})
        elif query.get("alt") == ["media"]:
            self.media(self.bucket.contents[name])
        else:
            self.answer(200, self.bucket.objects[name])

    def do_POST(self) -> None:
        url = urlsplit(self.path)
        self.bucket.requests.append((url.path, parse_qs(url.query), None))
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.bucket.status != 200:
            self.answer(self.bucket.status, {"error": {"message": "no"}})
            return
        boundary = re.search(r'boundary="([^"]+)"', self.headers["content-type"])
        assert boundary
        _, first, second, _ = body.split(b"--" + boundary[1].encode())
        resource = json.loads(first.split(b"\r\n\r\n", 1)[1])
        head, content = second.split(b"\r\n\r\n", 1)
        data = content.removesuffix(b"\r\n")
        resource |= {"generation": "7", "size": str(len(data)), "bucket": "b"}
        resource["contentType"] = head.partition(b": ")[2].decode()
        self.bucket.contents[resource["name"]] = data
        self.bucket.objects[resource["name"]] = resource
        self.answer(200, {k: v for k, v in resource.items() if k != "crc32c"})

    def media(self, content: bytes) -> None:
        if found := re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("range", "")):
            start, end = int(found[1]), int(found[2])
            extra = {"content-range": f"bytes {start}-{end}/{len(content)}"}
            self.send(206, content[start : end + 1], extra)
        else:
            self.send(200, content, {})

    def answer(self, status: int, body: Any) -> None:
        self.send(status, json.dumps(body).encode(), {"content-type": "application/json"})

    def send(self, status: int, data: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in (headers | {"content-length": str(len(data))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


@pytest.fixture
def bucket() -> Bucket:
    return Bucket()


@pytest.fixture
def server(bucket: Bucket) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"bucket": bucket}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


class Stale(credentials.Credentials):
    """Ask for a token before every call."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self._address = address

    @property
    def valid(self) -> bool:
        return False

    def refresh(self, request: Any) -> None:
        request(self._address, "GET")
        self.token = "token"


@pytest.fixture
def store(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[GoogleStore]:
    # As the images set it; without it the library asks for the bucket from a thread of its own.
    monkeypatch.setenv("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true")
    client = storage.Client(
        project="p", credentials=Stale(f"{server}/token"), client_options={"api_endpoint": server}
    )
    yield GoogleStore(client)
    client.close()


def test_write_stat_and_read(store: GoogleStore, bucket: Bucket) -> None:
    name = "results/ä b.txt.7.json"
    info = store.create(
        "b", name, b'{"a":1}', "application/json", {"gpupipe-input-generation": "5"}
    )
    assert info.ref == ObjectRef("b", name, "7")
    assert bucket.requests[-1][1]["ifGenerationMatch"] == ["0"]
    seen = store.stat("b", name, "7")
    assert seen.metadata == {"gpupipe-input-generation": "5"}
    assert (seen.size, seen.content_type) == (7, "application/json")
    assert bucket.requests[-1][1]["generation"] == ["7"]
    assert store.read(seen.ref) == b'{"a":1}'
    assert bucket.requests[-1][1]["generation"] == ["7"]
    assert bucket.requests[-1][2] is None
    assert store.read(seen.ref, 2, 5) == b'a":'
    assert store.read(seen.ref, 0, 3) == b'{"a'
    assert bucket.requests[-1][2] == "bytes=0-2"


def test_current_generation_is_asked_for_by_leaving_it_out(
    store: GoogleStore, bucket: Bucket
) -> None:
    store.create("b", "x", b"1", "text/plain", {})
    assert store.stat("b", "x").ref.generation == "7"
    assert "generation" not in bucket.requests[-1][1]


@pytest.mark.parametrize("call", ["stat", "read"])
def test_missing_object(store: GoogleStore, call: str) -> None:
    ref = ObjectRef("b", "gone", "3")
    with pytest.raises(ObjectMissingError) as caught:
        store.stat("b", "gone", "3") if call == "stat" else store.read(ref)
    assert caught.value.details == {"bucket": "b", "name": "gone", "generation": "3"}


@pytest.mark.parametrize(
    ("status", "kind"), [(412, ObjectExistsError), (403, StorageDeniedError), (400, ProblemError)]
)
def test_refusals_of_a_write(
    store: GoogleStore, bucket: Bucket, status: int, kind: type[ProblemError]
) -> None:
    bucket.status = status
    with pytest.raises(kind) as caught:
        store.create("b", "x", b"1", "text/plain", {})
    assert caught.value.status == 500
    assert caught.value.blame.value == "system"


def test_every_call_at_once_keeps_its_connection(
    store: GoogleStore, bucket: Bucket, caplog: pytest.LogCaptureFixture
) -> None:
    store.create("b", "one", b"1", "text/plain", {})
    bucket.together = threading.Barrier(40)
    with caplog.at_level(logging.DEBUG, "urllib3"), ThreadPoolExecutor(40) as threads:
        for _ in range(2):
            assert len(list(threads.map(lambda _: store.stat("b", "one"), range(40)))) == 40
    told = [one.getMessage() for one in caplog.records]
    assert not [one for one in told if "pool is full" in one]
    assert sum("Starting new HTTP" in one for one in told) <= 2 * 40
