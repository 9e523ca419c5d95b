"""Uploads and downloads of every kind through the official client."""

import base64
import gzip
import hashlib
import io
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from google.api_core import exceptions
from google.cloud import storage
from google.cloud.storage import transfer_manager
from tests.support.localcloud import RunningCloud

MIB = 1024 * 1024
BUCKET = "uploads-bucket"


@pytest.fixture
def bucket(module_cloud: RunningCloud) -> storage.Bucket:
    client = module_cloud.storage_client()
    return client.lookup_bucket(BUCKET) or client.create_bucket(BUCKET)


@pytest.fixture
def http(module_cloud: RunningCloud, bucket: storage.Bucket) -> httpx.Client:
    """A plain HTTP client, for what the official one does not send."""
    del bucket
    return module_cloud.http_client()


@pytest.mark.parametrize("size", [0, 1, 256 * 1024, 3 * MIB + 1])
@pytest.mark.parametrize("checksum", ["md5", "crc32c", None])
def test_upload_and_download(bucket: storage.Bucket, size: int, checksum: str | None) -> None:
    data = os.urandom(size)
    blob = bucket.blob(f"plain/{size}/ünï {checksum}.bin")
    blob.metadata = {"key": "value"}
    blob.upload_from_string(data, content_type="application/x-test", checksum=checksum)
    found = bucket.get_blob(blob.name)
    assert found.download_as_bytes(checksum=checksum) == data
    assert (found.size, found.content_type) == (size, "application/x-test")
    assert found.metadata == {"key": "value"}
    md5 = hashlib.md5(data, usedforsecurity=False).digest()
    assert found.md5_hash == base64.b64encode(md5).decode()


@pytest.mark.parametrize("size", [0, 256 * 1024, 1024 * 1024, 1024 * 1024 + 5])
def test_resumable_upload_in_chunks(bucket: storage.Bucket, size: int) -> None:
    data = os.urandom(size)
    blob = bucket.blob(f"resumable/{size}", chunk_size=256 * 1024)
    blob.upload_from_file(io.BytesIO(data))
    assert bucket.blob(blob.name).download_as_bytes() == data


def test_resumable_upload_of_unknown_size(bucket: storage.Bucket) -> None:
    data = os.urandom(600 * 1024)
    blob = bucket.blob("resumable/stream", chunk_size=256 * 1024)
    with blob.open("wb") as file:
        file.write(data)
    assert bucket.blob(blob.name).download_as_bytes() == data


def start_session(http: httpx.Client, name: str, root: str = "/upload", **query: str) -> str:
    answer = http.post(
        f"{root}/storage/v1/b/{BUCKET}/o",
        params={"uploadType": "resumable", "name": name, **query},
        json={"contentType": "text/plain"},
    )
    assert answer.status_code == 200, answer.text
    return answer.headers["location"]


def put(http: httpx.Client, session: str, data: bytes, content_range: str) -> httpx.Response:
    return http.put(session, content=data, headers={"Content-Range": content_range})


@pytest.mark.parametrize("root", ["/upload", "/resumable/upload"])
def test_a_session_tells_how_far_it_is_and_goes_on(http: httpx.Client, root: str) -> None:
    data = os.urandom(256 * 1024 + 10)
    session = start_session(http, "session", root)
    assert "range" not in put(http, session, b"", "bytes */*").headers
    answer = put(http, session, data[: 256 * 1024], f"bytes 0-{256 * 1024 - 1}/*")
    assert (answer.status_code, answer.headers["range"]) == (308, f"bytes=0-{256 * 1024 - 1}")
    answer = put(http, session, b"", f"bytes */{len(data)}")
    assert (answer.status_code, answer.headers["range"]) == (308, f"bytes=0-{256 * 1024 - 1}")
    # the client sends some bytes again; the server takes only what it lacks
    answer = put(http, session, data[100:], f"bytes 100-{len(data) - 1}/{len(data)}")
    assert (answer.status_code, answer.json()["size"]) == (200, str(len(data)))
    again = put(http, session, b"", f"bytes */{len(data)}")
    assert again.json()["generation"] == answer.json()["generation"]
    media = http.get(f"/storage/v1/b/{BUCKET}/o/session", params={"alt": "media"})
    assert media.content == data


def test_a_session_in_one_request_without_content_range(http: httpx.Client) -> None:
    answer = http.put(start_session(http, "one"), content=b"all of it")
    assert (answer.status_code, answer.json()["size"]) == (200, "9")


