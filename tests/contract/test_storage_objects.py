"""Objects through the official client: conditions, lists, versions, holds, copies, events."""

import uuid
from collections.abc import Callable

import pytest
from google.api_core import exceptions
from google.cloud import storage
from tests.support.localcloud import RunningCloud


@pytest.fixture
def client(module_cloud: RunningCloud) -> storage.Client:
    return module_cloud.storage_client()


@pytest.fixture
def bucket(client: storage.Client) -> storage.Bucket:
    return client.create_bucket(f"objects-{uuid.uuid4().hex[:12]}")


@pytest.fixture
def versioned(client: storage.Client) -> storage.Bucket:
    bucket = client.bucket(f"versioned-{uuid.uuid4().hex[:12]}")
    bucket.versioning_enabled = True
    return client.create_bucket(bucket)


def stored(bucket: storage.Bucket, name: str, text: str = "data") -> storage.Blob:
    blob = bucket.blob(name)
    blob.upload_from_string(text)
    return blob


@pytest.mark.parametrize(
    "call",
    [
        lambda blob, **kw: blob.upload_from_string("new", **kw),
        lambda blob, **kw: blob.download_as_bytes(**kw),
        lambda blob, **kw: blob.reload(**kw),
        lambda blob, **kw: blob.delete(**kw),
        lambda blob, **kw: blob.patch(**kw),
        lambda blob, **kw: blob.bucket.copy_blob(blob, blob.bucket, "o", **kw),
        lambda blob, **kw: blob.compose([blob], **kw),
        lambda blob, **kw: blob.rewrite(blob, **kw),
    ],
    ids=["upload", "download", "get", "delete", "patch", "copy", "compose", "rewrite"],
)
@pytest.mark.parametrize("condition", ["if_generation_match", "if_metageneration_match"])
def test_a_condition_that_fails_is_412_everywhere(
    bucket: storage.Bucket, call: Callable[..., object], condition: str
) -> None:
    blob = stored(bucket, "o")
    with pytest.raises(exceptions.PreconditionFailed):
        call(blob, **{condition: 99})
    assert bucket.blob("o").download_as_bytes() == b"data"


def test_a_read_of_what_one_has_is_304(bucket: storage.Bucket) -> None:
    blob = stored(bucket, "o")
    with pytest.raises(exceptions.NotModified):
        blob.reload(if_generation_not_match=blob.generation)


def test_create_only_when_absent(bucket: storage.Bucket) -> None:
    bucket.blob("o").upload_from_string("1", if_generation_match=0)
    with pytest.raises(exceptions.PreconditionFailed):
        bucket.blob("o").upload_from_string("2", if_generation_match=0)
    bucket.blob("o").delete()
    bucket.blob("o").upload_from_string("3", if_generation_match=0)


def test_a_missing_object_is_named(bucket: storage.Bucket) -> None:
    with pytest.raises(exceptions.NotFound, match=f"No such object: {bucket.name}/nothing"):
        bucket.blob("nothing").reload()
    with pytest.raises(exceptions.NotFound):
        bucket.blob("nothing").delete()
    with pytest.raises(exceptions.NotFound):
        bucket.blob("nothing").download_as_bytes()


def test_lists(client: storage.Client, bucket: storage.Bucket) -> None:
    names = ["a/1", "a/2", "b", "c/d/1", "e"]
    for name in names:
        stored(bucket, name)
    assert [b.name for b in client.list_blobs(bucket, page_size=2)] == names
    pages = client.list_blobs(bucket, delimiter="/", page_size=1)
    assert [b.name for b in pages] == ["b", "e"]
    assert pages.prefixes == {"a/", "c/"}
    assert [b.name for b in client.list_blobs(bucket, prefix="a/")] == ["a/1", "a/2"]
    found = client.list_blobs(bucket, start_offset="a/2", end_offset="c/d/1")
    assert [b.name for b in found] == ["a/2", "b"]
    assert len(list(client.list_blobs(bucket, max_results=3))) == 3


def test_metadata_is_changed_and_removed(bucket: storage.Bucket) -> None:
    blob = stored(bucket, "o")
    blob.metadata = {"a": "1", "b": "2"}
    blob.cache_control = "no-store"
    blob.patch()
    blob.metadata = {"a": None, "c": "3"}
    blob.cache_control = None
    blob.patch()
    found = bucket.get_blob("o")
    assert found.metadata == {"b": "2", "c": "3"}
    assert (found.cache_control, found.metageneration) == (None, 3)
    found.metadata = {"only": "this"}
    found.update()
    assert bucket.get_blob("o").metadata == {"only": "this"}


def test_versions(client: storage.Client, versioned: storage.Bucket) -> None:
    first = stored(versioned, "o", "1").generation
    second = stored(versioned, "o", "2").generation
    assert first < second
    assert versioned.blob("o", generation=first).download_as_bytes() == b"1"
    versioned.blob("o").delete()
    assert versioned.get_blob("o") is None
    found = list(client.list_blobs(versioned, versions=True))
    assert [(b.generation, b.time_deleted is None) for b in found] == [
        (first, False),
        (second, False),
    ]
    versioned.blob("o", generation=first).delete()
    assert [b.generation for b in client.list_blobs(versioned, versions=True)] == [second]


