"""What a user of the official client does with buckets, written from its documentation alone."""

import datetime as dt
import uuid

import pytest
from google.api_core import exceptions
from google.cloud import storage
from google.cloud.storage import constants
from tests.support.localcloud import RunningCloud

DAY_S = 86400


@pytest.fixture
def client(module_cloud: RunningCloud) -> storage.Client:
    return module_cloud.storage_client()


@pytest.fixture
def bucket(client: storage.Client) -> storage.Bucket:
    return client.create_bucket(f"client-{uuid.uuid4().hex[:12]}", location="europe-west4")


def test_a_new_bucket_has_its_output_fields(bucket: storage.Bucket) -> None:
    assert bucket.exists()
    assert bucket.id == bucket.name
    assert bucket.location_type == "region"
    assert bucket.time_created <= dt.datetime.now(dt.UTC)
    assert bucket.updated == bucket.time_created
    assert bucket.etag
    assert bucket.self_link.endswith(f"/b/{bucket.name}")
    assert bucket.storage_class == constants.STANDARD_STORAGE_CLASS
    assert not bucket.versioning_enabled
    assert bucket.retention_period is None
    assert not bucket.default_event_based_hold
    assert bucket.labels == {}
    assert list(bucket.lifecycle_rules) == []


def test_a_bucket_that_is_not_there(client: storage.Client) -> None:
    missing = client.bucket(f"missing-{uuid.uuid4().hex}")
    assert not missing.exists()
    assert client.lookup_bucket(missing) is None
    for call in (missing.reload, missing.delete, missing.patch, missing.get_iam_policy):
        with pytest.raises(exceptions.NotFound):
            call()


def test_bucket_etag_conditions(bucket: storage.Bucket) -> None:
    bucket.reload(if_etag_match=bucket.etag)
    with pytest.raises(exceptions.PreconditionFailed):
        bucket.reload(if_etag_match="other")
    with pytest.raises(exceptions.NotModified):
        bucket.reload(if_etag_not_match=[bucket.etag])


def test_bucket_metageneration_conditions(bucket: storage.Bucket) -> None:
    bucket.reload(if_metageneration_match=1)
    with pytest.raises(exceptions.NotModified):
        bucket.reload(if_metageneration_not_match=1)
    with pytest.raises(exceptions.PreconditionFailed):
        bucket.delete(if_metageneration_match=2)
    bucket.delete(if_metageneration_match=1)
    assert not bucket.exists()


def test_every_lifecycle_builder_reads_back(bucket: storage.Bucket) -> None:
    day = dt.date(2026, 1, 31)
    bucket.add_lifecycle_delete_rule(
        age=1,
        created_before=day,
        is_live=False,
        matches_storage_class=["NEARLINE"],
        number_of_newer_versions=3,
        matches_prefix=["a/"],
        matches_suffix=[".tmp"],
    )
    bucket.add_lifecycle_delete_rule(days_since_custom_time=2, custom_time_before=day)
    bucket.add_lifecycle_delete_rule(days_since_noncurrent_time=2, noncurrent_time_before=day)
    bucket.add_lifecycle_set_storage_class_rule("COLDLINE", age=10)
    bucket.add_lifecycle_abort_incomplete_multipart_upload_rule(age=7)
    wanted = list(bucket.lifecycle_rules)
    bucket.patch()
    bucket.reload()
    assert list(bucket.lifecycle_rules) == wanted
    bucket.clear_lifecyle_rules()
    bucket.patch()
    bucket.reload()
    assert list(bucket.lifecycle_rules) == []


def test_versioning_can_be_suspended(bucket: storage.Bucket) -> None:
    for wanted in (True, False):
        bucket.versioning_enabled = wanted
        bucket.patch()
        bucket.reload()
        assert bucket.versioning_enabled is wanted


def test_the_default_class_of_new_objects(bucket: storage.Bucket) -> None:
    bucket.storage_class = "NEARLINE"
    bucket.patch()
    blob = bucket.blob("o")
    blob.upload_from_string("x")
    assert blob.storage_class == "NEARLINE"


def test_labels_are_added_and_removed_one_by_one(bucket: storage.Bucket) -> None:
    bucket.labels = {"team": "ml", "stage": "dev"}
    bucket.patch()
    bucket.reload()
    labels = bucket.labels
    del labels["stage"]
    labels["env"] = "test_1"
    bucket.labels = labels
    bucket.patch()
    bucket.reload()
    assert bucket.labels == {"team": "ml", "env": "test_1"}


def test_soft_delete_policy(bucket: storage.Bucket) -> None:
    for seconds in (90 * DAY_S, 0, 7 * DAY_S):
        bucket.soft_delete_policy.retention_duration_seconds = seconds
        bucket.patch()
        bucket.reload()
        assert bucket.soft_delete_policy.retention_duration_seconds == seconds
    assert bucket.soft_delete_policy.effective_time


