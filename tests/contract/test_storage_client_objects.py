"""What a user of the official client does with objects, written from its documentation alone."""

import datetime as dt
import uuid

import pytest
from google.api_core import exceptions
from google.cloud import storage
from tests.support.localcloud import RunningCloud


@pytest.fixture(scope="module")
def client(module_cloud: RunningCloud) -> storage.Client:
    return module_cloud.storage_client()


@pytest.fixture(scope="module")
def bucket(client: storage.Client) -> storage.Bucket:
    return client.create_bucket(f"client-{uuid.uuid4().hex[:12]}", location="us-central1")


@pytest.fixture(scope="module")
def versioned(client: storage.Client) -> storage.Bucket:
    bucket = client.bucket(f"versions-{uuid.uuid4().hex[:12]}")
    bucket.versioning_enabled = True
    return client.create_bucket(bucket)


@pytest.fixture
def blob(bucket: storage.Bucket) -> storage.Blob:
    blob = bucket.blob(f"one/{uuid.uuid4().hex}.txt")
    blob.upload_from_string("0123456789", content_type="text/plain")
    return blob


def test_a_new_object_has_its_output_fields(blob: storage.Blob) -> None:
    blob.reload()
    assert blob.id == f"{blob.bucket.name}/{blob.name}/{blob.generation}"
    assert blob.size == 10
    assert blob.md5_hash == "eB5eJF1ptWaXm4bijSPyxw=="
    assert blob.crc32c == "KAwGng=="
    assert blob.metageneration == 1
    assert blob.content_type == "text/plain"
    assert blob.storage_class == "STANDARD"
    assert blob.etag
    assert blob.component_count is None
    assert blob.time_created == blob.updated
    assert blob.time_deleted is None
    assert "alt=media" in blob.media_link
    assert blob.self_link.endswith(".txt")


def test_all_writable_fields_at_upload(bucket: storage.Bucket) -> None:
    moment = dt.datetime(2026, 3, 1, 12, 0, 0, tzinfo=dt.UTC)
    blob = bucket.blob("fields")
    blob.metadata = {"Key": "Wert mit Ümlaut", "empty": ""}
    blob.cache_control = "no-store"
    blob.content_disposition = 'attachment; filename="x"'
    blob.content_language = "de"
    blob.custom_time = moment
    blob.storage_class = "NEARLINE"
    blob.temporary_hold = False
    blob.upload_from_string("x", content_type="application/json")
    found = bucket.get_blob("fields")
    assert found.metadata == {"Key": "Wert mit Ümlaut", "empty": ""}
    assert found.cache_control == "no-store"
    assert found.content_disposition == 'attachment; filename="x"'
    assert found.content_language == "de"
    assert found.custom_time == moment
    assert found.storage_class == "NEARLINE"
    assert found.content_type == "application/json"


def test_metadata_is_patched_replaced_and_dropped(blob: storage.Blob) -> None:
    blob.metadata = {"a": "1", "b": "2"}
    blob.patch()
    blob.metadata = {"a": None, "c": "3"}
    blob.patch()
    blob.reload()
    assert blob.metadata == {"b": "2", "c": "3"}
    blob.metadata = {"d": "4"}
    blob.update()
    blob.reload()
    assert blob.metadata == {"d": "4"}
    blob.metadata = None
    blob.patch()
    blob.reload()
    assert blob.metadata is None
    assert blob.metageneration == 5


def test_custom_time_only_goes_forward(blob: storage.Blob) -> None:
    blob.custom_time = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
    blob.patch()
    blob.custom_time = dt.datetime(2026, 4, 1, tzinfo=dt.UTC)
    blob.patch()
    blob.custom_time = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    with pytest.raises(exceptions.BadRequest):
        blob.patch()


def test_parts_of_an_object(blob: storage.Blob) -> None:
    assert blob.download_as_bytes(start=2, end=4) == b"234"
    assert blob.download_as_bytes(start=7) == b"789"
    assert blob.download_as_bytes(end=1) == b"01"
    assert blob.download_as_text() == "0123456789"
    assert blob.download_as_bytes(raw_download=True) == b"0123456789"
    with pytest.raises(exceptions.RequestRangeNotSatisfiable):
        blob.download_as_bytes(start=10)


