"""The real gcloud and gsutil work with Cloud Storage here, and touch nothing of the user's."""

from pathlib import Path

import pytest
from tests.support.gcloud import Gcloud, needs_gcloud, needs_gsutil
from tests.support.localcloud import RunningCloud


@pytest.fixture
def gcloud(module_cloud: RunningCloud, tmp_path: Path) -> Gcloud:
    return Gcloud(module_cloud, tmp_path)


def bucket_of(cloud: RunningCloud, name: str) -> str:
    cloud.storage_client().create_bucket(name, location="us-central1")
    return f"gs://{name}"


@needs_gcloud
@pytest.mark.long
def test_a_file_goes_up_and_comes_back(gcloud: Gcloud) -> None:
    bucket = bucket_of(gcloud.cloud, "up-and-down")
    (gcloud.home / "é.txt").write_text("hello")
    gcloud("storage", "cp", "é.txt", f"{bucket}/a/")
    assert gcloud("storage", "ls", f"{bucket}/a/").split() == [f"{bucket}/a/é.txt"]
    assert gcloud("storage", "cat", f"{bucket}/a/é.txt") == "hello"
    # The user's own configuration is where it was: nowhere.
    assert not (gcloud.home / ".config").exists()


@needs_gsutil
@pytest.mark.long
def test_gsutil_puts_a_file(gcloud: Gcloud) -> None:
    bucket = bucket_of(gcloud.cloud, "by-gsutil")
    (gcloud.home / "one.txt").write_text("hello")
    gcloud.gsutil("cp", "one.txt", f"{bucket}/")
    (blob,) = gcloud.cloud.storage_client().list_blobs("by-gsutil")
    assert blob.download_as_text() == "hello"


@needs_gsutil
@pytest.mark.long
def test_gsutil_lists_what_there_is(gcloud: Gcloud) -> None:
    bucket = bucket_of(gcloud.cloud, "gsutil-lists")
    client = gcloud.cloud.storage_client()
    for name in ("a.txt", "b/c.txt"):
        client.bucket("gsutil-lists").blob(name).upload_from_string("x")
    assert gcloud.gsutil("ls", bucket).split() == [f"{bucket}/a.txt", f"{bucket}/b/"]
    assert f"{bucket}/" in gcloud.gsutil("ls", "-p", gcloud.cloud.project).split()
    assert gcloud.gsutil("cat", f"{bucket}/b/c.txt") == "x"
    gcloud.gsutil("-m", "rm", "-r", bucket)
    assert client.lookup_bucket("gsutil-lists") is None


@needs_gcloud
@pytest.mark.long
def test_a_bucket_from_its_making_to_its_end(gcloud: Gcloud) -> None:
    bucket = "gs://by-gcloud"
    gcloud("storage", "buckets", "create", bucket, "--location", "us-central1")
    found = gcloud("storage", "buckets", "list", "--format", "value(name,location)")
    assert ["by-gcloud", "US-CENTRAL1"] in [line.split() for line in found.splitlines()]
    member, role = "user:a@example.com", "roles/storage.objectViewer"
    gcloud(
        "storage", "buckets", "add-iam-policy-binding", bucket, "--member", member, "--role", role
    )  # fmt: skip
    assert member in gcloud("storage", "buckets", "get-iam-policy", bucket)
    (gcloud.home / "d").mkdir()
    for name in ("one.txt", "two.txt"):
        (gcloud.home / "d" / name).write_text(name)
    gcloud("storage", "cp", "-r", "d", f"{bucket}/")
    assert gcloud("storage", "ls", "-l", f"{bucket}/**").count("gs://") == 2
    gcloud("storage", "mv", f"{bucket}/d/one.txt", f"{bucket}/three.txt")
    gcloud("storage", "cp", f"{bucket}/three.txt", "back.txt")
    assert (gcloud.home / "back.txt").read_text() == "one.txt"
    gcloud("storage", "rm", f"{bucket}/three.txt")
    gcloud("storage", "rm", "--recursive", bucket)
    assert gcloud.cloud.storage_client().lookup_bucket("by-gcloud") is None


@needs_gcloud
@pytest.mark.long
def test_a_large_file_is_sent_in_parts_and_comes_back_whole(gcloud: Gcloud) -> None:
    bucket = bucket_of(gcloud.cloud, "large-files")
    data = bytes(range(256)) * 4096 * 40
    (gcloud.home / "large.bin").write_bytes(data)
    gcloud("storage", "cp", "large.bin", f"{bucket}/")
    gcloud("storage", "cp", f"{bucket}/large.bin", "back.bin")
    assert (gcloud.home / "back.bin").read_bytes() == data


@needs_gcloud
@pytest.mark.long
def test_what_is_not_there_is_said(gcloud: Gcloud) -> None:
    done = gcloud.run(["gcloud", "storage", "ls", "gs://never-made"])
    assert done.returncode == 1
    assert "gs://never-made not found: 404" in done.stderr