def test_default_event_based_hold(bucket: storage.Bucket) -> None:
    bucket.default_event_based_hold = True
    bucket.patch()
    blob = bucket.blob("held")
    blob.upload_from_string("x")
    assert blob.event_based_hold
    with pytest.raises(exceptions.Forbidden, match="Event-Based hold"):
        blob.delete()


def test_a_retention_policy_is_set_lengthened_and_removed(bucket: storage.Bucket) -> None:
    bucket.retention_period = DAY_S
    bucket.patch()
    bucket.reload()
    assert bucket.retention_policy_effective_time
    assert not bucket.retention_policy_locked
    bucket.retention_period = 2 * DAY_S
    bucket.patch()
    bucket.retention_period = None
    bucket.patch()
    bucket.reload()
    assert bucket.retention_period is None


def test_a_locked_retention_policy_only_grows(bucket: storage.Bucket) -> None:
    bucket.retention_period = DAY_S
    bucket.patch()
    bucket.lock_retention_policy()
    assert bucket.retention_policy_locked
    bucket.reload()
    assert bucket.retention_policy_locked
    bucket.retention_period = 2 * DAY_S
    bucket.patch()
    bucket.reload()
    assert (bucket.retention_period, bucket.retention_policy_locked) == (2 * DAY_S, True)
    for seconds in (DAY_S, None):
        bucket.retention_period = seconds
        with pytest.raises(exceptions.Forbidden, match="locked Retention Policy"):
            bucket.patch()


def test_uniform_access_has_a_deadline_for_going_back(bucket: storage.Bucket) -> None:
    bucket.iam_configuration.uniform_bucket_level_access_enabled = True
    bucket.patch()
    bucket.reload()
    deadline = bucket.iam_configuration.uniform_bucket_level_access_locked_time
    assert deadline - bucket.updated == dt.timedelta(days=90)
    bucket.iam_configuration.uniform_bucket_level_access_enabled = False
    bucket.patch()
    bucket.reload()
    assert not bucket.iam_configuration.uniform_bucket_level_access_enabled
    assert bucket.iam_configuration.uniform_bucket_level_access_locked_time is None


def test_public_access_prevention(bucket: storage.Bucket) -> None:
    assert bucket.iam_configuration.public_access_prevention == "inherited"
    bucket.iam_configuration.public_access_prevention = constants.PUBLIC_ACCESS_PREVENTION_ENFORCED
    bucket.patch()
    bucket.reload()
    assert bucket.iam_configuration.public_access_prevention == "enforced"


def test_policy_bindings_come_and_go(bucket: storage.Bucket) -> None:
    binding = {"role": "roles/storage.objectViewer", "members": {"user:someone@example.com"}}
    policy = bucket.get_iam_policy(requested_policy_version=3)
    policy.bindings.append(binding)
    bucket.set_iam_policy(policy)
    found = bucket.get_iam_policy(requested_policy_version=3)
    assert [b for b in found.bindings if b["role"] == binding["role"]] == [binding]
    found.bindings = [b for b in found.bindings if b["role"] != binding["role"]]
    bucket.set_iam_policy(found)
    roles = {b["role"] for b in bucket.get_iam_policy(requested_policy_version=3).bindings}
    assert binding["role"] not in roles


def test_a_condition_of_a_binding_is_refused_or_kept_never_dropped(
    bucket: storage.Bucket,
) -> None:
    policy = bucket.get_iam_policy(requested_policy_version=3)
    policy.version = 3
    condition = {"title": "soon", "expression": 'request.time < timestamp("2030-01-01T00:00:00Z")'}
    policy.bindings.append(
        {
            "role": "roles/storage.objectViewer",
            "members": {"user:someone@example.com"},
            "condition": condition,
        }
    )
    with pytest.raises(exceptions.BadRequest, match="condition"):
        bucket.set_iam_policy(policy)


def test_permissions_of_the_caller(bucket: storage.Bucket) -> None:
    asked = ["storage.objects.create", "storage.buckets.update"]
    assert bucket.test_iam_permissions(asked) == asked


def test_a_notification_with_all_its_fields(
    module_cloud: RunningCloud, bucket: storage.Bucket
) -> None:
    module_cloud.topic("events", "other-project")
    made = bucket.notification(
        topic_name="events",
        topic_project="other-project",
        custom_attributes={"a": "b"},
        event_types=["OBJECT_FINALIZE", "OBJECT_DELETE"],
        blob_name_prefix="in/",
        payload_format="NONE",
    )
    made.create()
    assert made.exists()
    made.reload()
    (found,) = bucket.list_notifications()
    assert bucket.get_notification(made.notification_id).path == found.path
    assert found.topic_project == "other-project"
    assert found.custom_attributes == {"a": "b"}
    assert found.blob_name_prefix == "in/"
    assert found.payload_format == "NONE"
    assert found.etag
    made.delete()
    assert not made.exists()


