"""Who may do what: service accounts with the roles that the pipeline gives them."""

import uuid

import httpx
import pytest
from google.api_core import exceptions
from google.cloud import storage
from tests.support.localcloud import RunningCloud


class Scene:
    """A bucket, and clients of a service account with some roles on it."""

    def __init__(self, cloud: RunningCloud) -> None:
        self._cloud = cloud
        self.bucket: storage.Bucket = cloud.storage_client().create_bucket(
            f"access-{uuid.uuid4().hex[:12]}"
        )

    def as_account(self, *roles: str) -> storage.Bucket:
        """The bucket as a new service account with these roles sees it."""
        account = f"sa-{uuid.uuid4().hex[:12]}"
        token = self._cloud.account_token(account)
        email = f"{account}@{self._cloud.project}.iam.gserviceaccount.com"
        policy = self.bucket.get_iam_policy(requested_policy_version=3)
        for role in roles:
            policy.bindings.append({"role": role, "members": {f"serviceAccount:{email}"}})
        self.bucket.set_iam_policy(policy)
        client = self._cloud.storage_client(token=token)
        return client.bucket(self.bucket.name)


@pytest.fixture
def scene(module_cloud: RunningCloud) -> Scene:
    return Scene(module_cloud)


@pytest.mark.promise(43)
def test_a_viewer_reads_and_lists_and_writes_nothing(scene: Scene) -> None:
    scene.bucket.blob("o").upload_from_string("data")
    seen = scene.as_account("roles/storage.objectViewer")
    assert seen.blob("o").download_as_bytes() == b"data"
    assert [b.name for b in seen.client.list_blobs(seen)] == ["o"]
    with pytest.raises(exceptions.NotFound):
        seen.blob("nothing").reload()
    for forbidden in (
        lambda: seen.blob("p").upload_from_string("x"),
        lambda: seen.blob("o").delete(),
        lambda: seen.blob("o").patch(),
        seen.reload,
        seen.get_iam_policy,
    ):
        with pytest.raises(exceptions.Forbidden):
            forbidden()


@pytest.mark.promise(43)
def test_a_creator_writes_new_names_but_overwrites_and_reads_nothing(scene: Scene) -> None:
    seen = scene.as_account("roles/storage.objectCreator")
    seen.blob("new").upload_from_string("1")
    for kind in (None, 256 * 1024):
        blob = seen.blob("new", chunk_size=kind)
        with pytest.raises(exceptions.Forbidden, match=r"storage\.objects\.delete"):
            blob.upload_from_string("2")
    with pytest.raises(exceptions.Forbidden):
        seen.blob("new").download_as_bytes()
    assert scene.bucket.blob("new").download_as_bytes() == b"1"


def test_a_creator_who_asks_for_absence_gets_412_or_403(scene: Scene) -> None:
    seen = scene.as_account("roles/storage.objectCreator")
    seen.blob("once").upload_from_string("1", if_generation_match=0)
    with pytest.raises((exceptions.PreconditionFailed, exceptions.Forbidden)):
        seen.blob("once").upload_from_string("2", if_generation_match=0)


def test_the_refusal_does_not_tell_whether_the_object_exists(scene: Scene) -> None:
    scene.bucket.blob("there").upload_from_string("data")
    seen = scene.as_account()
    texts = []
    for name in ("there", "nothing"):
        with pytest.raises(exceptions.Forbidden) as refusal:
            seen.blob(name).reload()
        texts.append(refusal.value.message.partition("?")[2])
    assert texts[0] == texts[1]
    assert "does not have storage.objects.get access" in texts[0]
    assert "(or it may not exist)" in texts[0]


def test_an_account_of_the_project_may_not_make_buckets(scene: Scene) -> None:
    seen = scene.as_account("roles/storage.objectViewer")
    with pytest.raises(exceptions.Forbidden, match=r"storage\.buckets\.create"):
        seen.client.create_bucket(f"mine-{uuid.uuid4().hex[:12]}")


def test_copying_needs_both_sides(scene: Scene) -> None:
    blob = scene.bucket.blob("o")
    blob.upload_from_string("data")
    viewer = scene.as_account("roles/storage.objectViewer")
    with pytest.raises(exceptions.Forbidden, match=r"storage\.objects\.create"):
        viewer.copy_blob(viewer.blob("o"), viewer, "copy")
    creator = scene.as_account("roles/storage.objectCreator")
    with pytest.raises(exceptions.Forbidden, match=r"storage\.objects\.get"):
        creator.copy_blob(creator.blob("o"), creator, "copy")


def test_a_session_of_someone_else_is_not_there(scene: Scene, module_cloud: RunningCloud) -> None:
    seen = scene.as_account("roles/storage.objectCreator")
    session = seen.blob("theirs").create_resumable_upload_session()
    headers = {"Authorization": f"Bearer {module_cloud.token}"}
    assert httpx.put(session, content=b"x", headers=headers, trust_env=False).status_code == 404


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}])
def test_without_a_token_nothing_is_answered(
    module_cloud: RunningCloud, scene: Scene, headers: dict[str, str]
) -> None:
    address = f"{module_cloud.http}/storage/v1/b/{scene.bucket.name}"
    assert httpx.get(address, headers=headers, trust_env=False).status_code == 401