def test_object_etag_conditions(blob: storage.Blob) -> None:
    blob.reload(if_etag_match=blob.etag)
    assert blob.download_as_bytes(if_etag_match={blob.etag, "x"}) == b"0123456789"
    for call in (blob.reload, blob.download_as_bytes):
        with pytest.raises(exceptions.PreconditionFailed):
            call(if_etag_match="other")
    for call in (blob.reload, blob.download_as_bytes):
        with pytest.raises(exceptions.NotModified):
            call(if_etag_not_match=blob.etag)


def test_generation_conditions_of_reads(blob: storage.Blob) -> None:
    assert blob.exists(if_generation_match=blob.generation)
    with pytest.raises(exceptions.PreconditionFailed):
        blob.reload(if_generation_match=blob.generation + 1)
    with pytest.raises(exceptions.NotModified):
        blob.download_as_bytes(if_generation_not_match=blob.generation)
    with pytest.raises(exceptions.PreconditionFailed):
        blob.download_as_bytes(if_metageneration_match=2)


def test_generation_conditions_of_writes(bucket: storage.Bucket, blob: storage.Blob) -> None:
    with pytest.raises(exceptions.PreconditionFailed):
        blob.upload_from_string("x", if_generation_match=0)
    with pytest.raises(exceptions.PreconditionFailed):
        blob.upload_from_string("x", if_metageneration_match=7)
    blob.upload_from_string("y", if_generation_match=blob.generation)
    with pytest.raises(exceptions.PreconditionFailed):
        blob.patch(if_metageneration_match=9)
    with pytest.raises(exceptions.PreconditionFailed):
        blob.delete(if_generation_match=1)
    blob.delete(if_generation_match=blob.generation)
    with pytest.raises(exceptions.PreconditionFailed):
        bucket.blob(blob.name).upload_from_string("z", if_generation_match=5)
    bucket.blob(blob.name).upload_from_string("z", if_generation_not_match=5)


@pytest.mark.parametrize(
    "name",
    [
        "plain",
        "/leading",
        "trailing/",
        "a//b",
        "with space",
        "ünïcödé/Ж/日本",
        "q?x=1&y#z",
        "percent%2Fencoded%",
        "plus+and=eq",
        "...",
        "o/acl",
        "x" * 1024,
    ],
)
def test_names(client: storage.Client, bucket: storage.Bucket, name: str) -> None:
    blob = bucket.blob(name)
    blob.upload_from_string(name)
    assert bucket.get_blob(name).name == name
    assert blob.download_as_text() == name
    blob.metadata = {"a": "b"}
    blob.patch()
    assert [b.name for b in client.list_blobs(bucket, prefix=name, max_results=1)] == [name]
    assert bucket.copy_blob(blob, bucket, f"{name[:1000]}-2").name == f"{name[:1000]}-2"
    blob.delete()
    assert not blob.exists()


def test_getting_renaming_and_deleting_many(bucket: storage.Bucket) -> None:
    names = [f"batch/{number}" for number in range(4)]
    for name in names:
        bucket.blob(name).upload_from_string(name)
    renamed = bucket.rename_blob(bucket.blob(names[0]), "batch/renamed")
    assert renamed.download_as_text() == names[0]
    assert bucket.get_blob(names[0]) is None
    missing: list[storage.Blob] = []
    bucket.delete_blobs([*names[1:], "batch/none"], on_error=missing.append)
    assert missing == ["batch/none"]
    with pytest.raises(exceptions.NotFound):
        bucket.delete_blob("batch/none")


def test_moving_within_the_bucket(bucket: storage.Bucket, blob: storage.Blob) -> None:
    with pytest.raises(exceptions.BadRequest, match="does not emulate"):
        bucket.move_blob(blob, "moved")


@pytest.fixture(scope="module")
def folders(client: storage.Client) -> storage.Bucket:
    bucket = client.create_bucket(f"folders-{uuid.uuid4().hex[:12]}")
    for name in ("a.txt", "b/", "b/1.txt", "b/2.csv", "b/c/3.txt", "d/4.txt", "e.csv"):
        bucket.blob(name).upload_from_string("x")
    return bucket