def test_buckets_of_a_project_in_pages(client: storage.Client) -> None:
    stem = f"page-{uuid.uuid4().hex[:8]}"
    for number in range(5):
        client.create_bucket(f"{stem}-{number}")
    pages = [[b.name for b in page] for page in client.list_buckets(prefix=stem, page_size=2).pages]
    assert [len(page) for page in pages] == [2, 2, 1]
    assert len(list(client.list_buckets(prefix=stem, max_results=3))) == 3
    (one,) = client.list_buckets(prefix=f"{stem}-4", fields="items(name,location),nextPageToken")
    assert (one.name, one.location, one.etag) == (f"{stem}-4", "US", None)


def test_force_deletes_what_is_in_it(bucket: storage.Bucket) -> None:
    for number in range(3):
        bucket.blob(f"o{number}").upload_from_string("x")
    with pytest.raises(exceptions.Conflict):
        bucket.delete()
    bucket.delete(force=True)
    assert not bucket.exists()


def test_a_name_can_be_used_again(client: storage.Client, bucket: storage.Bucket) -> None:
    bucket.delete()
    again = client.create_bucket(bucket.name, location="us-east1")
    assert again.location == "US-EAST1"


def test_a_bucket_of_another_project_is_hidden_and_taken(
    module_cloud: RunningCloud, bucket: storage.Bucket
) -> None:
    module_cloud.kernel.projects.ensure("other-tenant")
    token = module_cloud.account_token("maker-1", "other-tenant")
    email = "serviceAccount:maker-1@other-tenant.iam.gserviceaccount.com"
    module_cloud.kernel.policies.grant("projects/other-tenant", "roles/storage.admin", email)
    module_cloud.enable("storage.googleapis.com", project="other-tenant")
    stranger = module_cloud.storage_client("other-tenant", token)
    with pytest.raises(exceptions.Forbidden):
        stranger.get_bucket(bucket.name)
    with pytest.raises(exceptions.Conflict, match="not available"):
        stranger.create_bucket(bucket.name)
    stranger.create_bucket(f"{bucket.name}-mine").delete()


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("cors", lambda b: setattr(b, "cors", [{"origin": ["*"], "method": ["GET"]}])),
        ("website", lambda b: b.configure_website("index.html", "404.html")),
        ("logging", lambda b: b.enable_logging("logs")),
        ("billing", lambda b: setattr(b, "requester_pays", True)),
        ("autoclass", lambda b: setattr(b, "autoclass_enabled", True)),
        ("rpo", lambda b: setattr(b, "rpo", constants.RPO_ASYNC_TURBO)),
        ("hierarchicalNamespace", lambda b: setattr(b, "hierarchical_namespace_enabled", True)),
    ],
)
def test_a_field_that_is_not_emulated_is_named(
    bucket: storage.Bucket, name: str, change: object
) -> None:
    change(bucket)  # type: ignore[operator]
    with pytest.raises(exceptions.BadRequest, match=f"does not emulate.*{name}"):
        bucket.patch()


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("acl", lambda b: b.acl.reload()),
        ("acl", lambda b: b.make_public()),
        ("defaultObjectAcl", lambda b: b.default_object_acl.reload()),
        ("hmacKeys", lambda b: b.client.create_hmac_key("a@b.iam.gserviceaccount.com")),
        ("hmacKeys", lambda b: list(b.client.list_hmac_keys())),
        ("softDeleted", lambda b: list(b.client.list_buckets(soft_deleted=True))),
        ("restore", lambda b: b.client.restore_bucket(b.name, generation=1)),
        ("enableObjectRetention", lambda b: make(b, enable_object_retention=True)),
        ("predefinedAcl", lambda b: make(b, predefined_acl="private")),
        ("predefinedDefaultObjectAcl", lambda b: make(b, predefined_default_object_acl="private")),
        ("customPlacementConfig", lambda b: make(b, data_locations=["US-EAST1", "US-WEST1"])),
    ],
)
def test_a_method_that_is_not_emulated_is_named(
    bucket: storage.Bucket, name: str, call: object
) -> None:
    with pytest.raises(exceptions.BadRequest, match=f"does not emulate.*{name}"):
        call(bucket)  # type: ignore[operator]


def make(bucket: storage.Bucket, **options: object) -> None:
    bucket.client.create_bucket(f"other-{uuid.uuid4().hex}", **options)
