"""Buckets through the official client: fields, defaults, names, policy, notifications, deletion."""

import uuid

import pytest
from google.api_core import exceptions
from google.cloud import storage
from tests.support.localcloud import RunningCloud


@pytest.fixture
def client(module_cloud: RunningCloud) -> storage.Client:
    return module_cloud.storage_client()


@pytest.fixture
def name() -> str:
    return f"bucket-{uuid.uuid4().hex[:12]}"


def test_a_bucket_keeps_what_it_was_created_with(client: storage.Client, name: str) -> None:
    wanted = client.bucket(name)
    wanted.labels = {"managed-by": "gpupipe"}
    wanted.iam_configuration.uniform_bucket_level_access_enabled = True
    wanted.iam_configuration.public_access_prevention = "enforced"
    wanted.versioning_enabled = True
    client.create_bucket(wanted, location="us-central1")
    found = client.get_bucket(name)
    assert found.location == "US-CENTRAL1"
    assert found.storage_class == "STANDARD"
    assert found.labels == {"managed-by": "gpupipe"}
    assert found.versioning_enabled
    assert found.iam_configuration.uniform_bucket_level_access_enabled
    assert found.iam_configuration.public_access_prevention == "enforced"
    assert found.soft_delete_policy.retention_duration_seconds == 604800
    assert found.metageneration == 1
    assert found.project_number


def test_a_bucket_without_a_location_is_in_us(client: storage.Client, name: str) -> None:
    found = client.create_bucket(name)
    assert (found.location, found.location_type) == ("US", "multi-region")


def test_patch_changes_what_it_names_and_counts(client: storage.Client, name: str) -> None:
    bucket = client.create_bucket(name)
    bucket.labels = {"a": "1", "b": "2"}
    bucket.patch()
    bucket.labels = {"b": "3"}
    bucket.soft_delete_policy.retention_duration_seconds = 0
    bucket.patch(if_metageneration_match=2)
    found = client.get_bucket(name)
    assert found.labels == {"b": "3"}
    assert found.soft_delete_policy.retention_duration_seconds == 0
    assert found.metageneration == 3
    with pytest.raises(exceptions.PreconditionFailed):
        found.patch(if_metageneration_match=1)


def test_update_replaces_all_fields(client: storage.Client, name: str) -> None:
    bucket = client.create_bucket(name)
    bucket.labels = {"a": "1"}
    bucket.patch()
    bucket._properties.pop("labels")
    bucket.update()
    assert client.get_bucket(name).labels == {}


def test_lifecycle_and_retention_are_kept(client: storage.Client, name: str) -> None:
    bucket = client.create_bucket(name)
    bucket.add_lifecycle_delete_rule(age=30, matches_prefix=["chunks/"])
    bucket.add_lifecycle_delete_rule(days_since_noncurrent_time=1)
    bucket.retention_period = 60
    bucket.patch()
    found = client.get_bucket(name)
    assert [rule["condition"] for rule in found.lifecycle_rules] == [
        {"age": 30, "matchesPrefix": ["chunks/"]},
        {"daysSinceNoncurrentTime": 1},
    ]
    assert found.retention_period == 60


@pytest.mark.parametrize("storage_class", ["STANDARD", "NEARLINE", "COLDLINE", "ARCHIVE"])
def test_storage_class(client: storage.Client, name: str, storage_class: str) -> None:
    bucket = client.bucket(name)
    bucket.storage_class = storage_class
    client.create_bucket(bucket)
    blob = client.bucket(name).blob("o")
    blob.upload_from_string("x")
    assert (client.get_bucket(name).storage_class, blob.storage_class) == (storage_class,) * 2


def test_a_name_is_taken_for_all_projects(client: storage.Client, name: str) -> None:
    client.create_bucket(name)
    with pytest.raises(exceptions.Conflict, match="already own it"):
        client.create_bucket(name)


@pytest.mark.parametrize("bad", ["Ab-c", "goog-data", "10.0.0.1", "ab"])
def test_a_bad_name_is_refused(client: storage.Client, bad: str) -> None:
    bucket = storage.Bucket(client)
    bucket.name = bad
    with pytest.raises(exceptions.BadRequest, match="Invalid bucket name"):
        client.create_bucket(bucket)