@pytest.mark.parametrize(
    ("options", "names", "prefixes"),
    [
        ({"prefix": "b/"}, ["b/", "b/1.txt", "b/2.csv", "b/c/3.txt"], []),
        ({"delimiter": "/"}, ["a.txt", "e.csv"], ["b/", "d/"]),
        ({"delimiter": "/", "prefix": "b/"}, ["b/", "b/1.txt", "b/2.csv"], ["b/c/"]),
        (
            {"delimiter": "/", "include_trailing_delimiter": True},
            ["a.txt", "b/", "e.csv"],
            ["b/", "d/"],
        ),
        ({"start_offset": "b/2", "end_offset": "e"}, ["b/2.csv", "b/c/3.txt", "d/4.txt"], []),
        ({"max_results": 2}, ["a.txt", "b/"], []),
        ({"page_size": 1, "delimiter": "/"}, ["a.txt", "e.csv"], ["b/", "d/"]),
        ({"match_glob": "*.txt"}, ["a.txt"], []),
        ({"match_glob": "**.txt"}, ["a.txt", "b/1.txt", "b/c/3.txt", "d/4.txt"], []),
        ({"match_glob": "b/?.{txt,csv}"}, ["b/1.txt", "b/2.csv"], []),
        ({"match_glob": "**/[1-3].*"}, ["b/1.txt", "b/2.csv", "b/c/3.txt"], []),
        ({"match_glob": "*.csv", "prefix": "e"}, ["e.csv"], []),
        ({"prefix": "nothing"}, [], []),
    ],
)
def test_lists(
    client: storage.Client,
    folders: storage.Bucket,
    options: dict[str, object],
    names: list[str],
    prefixes: list[str],
) -> None:
    found = client.list_blobs(folders, **options)
    assert [blob.name for blob in found] == names
    assert sorted(found.prefixes) == prefixes


def test_a_list_of_some_fields(client: storage.Client, folders: storage.Bucket) -> None:
    found = list(client.list_blobs(folders, fields="items(name,size),nextPageToken", page_size=3))
    assert [(blob.name, blob.size) for blob in found][:2] == [("a.txt", 1), ("b/", 1)]
    assert {blob.crc32c for blob in found} == {None}
    assert len(found) == 7


def test_pages_of_a_list(client: storage.Client, folders: storage.Bucket) -> None:
    iterator = client.list_blobs(folders, page_size=3)
    first = next(iterator.pages)
    assert [blob.name for blob in first] == ["a.txt", "b/", "b/1.txt"]
    rest = client.list_blobs(folders, page_token=iterator.next_page_token)
    assert next(iter(rest)).name == "b/2.csv"


def test_versions_are_listed_read_restored_and_removed(
    client: storage.Client, versioned: storage.Bucket
) -> None:
    blob = versioned.blob("o")
    generations = []
    for text in ("one", "two"):
        blob.upload_from_string(text)
        generations.append(blob.generation)
    found = list(client.list_blobs(versioned, prefix="o", versions=True))
    assert [b.generation for b in found] == generations
    assert found[0].time_deleted is not None
    old = versioned.get_blob("o", generation=generations[0])
    assert old.download_as_text() == "one"
    versioned.copy_blob(old, versioned, "o", source_generation=generations[0])
    assert versioned.blob("o").download_as_text() == "one"
    versioned.blob("o").delete()
    assert versioned.get_blob("o") is None
    assert versioned.blob("o", generation=generations[1]).download_as_text() == "two"
    versioned.delete_blob("o", generation=generations[1])
    assert versioned.get_blob("o", generation=generations[1]) is None


def test_soft_deleted_objects_are_listed_and_restored(
    client: storage.Client, bucket: storage.Bucket
) -> None:
    blob = bucket.blob("soft/o")
    blob.upload_from_string("data")
    generation = blob.generation
    blob.delete()
    (found,) = client.list_blobs(bucket, prefix="soft/", soft_deleted=True)
    assert found.generation == generation
    assert found.soft_delete_time < found.hard_delete_time
    seen = bucket.get_blob("soft/o", generation=generation, soft_deleted=True)
    assert seen.size == 4
    assert bucket.blob("soft/o", generation=generation).exists(soft_deleted=True)
    restored = bucket.restore_blob("soft/o", generation=generation)
    assert restored.generation != generation
    assert bucket.blob("soft/o").download_as_text() == "data"