def test_soft_delete_and_restore(client: storage.Client, bucket: storage.Bucket) -> None:
    gone = stored(bucket, "o").generation
    bucket.blob("o").delete()
    (found,) = client.list_blobs(bucket, soft_deleted=True)
    assert (found.hard_delete_time - found.soft_delete_time).days == 7
    assert bucket.get_blob("o", generation=gone, soft_deleted=True).generation == gone
    assert bucket.get_blob("o", generation=gone) is None
    restored = bucket.restore_blob("o", generation=gone)
    assert restored.generation > gone
    assert bucket.blob("o").download_as_bytes() == b"data"


def test_without_soft_delete_an_object_is_gone(
    client: storage.Client, bucket: storage.Bucket
) -> None:
    bucket.soft_delete_policy.retention_duration_seconds = 0
    bucket.patch()
    stored(bucket, "o").delete()
    assert list(client.list_blobs(bucket, soft_deleted=True)) == []


@pytest.mark.parametrize("hold", ["temporary_hold", "event_based_hold"])
def test_a_hold_keeps_an_object(bucket: storage.Bucket, hold: str) -> None:
    blob = stored(bucket, "o")
    setattr(blob, hold, True)
    blob.patch()
    with pytest.raises(exceptions.Forbidden, match="hold") as refusal:
        blob.delete()
    assert refusal.value.errors[0]["reason"] == "objectUnderActiveHold"
    with pytest.raises(exceptions.Forbidden, match="hold"):
        stored(bucket, "o", "new")
    setattr(blob, hold, False)
    blob.patch()
    blob.delete()


@pytest.mark.promise(110)
def test_retention_keeps_an_object(bucket: storage.Bucket) -> None:
    bucket.retention_period = 3600
    bucket.patch()
    blob = stored(bucket, "o")
    with pytest.raises(exceptions.Forbidden, match="retention policy"):
        blob.delete()


def test_copy_and_rewrite_keep_data_and_metadata(
    bucket: storage.Bucket, versioned: storage.Bucket
) -> None:
    source = bucket.blob("source")
    source.metadata = {"k": "v"}
    source.upload_from_string("data", content_type="text/csv")
    copy = bucket.copy_blob(source, versioned, "copy")
    assert (copy.content_type, copy.metadata, copy.md5_hash) == (
        "text/csv",
        {"k": "v"},
        source.md5_hash,
    )
    target = versioned.blob("rewritten")
    assert target.rewrite(source) == (None, 4, 4)
    source.delete()
    assert versioned.blob("copy").download_as_bytes() == b"data"
    assert versioned.blob("rewritten").download_as_bytes() == b"data"


def test_a_rewrite_onto_itself_changes_the_class_and_keeps_the_data(
    bucket: storage.Bucket,
) -> None:
    bucket.soft_delete_policy.retention_duration_seconds = 0
    bucket.patch()
    blob = stored(bucket, "o")
    blob.update_storage_class("NEARLINE")
    found = bucket.get_blob("o")
    assert (found.storage_class, found.download_as_bytes()) == ("NEARLINE", b"data")


def test_compose(bucket: storage.Bucket) -> None:
    parts = [stored(bucket, f"part/{i}", str(i) * 3) for i in range(3)]
    whole = bucket.blob("whole")
    whole.content_type = "text/plain"
    whole.compose(parts)
    found = bucket.get_blob("whole")
    assert found.download_as_bytes(checksum="crc32c") == b"000111222"
    assert (found.component_count, found.md5_hash, found.size) == (3, None, 9)
    whole.compose([found, parts[0]])
    assert bucket.get_blob("whole").component_count == 4
    with pytest.raises(exceptions.BadRequest, match="exceeds the maximum"):
        whole.compose([parts[0]] * 33)


def test_generations_grow(bucket: storage.Bucket) -> None:
    generations = [stored(bucket, "o").generation for _ in range(5)]
    assert generations == sorted(set(generations))


def test_what_is_not_emulated_is_refused_by_name(
    client: storage.Client, bucket: storage.Bucket
) -> None:
    blob = stored(bucket, "o")
    with pytest.raises(exceptions.BadRequest, match="does not emulate") as refusal:
        blob.make_public()
    assert refusal.value.errors[0]["reason"] == "notImplemented"
    billed = client.bucket(bucket.name, user_project="someone")
    with pytest.raises(exceptions.BadRequest, match="userProject"):
        billed.get_blob("o")


def test_a_change_of_the_storage_class_is_refused_by_name(bucket: storage.Bucket) -> None:
    blob = stored(bucket, "o")
    blob._patch_property("storageClass", "COLDLINE")
    with pytest.raises(exceptions.BadRequest, match="storageClass by patch or update"):
        blob.patch()
    blob._patch_property("storageClass", "STANDARD")
    blob.patch()
    blob.update_storage_class("COLDLINE")
    assert blob.storage_class == "COLDLINE"