def test_a_stream_of_unknown_length_ends_with_its_request(http: httpx.Client) -> None:
    """As the Node.js client sends it; after a break it goes on from where the session is."""
    session = start_session(http, "endless")
    first = os.urandom(256 * 1024)
    assert put(http, session, first, f"bytes 0-{len(first) - 1}/*").status_code == 308
    answer = put(http, session, b"the rest", f"bytes {len(first)}-*/*")
    assert (answer.status_code, answer.json()["size"]) == (200, str(len(first) + 8))
    known = start_session(http, "known")
    assert put(http, known, b"12345", "bytes 0-*/10").status_code == 308
    assert put(http, known, b"67890", "bytes 5-*/10").json()["size"] == "10"


def test_a_cancelled_session_is_gone(http: httpx.Client) -> None:
    session = start_session(http, "cancelled")
    assert http.delete(session).status_code == 499
    assert put(http, session, b"x", "bytes 0-0/1").status_code == 404


@pytest.mark.parametrize(
    ("content_range", "text"),
    [("bytes 5-9/10", "exceeds"), ("bytes 0-4/100", "multiple"), ("bytes x", "Content-Range")],
)
def test_a_chunk_that_does_not_fit_is_refused(
    http: httpx.Client, content_range: str, text: str
) -> None:
    answer = put(http, start_session(http, "bad-chunk"), b"12345", content_range)
    assert answer.status_code == 400
    assert text in answer.json()["error"]["message"]


def test_a_session_checks_its_checksum_at_the_end(
    http: httpx.Client, bucket: storage.Bucket
) -> None:
    session = start_session(http, "corrupt")
    answer = http.put(session, content=b"data", headers={"x-goog-hash": "crc32c=AAAAAA=="})
    assert answer.status_code == 400
    assert bucket.get_blob("corrupt") is None


def test_a_session_keeps_its_precondition(http: httpx.Client, bucket: storage.Bucket) -> None:
    session = start_session(http, "raced", ifGenerationMatch="0")
    bucket.blob("raced").upload_from_string("first")
    assert http.put(session, content=b"second").status_code == 412
    assert bucket.blob("raced").download_as_bytes() == b"first"


def test_a_session_belongs_to_its_bucket(http: httpx.Client, bucket: storage.Bucket) -> None:
    bucket.client.create_bucket("other-uploads-bucket")
    session = start_session(http, "moved").replace(BUCKET, "other-uploads-bucket")
    assert put(http, session, b"x", "bytes 0-0/1").status_code == 404


def test_multipart_with_bare_line_feeds(http: httpx.Client) -> None:
    body = (
        b'--sep\ncontent-type: application/json\n\n{"name": "lf"}\n'
        b"--sep\ncontent-type: text/plain\n\nline\r\n--sep--"
    )
    answer = http.post(
        f"/upload/storage/v1/b/{BUCKET}/o",
        params={"uploadType": "multipart"},
        content=body,
        headers={"Content-Type": "multipart/related; boundary=sep"},
    )
    assert answer.json()["contentType"] == "text/plain"
    media = http.get(f"/download/storage/v1/b/{BUCKET}/o/lf", params={"alt": "media"})
    assert media.content == b"line\r"


def test_simple_upload(http: httpx.Client) -> None:
    answer = http.post(
        f"/upload/storage/v1/b/{BUCKET}/o",
        params={"uploadType": "media", "name": "a/b"},
        content=b"data",
        headers={"Content-Type": "text/csv"},
    )
    found = answer.json()
    assert (found["name"], found["size"], found["contentType"]) == ("a/b", "4", "text/csv")


@pytest.mark.parametrize(
    "headers", [{"x-goog-hash": "crc32c=AAAAAA=="}, {"content-md5": "AAAAAAAAAAAAAAAAAAAAAA=="}]
)
def test_a_wrong_checksum_stores_nothing(
    http: httpx.Client, bucket: storage.Bucket, headers: dict[str, str]
) -> None:
    answer = http.post(
        f"/upload/storage/v1/b/{BUCKET}/o",
        params={"uploadType": "media", "name": "wrong"},
        content=b"data",
        headers=headers,
    )
    assert (answer.status_code, answer.json()["error"]["errors"][0]["reason"]) == (400, "invalid")
    assert bucket.get_blob("wrong") is None


