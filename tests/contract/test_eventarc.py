"""Eventarc v1 through the official client: triggers of Cloud Storage, and what refuses them."""

import json
import queue
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from google import pubsub_v1
from google.api_core import exceptions
from google.cloud import eventarc_v1
from google.protobuf.field_mask_pb2 import FieldMask
from tests.support.localcloud import RunningCloud

from gpupipe.localcloud.kernel import workflow_runs
from gpupipe.localcloud.kernel.logs import LogEntry

FINALIZED = "google.cloud.storage.object.v1.finalized"
REGION = "us-central1"


@dataclass
class EventarcTester:
    """A project with everything that a trigger needs; tests take something away."""

    cloud: RunningCloud

    def __post_init__(self) -> None:
        apis = ("eventarc", "pubsub", "workflowexecutions")
        self.cloud.enable(*(f"{api}.googleapis.com" for api in apis))
        agents = self.cloud.kernel.agents
        agents.create("eventarc.googleapis.com", self.cloud.project)
        storage = agents.create("storage.googleapis.com", self.cloud.project)
        self.publisher = f"serviceAccount:{storage}"
        self.account = self.new_account("trigger")
        self.member = f"serviceAccount:{self.account}"
        self.grant("roles/pubsub.publisher", self.publisher)
        self.grant("roles/eventarc.eventReceiver", self.member)
        self.workflow = self.put_workflow("flow")
        self.triggers = self.cloud.client(eventarc_v1.EventarcClient)
        self.cloud.storage_client().create_bucket("demo-input", location=REGION)

    @property
    def parent(self) -> str:
        return f"projects/{self.cloud.project}/locations/{REGION}"

    def new_account(self, account_id: str) -> str:
        self.cloud.account_token(account_id)
        return f"{account_id}@{self.cloud.project}.iam.gserviceaccount.com"

    def grant(self, role: str, member: str) -> None:
        self.cloud.kernel.policies.grant(f"projects/{self.cloud.project}", role, member)

    def revoke(self, role: str) -> None:
        """Remove every binding of a role on the project."""
        policies, name = self.cloud.kernel.policies, f"projects/{self.cloud.project}"
        policy = policies.get(name)
        kept = [binding for binding in policy.bindings if binding.role != role]
        del policy.bindings[:]
        policy.bindings.extend(kept)
        policies.set(name, policy, known_member=self.cloud.kernel.identity.knows)

    def put_workflow(self, workflow_id: str) -> str:
        """A stored workflow, behind the wire: Eventarc only asks whether it is there."""
        name = f"{self.parent}/workflows/{workflow_id}"
        body = workflow_runs.Workflow(name=name).SerializeToString()
        self.cloud.kernel.resources.put(workflow_runs.KIND, name, self.parent, body)
        return name

    def trigger(self, bucket: str = "demo-input", **fields: Any) -> eventarc_v1.Trigger:
        """A trigger as gpupipe writes it."""
        return eventarc_v1.Trigger(
            {
                "event_filters": [
                    {"attribute": "type", "value": FINALIZED},
                    {"attribute": "bucket", "value": bucket},
                ],
                "destination": {"workflow": self.workflow},
                "service_account": self.account,
                "labels": {"managed-by": "gpupipe"},
                **fields,
            }
        )

    def create(
        self, trigger_id: str = "on-upload", token: str | None = None, **fields: Any
    ) -> eventarc_v1.Trigger:
        """Create a trigger and wait for it."""
        return self.send({"parent": self.parent, "trigger_id": trigger_id}, token, **fields)

    def send(
        self, request: dict[str, Any], token: str | None = None, **fields: Any
    ) -> eventarc_v1.Trigger:
        client = self.cloud.client(eventarc_v1.EventarcClient, token) if token else self.triggers
        whole = {"trigger": self.trigger(**fields), **request}
        operation = client.create_trigger(request=whole, timeout=10)
        made: eventarc_v1.Trigger = operation.result(timeout=10)
        return made

    def update(self, trigger: eventarc_v1.Trigger, *paths: str) -> eventarc_v1.Trigger:
        request = {"trigger": trigger, "update_mask": FieldMask(paths=paths)}
        operation = self.triggers.update_trigger(request=request, timeout=10)
        changed: eventarc_v1.Trigger = operation.result(timeout=10)
        return changed

    def first_log_entry(self) -> LogEntry:
        """What is said first of a delivery, once it is."""
        deadline = time.monotonic() + 20
        while not (entries := self.cloud.kernel.logs.query(self.cloud.project, log_name=self.log)):
            assert time.monotonic() < deadline
        return entries[0]

    @property
    def log(self) -> str:
        return f"projects/{self.cloud.project}/logs/eventarc.googleapis.com%2Fdelivery"

    def get(self, name: str) -> eventarc_v1.Trigger:
        return self.triggers.get_trigger(name=name, timeout=5)