@pytest.mark.parametrize("location", ["nowhere", "us central1"])
def test_a_bad_location_is_refused(client: storage.Client, name: str, location: str) -> None:
    with pytest.raises(exceptions.BadRequest, match="location constraint"):
        client.create_bucket(name, location=location)


def test_what_is_not_emulated_is_refused_by_name(client: storage.Client, name: str) -> None:
    bucket = client.bucket(name)
    bucket.requester_pays = True
    with pytest.raises(exceptions.BadRequest, match="'billing'"):
        client.create_bucket(bucket)
    assert client.lookup_bucket(name) is None


def test_a_bucket_that_is_not_there(client: storage.Client, name: str) -> None:
    with pytest.raises(exceptions.NotFound, match="specified bucket does not exist"):
        client.get_bucket(name)
    with pytest.raises(exceptions.NotFound, match="specified bucket does not exist"):
        list(client.list_blobs(name))


def test_buckets_are_listed_in_pages(client: storage.Client, name: str) -> None:
    names = [f"{name}-{i}" for i in range(3)]
    for each in names:
        client.create_bucket(each)
    assert [b.name for b in client.list_buckets(prefix=name, page_size=2)] == names


@pytest.mark.promise(137)
def test_a_bucket_with_content_stays(client: storage.Client, name: str) -> None:
    bucket = client.bucket(name)
    bucket.versioning_enabled = True
    client.create_bucket(bucket)
    bucket.blob("o").upload_from_string("x")
    bucket.blob("o").delete()
    with pytest.raises(exceptions.Conflict, match="not empty"):
        bucket.delete()
    for blob in client.list_blobs(name, versions=True):
        blob.delete()
    # what is left is soft-deleted, and does not count
    assert list(client.list_blobs(name, soft_deleted=True))
    bucket.delete()
    assert client.lookup_bucket(name) is None


def test_the_policy_is_kept_and_guarded_by_its_etag(client: storage.Client, name: str) -> None:
    bucket = client.create_bucket(name)
    policy = bucket.get_iam_policy(requested_policy_version=3)
    stale = bucket.get_iam_policy(requested_policy_version=3)
    policy.bindings.append({"role": "roles/storage.objectViewer", "members": {"user:a@b.example"}})
    bucket.set_iam_policy(policy)
    found = bucket.get_iam_policy(requested_policy_version=3)
    assert {"role": "roles/storage.objectViewer", "members": {"user:a@b.example"}} in [
        {"role": b["role"], "members": set(b["members"])} for b in found.bindings
    ]
    with pytest.raises(exceptions.Conflict, match="concurrent policy changes"):
        bucket.set_iam_policy(stale)


@pytest.mark.promise(122)
def test_public_access_is_refused_where_it_is_prevented(client: storage.Client, name: str) -> None:
    bucket = client.bucket(name)
    bucket.iam_configuration.public_access_prevention = "enforced"
    client.create_bucket(bucket)
    policy = bucket.get_iam_policy(requested_policy_version=3)
    policy.bindings.append({"role": "roles/storage.objectViewer", "members": {"allUsers"}})
    with pytest.raises(exceptions.PreconditionFailed, match="public access prevention"):
        bucket.set_iam_policy(policy)


def test_permissions_that_the_caller_holds(client: storage.Client, name: str) -> None:
    bucket = client.create_bucket(name)
    asked = ["storage.objects.get", "storage.buckets.delete"]
    assert sorted(bucket.test_iam_permissions(asked)) == sorted(asked)


def test_notifications(module_cloud: RunningCloud, client: storage.Client, name: str) -> None:
    module_cloud.topic("topic")
    bucket = client.create_bucket(name)
    made = bucket.notification(
        "topic", event_types=["OBJECT_FINALIZE"], payload_format="JSON_API_V1"
    )
    made.create()
    (found,) = bucket.list_notifications()
    assert (found.topic_name, found.event_types) == ("topic", ["OBJECT_FINALIZE"])
    assert bucket.get_notification(found.notification_id).payload_format == "JSON_API_V1"
    found.delete()
    assert list(bucket.list_notifications()) == []
    with pytest.raises(exceptions.NotFound):
        found.delete()


def test_the_storage_agent(client: storage.Client) -> None:
    email = client.get_service_account_email()
    assert email.endswith("@gs-project-accounts.iam.gserviceaccount.com")