def test_compose(bucket: storage.Bucket) -> None:
    parts = []
    for number in range(3):
        part = bucket.blob(f"part/{number}")
        part.upload_from_string(str(number))
        parts.append(part)
    whole = bucket.blob("part/whole")
    whole.content_type = "text/plain"
    whole.metadata = {"made": "of parts"}
    whole.compose(parts, if_generation_match=0)
    whole.reload()
    assert whole.download_as_text() == "012"
    assert (whole.component_count, whole.md5_hash) == (3, None)
    assert (whole.content_type, whole.metadata) == ("text/plain", {"made": "of parts"})
    whole.compose([whole, parts[0]])
    assert whole.download_as_text() == "0120"
    whole.reload()
    assert whole.component_count == 4
    with pytest.raises(exceptions.PreconditionFailed):
        whole.compose(parts, if_source_generation_match=[1, None, None])
    with pytest.raises(exceptions.NotFound):
        whole.compose([bucket.blob("part/none")])
    with pytest.raises(exceptions.BadRequest, match="maximum \\(32\\)"):
        whole.compose([parts[0]] * 33)


def test_rewrite_to_another_class_and_bucket(
    client: storage.Client, bucket: storage.Bucket, blob: storage.Blob
) -> None:
    blob.metadata = {"a": "b"}
    blob.patch()
    blob.update_storage_class("COLDLINE")
    blob.reload()
    assert (blob.storage_class, blob.metadata) == ("COLDLINE", {"a": "b"})
    other = client.create_bucket(f"other-{uuid.uuid4().hex[:12]}", location="eu")
    target = other.blob("copy")
    token, done, total = target.rewrite(blob, if_generation_match=0)
    assert (token, done, total) == (None, 10, 10)
    target.reload()
    assert target.storage_class == "STANDARD"
    with pytest.raises(exceptions.PreconditionFailed):
        target.rewrite(blob, if_source_generation_match=1)


def test_holds(blob: storage.Blob) -> None:
    blob.temporary_hold = True
    blob.patch()
    with pytest.raises(exceptions.Forbidden, match="Temporary hold"):
        blob.delete()
    with pytest.raises(exceptions.Forbidden, match="Temporary hold"):
        blob.upload_from_string("new")
    blob.metadata = {"still": "changeable"}
    blob.patch()
    blob.temporary_hold = False
    blob.patch()
    blob.delete()


def test_calls_in_a_batch(client: storage.Client, bucket: storage.Bucket) -> None:
    blobs = []
    for number in range(3):
        blob = bucket.blob(f"batched/{number} ü")
        blob.upload_from_string("x")
        blobs.append(blob)
    with client.batch():
        for blob in blobs:
            blob.metadata = {"in": "batch"}
            blob.patch()
    assert [bucket.get_blob(b.name).metadata for b in blobs] == [{"in": "batch"}] * 3
    with client.batch():
        for blob in blobs:
            blob.delete()
    assert list(client.list_blobs(bucket, prefix="batched/")) == []


def test_a_failure_in_a_batch_is_raised_and_the_rest_is_done(
    client: storage.Client, bucket: storage.Bucket
) -> None:
    kept = bucket.blob("batch-kept")
    kept.upload_from_string("x")
    batch = client.batch()
    client._push_batch(batch)
    bucket.blob("batch-none").delete()
    kept.delete()
    client._pop_batch()
    with pytest.raises(exceptions.NotFound):
        batch.finish()
    assert not kept.exists()


def test_futures_of_a_batch(client: storage.Client, bucket: storage.Bucket) -> None:
    blob = bucket.blob("batch-get")
    blob.upload_from_string("12345")
    with client.batch(raise_exception=False) as batch:
        future = bucket.get_blob("batch-get")
        bucket.blob("batch-none").delete()
    assert future.size == 5
    assert [response.status_code for response in batch._responses] == [200, 404]


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("acl", lambda b: b.acl.reload()),
        ("acl", lambda b: b.make_public()),
        ("predefinedAcl", lambda b: b.upload_from_string("x", predefined_acl="publicRead")),
        ("iam", lambda b: b.get_iam_policy()),
        ("kmsKeyName", lambda b: with_key(b, "projects/p/locations/l").upload_from_string("x")),
        ("customer-supplied", lambda b: b.bucket.blob("k", encryption_key=b"k" * 32).rewrite(b)),
        ("retention", lambda b: retain(b, "Unlocked")),
    ],
)
def test_what_is_not_emulated_is_named(blob: storage.Blob, name: str, call: object) -> None:
    with pytest.raises(exceptions.BadRequest, match=f"does not emulate.*{name}"):
        call(blob)  # type: ignore[operator]


def with_key(blob: storage.Blob, key: str) -> storage.Blob:
    return blob.bucket.blob("k", kms_key_name=key)


def retain(blob: storage.Blob, mode: str) -> None:
    blob.retention.mode = mode
    blob.retention.retain_until_time = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
    blob.patch()