@pytest.fixture
def tester(local_cloud: RunningCloud) -> EventarcTester:
    return EventarcTester(local_cloud)


def test_a_created_trigger_is_complete_and_found(tester: EventarcTester) -> None:
    created = tester.create()
    assert created.name == f"{tester.parent}/triggers/on-upload"
    project = tester.cloud.project
    assert created.transport.pubsub.topic.startswith(f"projects/{project}/topics/eventarc-")
    carrier = created.transport.pubsub.subscription
    assert carrier.startswith(f"projects/{project}/subscriptions/eventarc-")
    assert created.destination.workflow == tester.workflow
    assert created.service_account == tester.account
    assert created.event_data_content_type == "application/json"
    assert created.uid
    assert created.etag
    assert created.create_time == created.update_time
    assert dict(created.labels) == {"managed-by": "gpupipe"}
    assert tester.get(created.name) == created


def test_the_etag_of_a_new_trigger_is_the_servers(tester: EventarcTester) -> None:
    assert tester.create(etag="mine").etag not in {"", "mine"}


def test_lists_go_page_by_page(tester: EventarcTester) -> None:
    names = [tester.create(f"on-{number}").name for number in range(3)]
    request = {"parent": tester.parent, "page_size": 2}
    pages = list(tester.triggers.list_triggers(request=request, timeout=5).pages)
    assert [[one.name for one in page.triggers] for page in pages] == [names[:2], names[2:]]


def test_a_trigger_exists_once_until_it_is_deleted(tester: EventarcTester) -> None:
    created = tester.create()
    with pytest.raises(exceptions.AlreadyExists):
        tester.create()
    tester.triggers.delete_trigger(name=created.name, timeout=5).result(timeout=5)
    with pytest.raises(exceptions.NotFound):
        tester.get(created.name)
    assert tester.create().uid != created.uid


def test_deleting_what_is_gone_is_fine_only_when_allowed(tester: EventarcTester) -> None:
    gone = f"{tester.parent}/triggers/gone"
    with pytest.raises(exceptions.NotFound):
        tester.triggers.delete_trigger(name=gone, timeout=5)
    request = {"name": gone, "allow_missing": True}
    tester.triggers.delete_trigger(request=request, timeout=5).result(timeout=5)


def test_an_update_changes_what_the_mask_names(tester: EventarcTester) -> None:
    created = tester.create()
    other = tester.put_workflow("other")
    change = tester.trigger(name=created.name, destination={"workflow": other}, labels={"a": "b"})
    moved = tester.update(change, "destination")
    assert moved.destination.workflow == other
    assert dict(moved.labels) == {"managed-by": "gpupipe"}
    assert moved.uid == created.uid
    assert moved.etag != created.etag
    assert dict(tester.update(change, "labels").labels) == {"a": "b"}


def test_an_update_without_a_mask_takes_what_is_given(tester: EventarcTester) -> None:
    created = tester.create()
    change = eventarc_v1.Trigger(name=created.name, labels={"a": "b"})
    request = eventarc_v1.UpdateTriggerRequest(trigger=change)
    updated = tester.triggers.update_trigger(request=request, timeout=5).result(timeout=5)
    assert dict(updated.labels) == {"a": "b"}
    assert updated.destination == created.destination
    assert updated.service_account == created.service_account


def test_an_update_refuses_fixed_fields_and_an_old_etag(tester: EventarcTester) -> None:
    created = tester.create()
    change = tester.trigger(name=created.name)
    with pytest.raises(exceptions.InvalidArgument, match="transport"):
        tester.update(change, "transport")
    change.etag = "old"
    with pytest.raises(exceptions.Aborted):
        tester.update(change, "labels")