def test_ranges(bucket: storage.Bucket, http: httpx.Client) -> None:
    blob = bucket.blob("ranged")
    blob.upload_from_string(b"0123456789")
    assert blob.download_as_bytes(start=2, end=4) == b"234"
    assert blob.download_as_bytes(start=7) == b"789"
    assert blob.download_as_bytes(start=-3) == b"789"
    with pytest.raises(exceptions.RequestRangeNotSatisfiable):
        blob.download_as_bytes(start=10)
    path = f"/storage/v1/b/{BUCKET}/o/ranged"
    answer = http.get(path, params={"alt": "media"}, headers={"Range": "bytes=-4"})
    assert (answer.status_code, answer.headers["content-range"]) == (206, "bytes 6-9/10")


def test_download_headers(bucket: storage.Bucket, http: httpx.Client) -> None:
    blob = bucket.blob("headed")
    blob.cache_control, blob.content_disposition = "no-store", "inline"
    blob.upload_from_string(b"x", content_type="text/plain")
    headers = http.get(f"/storage/v1/b/{BUCKET}/o/headed", params={"alt": "media"}).headers
    assert headers["x-goog-hash"] == f"crc32c={blob.crc32c},md5={blob.md5_hash}"
    assert headers["x-goog-generation"] == str(blob.generation)
    assert headers["x-goog-stored-content-length"] == "1"
    assert (headers["cache-control"], headers["content-disposition"]) == ("no-store", "inline")


def test_download_in_chunks_and_as_a_file(bucket: storage.Bucket, tmp_path: Path) -> None:
    data = os.urandom(MIB + 3)
    bucket.blob("chunked").upload_from_string(data)
    blob = bucket.blob("chunked", chunk_size=256 * 1024)
    blob.download_to_filename(str(tmp_path / "file"))
    assert (tmp_path / "file").read_bytes() == data
    with bucket.blob("chunked").open("rb", chunk_size=256 * 1024) as file:
        file.seek(MIB)
        assert file.read() == data[MIB:]


def test_transfer_manager(bucket: storage.Bucket, tmp_path: Path) -> None:
    data = os.urandom(2 * MIB + 7)
    source = tmp_path / "source"
    source.write_bytes(data)
    pairs = [(str(source), bucket.blob(f"many/{i}")) for i in range(4)]
    results = transfer_manager.upload_many(pairs, worker_type=transfer_manager.THREAD)
    assert results == [None] * 4
    transfer_manager.download_chunks_concurrently(
        bucket.get_blob("many/0"),
        str(tmp_path / "copy"),
        chunk_size=MIB,
        worker_type=transfer_manager.THREAD,
    )
    assert (tmp_path / "copy").read_bytes() == data


def test_gzip_content_is_served_as_stored_or_refused(
    bucket: storage.Bucket, http: httpx.Client
) -> None:
    blob = bucket.blob("zipped")
    blob.content_encoding = "gzip"
    blob.upload_from_string(gzip.compress(b"plain"))
    assert blob.download_as_bytes() == b"plain"
    answer = http.get(
        f"/storage/v1/b/{BUCKET}/o/zipped",
        params={"alt": "media"},
        headers={"Accept-Encoding": "identity"},
    )
    assert answer.status_code == 400
    assert "transcoding" in answer.json()["error"]["message"]


def test_a_customer_key_is_refused_by_name(bucket: storage.Bucket) -> None:
    blob = bucket.blob("secret", encryption_key=os.urandom(32))
    with pytest.raises(exceptions.BadRequest, match="customer-supplied encryption keys"):
        blob.upload_from_string("x")


def test_only_one_of_many_writers_creates(bucket: storage.Bucket) -> None:
    barrier = threading.Barrier(6)

    def create(number: int) -> bool:
        barrier.wait()
        try:
            bucket.blob("once").upload_from_string(str(number), if_generation_match=0)
        except exceptions.PreconditionFailed:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(create, range(6))) == 1


def test_names_with_every_kind_of_sign(bucket: storage.Bucket, http: httpx.Client) -> None:
    for name in ("a b", "a/o/b", "100%", "ä?#&=+", "x/rewriteTo/b/y/o/z", "%2F"):
        bucket.blob(name).upload_from_string(name)
        assert bucket.blob(name).download_as_text() == name
        found = http.get(f"/storage/v1/b/{BUCKET}/o/{quote(name, safe='')}").json()
        assert found["name"] == name


def test_a_full_disk_asked_for_over_the_control_surface(
    bucket: storage.Bucket, module_cloud: RunningCloud
) -> None:
    module_cloud.inject("storage.disk.write", "RESOURCE_EXHAUSTED")
    with pytest.raises(exceptions.GoogleAPICallError, match="507"):
        bucket.blob("no-room").upload_from_string("data", retry=None)
    assert bucket.get_blob("no-room") is None
    bucket.blob("no-room").upload_from_string("data", retry=None)
