"""Moving data with the official client: every way in and out that its documentation shows."""

import base64
import gzip
import hashlib
import io
import os
import uuid
from pathlib import Path

import google_crc32c
import httpx
import pytest
from google.api_core import exceptions
from google.cloud import storage
from google.cloud.storage import transfer_manager
from google.cloud.storage.exceptions import DataCorruption, InvalidResponse
from tests.support.localcloud import RunningCloud

KIB = 1024
MIB = KIB * KIB
THREADS = {"worker_type": transfer_manager.THREAD, "max_workers": 4}


@pytest.fixture(scope="module")
def client(module_cloud: RunningCloud) -> storage.Client:
    return module_cloud.storage_client()


@pytest.fixture(scope="module")
def bucket(client: storage.Client) -> storage.Bucket:
    return client.create_bucket(f"client-{uuid.uuid4().hex[:12]}")


@pytest.fixture(scope="module")
def data() -> bytes:
    return os.urandom(3 * MIB + 17)


@pytest.fixture
def blob(bucket: storage.Bucket) -> storage.Blob:
    return bucket.blob(uuid.uuid4().hex)


def test_a_file_up_and_down(blob: storage.Blob, data: bytes, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_bytes(data)
    blob.upload_from_filename(str(tmp_path / "in.csv"))
    assert blob.content_type == "text/csv"
    blob.download_to_filename(str(tmp_path / "out"))
    assert (tmp_path / "out").read_bytes() == data
    with (tmp_path / "out2").open("wb") as file:
        blob.client.download_blob_to_file(f"gs://{blob.bucket.name}/{blob.name}", file)
    assert (tmp_path / "out2").read_bytes() == data


@pytest.mark.parametrize("chunk", [256 * KIB, MIB])
@pytest.mark.parametrize("size", [0, 1, 256 * KIB, 3 * MIB + 17])
def test_chunks_of_any_size(blob: storage.Blob, data: bytes, chunk: int, size: int) -> None:
    blob.chunk_size = chunk
    blob.upload_from_file(io.BytesIO(data[:size]), size=size)
    assert blob.size == size
    assert blob.download_as_bytes() == data[:size]


@pytest.mark.parametrize("checksum", ["md5", "crc32c", "auto", None])
def test_checksums_of_the_client(blob: storage.Blob, data: bytes, checksum: str | None) -> None:
    blob.upload_from_string(data, checksum=checksum)
    assert blob.download_as_bytes(checksum=checksum) == data
    assert blob.md5_hash == base64.b64encode(hashlib.md5(data).digest()).decode()  # noqa: S324
    crc = google_crc32c.value(data).to_bytes(4, "big")
    assert blob.crc32c == base64.b64encode(crc).decode()


@pytest.mark.parametrize("kind", ["md5_hash", "crc32c"])
def test_a_wrong_checksum_is_refused(blob: storage.Blob, kind: str) -> None:
    setattr(blob, kind, base64.b64encode(b"wrong" * 3)[:8].decode())
    with pytest.raises((exceptions.BadRequest, DataCorruption)):
        blob.upload_from_string("data", checksum=None)
    assert not blob.exists()


def test_a_text_reader_and_writer(blob: storage.Blob) -> None:
    with blob.open("w", encoding="utf-8", content_type="text/plain") as writer:
        writer.write("Zeile eins\n")
        writer.write("Zeile zwei: ü\n")
    with blob.open("r", encoding="utf-8") as reader:
        assert list(reader) == ["Zeile eins\n", "Zeile zwei: ü\n"]


def test_a_binary_reader_seeks(blob: storage.Blob, data: bytes) -> None:
    with blob.open("wb", chunk_size=256 * KIB) as writer:
        for start in range(0, len(data), 100_000):
            writer.write(data[start : start + 100_000])
    with blob.open("rb", chunk_size=256 * KIB) as reader:
        assert reader.read(10) == data[:10]
        reader.seek(MIB)
        assert reader.read(300 * KIB) == data[MIB : MIB + 300 * KIB]
        reader.seek(-5, io.SEEK_END)
        assert reader.read() == data[-5:]


def test_a_writer_that_asks_for_absence(blob: storage.Blob) -> None:
    blob.upload_from_string("there")
    writer = blob.open("wb", if_generation_match=0)
    writer.write(b"x")
    with pytest.raises(InvalidResponse) as refusal:
        writer.close()
    assert refusal.value.response.status_code == 412
    # else its destructor tries again, in whichever thread collects garbage: the server's own too
    writer.terminate()
    assert blob.download_as_text() == "there"


def test_gzip_is_unpacked_by_the_client(blob: storage.Blob) -> None:
    packed = gzip.compress(b"text " * 1000)
    blob.content_encoding = "gzip"
    blob.upload_from_string(packed, content_type="text/plain")
    assert blob.size == len(packed)
    assert blob.download_as_bytes() == b"text " * 1000
    assert blob.download_as_bytes(raw_download=True) == packed


def test_a_download_in_chunks(blob: storage.Blob, data: bytes) -> None:
    blob.upload_from_string(data)
    blob.chunk_size = MIB
    target = io.BytesIO()
    blob.download_to_file(target)
    assert target.getvalue() == data


def test_many_files(bucket: storage.Bucket, tmp_path: Path) -> None:
    names = [f"many/{number}.txt" for number in range(12)]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    found = transfer_manager.upload_many_from_filenames(
        bucket, names, source_directory=str(tmp_path), **THREADS
    )
    assert found == [None] * 12
    found = transfer_manager.upload_many_from_filenames(
        bucket, names, source_directory=str(tmp_path), skip_if_exists=True, **THREADS
    )
    assert [type(one) for one in found] == [exceptions.PreconditionFailed] * 12
    found = transfer_manager.download_many_to_path(
        bucket, names, destination_directory=str(tmp_path / "down"), **THREADS
    )
    assert found == [None] * 12
    assert [(tmp_path / "down" / name).read_text() for name in names] == names
    found = transfer_manager.download_many([(bucket.blob("many/none"), io.BytesIO())], **THREADS)
    assert isinstance(found[0], exceptions.NotFound)


def test_one_object_in_concurrent_chunks(blob: storage.Blob, data: bytes, tmp_path: Path) -> None:
    blob.upload_from_string(data)
    transfer_manager.download_chunks_concurrently(
        blob, str(tmp_path / "chunked"), chunk_size=MIB, **THREADS
    )
    assert (tmp_path / "chunked").read_bytes() == data


def test_the_xml_api_is_refused_by_name(blob: storage.Blob, data: bytes, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(data)
    with pytest.raises(InvalidResponse) as refusal:
        transfer_manager.upload_chunks_concurrently(
            str(tmp_path / "in"), blob, chunk_size=MIB, **THREADS
        )
    assert refusal.value.response.status_code == 400
    assert "does not emulate POST of the XML API" in refusal.value.response.text


def test_a_signed_url_is_refused_by_name(module_cloud: RunningCloud) -> None:
    signed = (
        f"{module_cloud.http}/bucket/object?X-Goog-Algorithm=GOOG4-RSA-SHA256&X-Goog-Signature=00"
    )
    answer = httpx.get(
        signed, headers={"authorization": f"Bearer {module_cloud.token}"}, trust_env=False
    )
    assert answer.status_code == 400
    assert "signed URL" in answer.text


def test_a_session_made_for_someone_else_to_fill(
    module_cloud: RunningCloud, blob: storage.Blob, data: bytes
) -> None:
    session = blob.create_resumable_upload_session(content_type="text/x-mine", size=len(data))
    with httpx.Client(
        headers={"authorization": f"Bearer {module_cloud.token}"}, trust_env=False
    ) as http:
        half = 2 * MIB
        total = len(data)
        sent = http.put(
            session,
            content=data[:half],
            headers={"content-range": f"bytes 0-{half - 1}/{total}"},
        )
        assert (sent.status_code, sent.headers["range"]) == (308, f"bytes=0-{half - 1}")
        asked = http.put(session, headers={"content-range": f"bytes */{total}"})
        assert (asked.status_code, asked.headers["range"]) == (308, f"bytes=0-{half - 1}")
        ended = http.put(
            session,
            content=data[half:],
            headers={"content-range": f"bytes {half}-{total - 1}/{total}"},
        )
        assert ended.status_code == 200
    blob.reload()
    assert (blob.size, blob.content_type) == (total, "text/x-mine")