def test_validate_only_checks_and_keeps_nothing(tester: EventarcTester) -> None:
    request = {"parent": tester.parent, "trigger_id": "on-upload", "validate_only": True}
    tester.send(request)
    with pytest.raises(exceptions.NotFound):
        tester.get(f"{tester.parent}/triggers/on-upload")
    publisher = tester.cloud.client(pubsub_v1.PublisherClient)
    assert list(publisher.list_topics(project=f"projects/{tester.cloud.project}")) == []
    assert list(tester.cloud.storage_client().bucket("demo-input").list_notifications()) == []
    with pytest.raises(exceptions.InvalidArgument):
        tester.send(request, bucket="nowhere")


@pytest.mark.parametrize("trigger_id", ["Upload", "1st", "on_upload", "on-", "a" * 64])
def test_ids_that_google_refuses(tester: EventarcTester, trigger_id: str) -> None:
    with pytest.raises(exceptions.InvalidArgument):
        tester.create(trigger_id)


def test_the_trigger_must_be_where_the_bucket_is(tester: EventarcTester) -> None:
    tester.cloud.storage_client().create_bucket("demo-eu", location="EU")
    with pytest.raises(exceptions.InvalidArgument, match='creating the trigger in "eu"'):
        tester.create(bucket="demo-eu")
    request = {"parent": tester.parent.replace(REGION, "eu"), "trigger_id": "on-upload"}
    assert tester.send(request, bucket="demo-eu").name.split("/")[3] == "eu"


def test_bucket_and_workflow_must_exist(tester: EventarcTester) -> None:
    with pytest.raises(exceptions.InvalidArgument, match="nowhere"):
        tester.create(bucket="nowhere")
    with pytest.raises(exceptions.NotFound, match="workflows/missing"):
        tester.create(destination={"workflow": f"{tester.parent}/workflows/missing"})


@pytest.mark.parametrize(
    "extra",
    [
        {"attribute": "subject", "value": "objects/x"},
        {"attribute": "bucket", "value": "demo-input"},
        {"attribute": "type", "value": FINALIZED, "operator": "match-path-pattern"},
    ],
)
def test_only_exact_filters_on_type_and_bucket(
    tester: EventarcTester, extra: dict[str, str]
) -> None:
    given = [{"attribute": "type", "value": FINALIZED}, extra]
    if extra["attribute"] == "bucket":
        given.append(extra)
    elif extra["attribute"] == "type":
        given = [extra, {"attribute": "bucket", "value": "demo-input"}]
    else:
        given.append({"attribute": "bucket", "value": "demo-input"})
    with pytest.raises(exceptions.InvalidArgument):
        tester.create(event_filters=given)


def test_the_storage_agent_must_be_able_to_publish(tester: EventarcTester) -> None:
    tester.revoke("roles/pubsub.publisher")
    with pytest.raises(exceptions.FailedPrecondition, match="unable to publish to Cloud Pub/Sub"):
        tester.create()
    tester.grant("roles/pubsub.publisher", tester.publisher)
    tester.create()


def test_the_eventarc_agent_must_hold_its_role(tester: EventarcTester) -> None:
    tester.revoke("roles/eventarc.serviceAgent")
    with pytest.raises(exceptions.FailedPrecondition, match="Eventarc Service Agent"):
        tester.create()


def test_the_account_must_be_able_to_receive(tester: EventarcTester) -> None:
    tester.revoke("roles/eventarc.eventReceiver")
    with pytest.raises(exceptions.PermissionDenied, match=r"eventarc\.events\.receiveEvent"):
        tester.create()


def test_creating_takes_act_as_on_the_account(tester: EventarcTester) -> None:
    deployer = tester.new_account("deployer")
    tester.grant("roles/eventarc.admin", f"serviceAccount:{deployer}")
    token = tester.cloud.account_token("deployer")
    with pytest.raises(exceptions.PermissionDenied, match="actAs' denied"):
        tester.create(token=token)
    with pytest.raises(exceptions.PermissionDenied, match="actAs' denied"):
        tester.create(service_account="nobody@x.iam.gserviceaccount.com")
    tester.grant("roles/iam.serviceAccountUser", f"serviceAccount:{deployer}")
    tester.create(token=token)


def test_callers_need_the_permission_of_the_method(tester: EventarcTester) -> None:
    created, token = tester.create(), tester.cloud.account_token("stranger")
    stranger = tester.cloud.client(eventarc_v1.EventarcClient, token)
    with pytest.raises(exceptions.PermissionDenied, match=r"eventarc\.triggers\.get"):
        stranger.get_trigger(name=created.name, timeout=5)
    with pytest.raises(exceptions.PermissionDenied, match=r"eventarc\.triggers\.delete"):
        stranger.delete_trigger(name=created.name, timeout=5)


def test_an_uploaded_object_starts_the_workflow_with_its_event(tester: EventarcTester) -> None:
    started: queue.Queue[tuple[str, str]] = queue.Queue()
    tester.cloud.kernel.workflow_runs.register(
        lambda workflow, argument: started.put((workflow, argument)), lambda _: None
    )
    tester.grant("roles/workflows.invoker", tester.member)
    bucket = tester.cloud.storage_client().bucket("demo-input")
    bucket.blob("before.txt").upload_from_string("1")
    tester.create()
    blob = bucket.blob("folder/after.txt")
    blob.upload_from_string("22", content_type="text/plain")
    workflow, argument = started.get(timeout=20)
    event = json.loads(argument)
    assert workflow == tester.workflow
    assert (event["specversion"], event["type"]) == ("1.0", FINALIZED)
    assert event["source"] == "//storage.googleapis.com/projects/_/buckets/demo-input"
    assert (event["bucket"], event["subject"]) == ("demo-input", "objects/folder/after.txt")
    assert event["datacontenttype"] == "application/json"
    assert event["id"]
    assert event["time"]
    assert event["data"]["name"] == "folder/after.txt"
    assert event["data"]["generation"] == str(blob.generation)
    assert event["data"]["size"] == "2"
    assert event["data"]["contentType"] == "text/plain"
    assert started.empty()


def test_topic_subscription_and_notification_are_there_while_the_trigger_is(
    tester: EventarcTester,
) -> None:
    created = tester.create()
    carrier, project = created.transport.pubsub, f"projects/{tester.cloud.project}"
    publisher = tester.cloud.client(pubsub_v1.PublisherClient)
    subscriber = tester.cloud.client(pubsub_v1.SubscriberClient)
    assert publisher.get_topic(topic=carrier.topic, timeout=5).name == carrier.topic
    subscription = subscriber.get_subscription(subscription=carrier.subscription, timeout=5)
    assert subscription.topic == carrier.topic
    kept: object = subscription.message_retention_duration  # a timedelta, whatever its annotation
    assert kept == timedelta(days=1)
    bucket = tester.cloud.storage_client().bucket("demo-input")
    (notification,) = bucket.list_notifications()
    assert notification.topic_name == carrier.topic.rpartition("/")[2]
    assert notification.event_types == ["OBJECT_FINALIZE"]
    tester.triggers.delete_trigger(name=created.name, timeout=5).result(timeout=5)
    assert list(publisher.list_topics(project=project, timeout=5)) == []
    assert list(subscriber.list_subscriptions(project=project, timeout=5)) == []
    assert list(bucket.list_notifications()) == []


def test_an_update_takes_back_what_was_read(tester: EventarcTester) -> None:
    created = tester.create()
    created.labels = {"a": "b"}
    request = eventarc_v1.UpdateTriggerRequest(trigger=created)
    updated = tester.triggers.update_trigger(request=request, timeout=5).result(timeout=5)
    assert dict(updated.labels) == {"a": "b"}
    assert updated.transport == created.transport
    filters = [{"attribute": "type", "value": FINALIZED}, {"attribute": "bucket", "value": "x"}]
    with pytest.raises(exceptions.InvalidArgument, match="filters"):
        tester.update(tester.trigger(name=created.name, event_filters=filters), "event_filters")


def test_an_account_without_the_invoker_is_told_at_delivery(tester: EventarcTester) -> None:
    tester.create()
    tester.cloud.storage_client().bucket("demo-input").blob("a.txt").upload_from_string("1")
    entry = tester.first_log_entry()
    assert "workflows.executions.create" in str(entry.payload)
    assert "tried again in 10 s" in str(entry.payload)
