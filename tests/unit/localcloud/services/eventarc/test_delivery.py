"""Events on their way to workflows: each at least once, over refusals, crashes and restarts."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.support.clock import FakeClock

from gpupipe.localcloud.errors import failed_precondition
from gpupipe.localcloud.kernel import notifications
from gpupipe.localcloud.kernel.faults import Fault, Kind
from gpupipe.localcloud.kernel.kernel import Kernel, build_kernel
from gpupipe.localcloud.kernel.logs import LogEntry
from gpupipe.localcloud.services.eventarc import carriers
from gpupipe.localcloud.services.eventarc.delivery import EVENTS, Delivery
from gpupipe.localcloud.services.eventarc.rules import KIND, Trigger

PROJECT = "projects/demo-project"
PARENT = f"{PROJECT}/locations/us-central1"
WORKFLOW = f"{PARENT}/workflows/flow"
FINALIZED = "google.cloud.storage.object.v1.finalized"
DAY_S = 24 * 3600
EXECUTIONS = "workflowexecutions.googleapis.com"


def event(name: str = "a.txt", bucket: str = "input", kind: str = FINALIZED) -> dict[str, Any]:
    """A CloudEvent as Cloud Storage publishes it."""
    return {
        "specversion": "1.0",
        "id": f"id of {name}",
        "type": kind,
        "source": f"//storage.googleapis.com/projects/_/buckets/{bucket}",
        "subject": f"objects/{name}",
        "time": "2026-01-02T03:04:05.000Z",
        "datacontenttype": "application/json",
        "bucket": bucket,
        "data": {"bucket": bucket, "name": name, "generation": "1", "size": "3"},
    }


class Target:
    """Takes runs as Executions does, except while it fails."""

    def __init__(self) -> None:
        self.runs: list[tuple[str, dict[str, Any]]] = []
        self.failure: Exception | None = None
        self.arrived = threading.Event()

    def start(self, workflow: str, argument: str) -> None:
        if self.failure is not None:
            raise self.failure
        self.runs.append((workflow, json.loads(argument)))
        self.arrived.set()

    @property
    def names(self) -> list[str]:
        """The objects whose events came, in their order."""
        return [argument["data"]["name"] for _, argument in self.runs]


class Bench:
    """A kernel with one trigger, an account that may start its workflow, and a target."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        agent = kernel.agents.create("storage.googleapis.com", "demo-project")
        self.storage_agent = f"serviceAccount:{agent}"
        kernel.policies.grant(PROJECT, "roles/pubsub.publisher", self.storage_agent)
        kernel.projects.set_enabled("demo-project", EXECUTIONS, enabled=True)
        self.target = Target()
        kernel.workflow_runs.register(self.target.start, lambda _: None)
        self.account = kernel.identity.create_account("demo-project", "trigger").email
        self.member = f"serviceAccount:{self.account}"
        self.grant("roles/workflows.invoker")
        self.grant("roles/eventarc.eventReceiver")
        self.delivery = Delivery(kernel)
        self.trigger = self.put_trigger("on-upload")

    def grant(self, role: str) -> None:
        self.kernel.policies.grant(PROJECT, role, self.member)

    def revoke(self, role: str) -> None:
        """Take a role on the project from all who have it."""
        policy = self.kernel.policies.get(PROJECT)
        kept = [binding for binding in policy.bindings if binding.role != role]
        del policy.bindings[:]
        policy.bindings.extend(kept)
        self.kernel.policies.set(PROJECT, policy, known_member=lambda _: True)

    def revoke_all(self) -> None:
        """Take the account's roles away."""
        for role in ("roles/workflows.invoker", "roles/eventarc.eventReceiver"):
            self.revoke(role)

    def put_trigger(self, trigger_id: str, bucket: str = "input") -> str:
        trigger = Trigger(name=f"{PARENT}/triggers/{trigger_id}", service_account=self.account)
        trigger.event_filters.add(attribute="type", value=FINALIZED)
        trigger.event_filters.add(attribute="bucket", value=bucket)
        trigger.destination.workflow = WORKFLOW
        carriers.make(self.kernel, trigger)
        self.kernel.resources.put(KIND, trigger.name, PARENT, trigger.SerializeToString())
        return str(trigger.name)

    def stored(self) -> Any:
        """The trigger as it is kept."""
        record = self.kernel.resources.get(KIND, self.trigger)
        assert record is not None
        return Trigger.FromString(record.body)

    def publish(self, body: dict[str, Any]) -> None:
        self.kernel.events.publish(body["type"], body["bucket"], body)

    def waiting(self) -> int:
        """Rows that are still to be delivered."""
        found = self.kernel.database.read().execute("SELECT count(*) FROM eventarc_deliveries")
        return int(found.fetchone()[0])

    def entries(self) -> tuple[LogEntry, ...]:
        """What the project's log says of deliveries."""
        log_name = f"{PROJECT}/logs/eventarc.googleapis.com%2Fdelivery"
        return self.kernel.logs.query("demo-project", log_name=log_name)


@contextmanager
def next_process(kernel: Kernel, clock: FakeClock) -> Iterator[Kernel]:
    """Another kernel over the same files."""
    successor = build_kernel(kernel.settings, clock)
    yield successor
    successor.operations.stop()
    successor.database.close()
    successor.log_database.close()


@pytest.fixture
def bench(kernel: Kernel) -> Iterator[Bench]:
    built = Bench(kernel)
    yield built
    built.delivery.stop()


def test_an_event_reaches_the_workflow_once_and_whole(bench: Bench) -> None:
    bench.publish(event())
    assert bench.waiting() == 1
    assert bench.delivery.deliver_due() is None
    assert bench.target.runs == [(WORKFLOW, event())]
    assert bench.waiting() == 0
    assert bench.delivery.deliver_due() is None
    assert bench.target.names == ["a.txt"]


def test_events_come_in_their_order_to_each_trigger(bench: Bench) -> None:
    bench.put_trigger("second")
    for name in ("a.txt", "b.txt"):
        bench.publish(event(name))
    bench.delivery.deliver_due()
    assert bench.target.names == ["a.txt", "a.txt", "b.txt", "b.txt"]


def test_other_buckets_and_other_types_do_not_match(bench: Bench) -> None:
    bench.publish(event(bucket="output"))
    bench.publish(event(kind="google.cloud.storage.object.v1.deleted"))
    assert bench.waiting() == 0


def test_an_event_too_large_for_google_is_not_delivered(bench: Bench) -> None:
    body = event()
    body["data"]["metadata"] = {"note": "x" * 512 * 1024}
    bench.publish(body)
    assert bench.waiting() == 0
    (entry,) = bench.entries()
    assert "larger than 512 KB" in str(entry.payload)


@pytest.mark.parametrize("lost", ["topic", "subscription", "notification", "grant"])
def test_without_what_carries_events_a_trigger_is_dead(
    bench: Bench, caplog: pytest.LogCaptureFixture, lost: str
) -> None:
    carrier = bench.stored().transport.pubsub
    if lost == "topic":
        bench.kernel.topics.delete_topic(carrier.topic)
    elif lost == "subscription":
        bench.kernel.topics.delete_subscription(carrier.subscription)
    elif lost == "notification":
        name = notifications.name_of("input", "1")
        assert bench.kernel.resources.delete(notifications.KIND, name)
    else:
        bench.revoke("roles/pubsub.publisher")
    bench.publish(event())
    assert bench.waiting() == 0
    (entry,) = bench.entries()
    assert "not delivered" in str(entry.payload)
    assert f"{bench.trigger}: {entry.payload}" in caplog.messages


def test_what_waits_is_lost_with_the_subscription_and_not_with_the_topic(bench: Bench) -> None:
    carrier = bench.stored().transport.pubsub
    bench.publish(event("a.txt"))
    bench.kernel.topics.delete_topic(carrier.topic)
    bench.delivery.deliver_due()
    assert bench.target.names == ["a.txt"]
    bench.trigger = bench.put_trigger("second")
    bench.publish(event("b.txt"))
    bench.kernel.topics.delete_subscription(bench.stored().transport.pubsub.subscription)
    bench.delivery.deliver_due()
    assert (bench.target.names, bench.waiting()) == (["a.txt"], 0)


def test_a_new_trigger_takes_effect_when_it_has_propagated(bench: Bench, clock: FakeClock) -> None:
    bench.kernel.behaviour.propagation_s = 120
    bench.kernel.delays.begin(KIND, bench.trigger)
    clock.advance(119)
    bench.publish(event("early.txt"))
    clock.advance(1)
    bench.publish(event("late.txt"))
    bench.delivery.deliver_due()
    assert bench.target.names == ["late.txt"]


def test_an_event_goes_with_the_transaction_of_its_object(bench: Bench) -> None:
    def store_nothing() -> None:
        with bench.kernel.database.transaction():
            bench.publish(event())
            assert bench.waiting() == 1
            raise RuntimeError("the object could not be stored")

    with pytest.raises(RuntimeError, match="could not be stored"):
        store_nothing()
    assert bench.waiting() == 0


def test_a_trigger_delivers_nothing_from_before_it_was_made(bench: Bench) -> None:
    bench.publish(event(bucket="later"))
    bench.put_trigger("late", bucket="later")
    bench.delivery.deliver_due()
    assert bench.target.runs == []


def test_a_refused_event_is_tried_again_later(bench: Bench, clock: FakeClock) -> None:
    bench.revoke_all()
    bench.publish(event())
    assert bench.delivery.deliver_due() == 10.0
    bench.grant("roles/eventarc.eventReceiver")
    bench.grant("roles/workflows.invoker")
    assert bench.delivery.deliver_due() == 10.0
    assert bench.target.runs == []
    clock.advance(10)
    assert bench.delivery.deliver_due() is None
    assert bench.target.names == ["a.txt"]


def test_pauses_double_up_to_ten_minutes_for_a_day(bench: Bench, clock: FakeClock) -> None:
    bench.target.failure = failed_precondition("not now")
    bench.publish(event())
    pauses, passed = [], 0.0
    while (pause := bench.delivery.deliver_due()) is not None:
        pauses.append(pause)
        passed += pause
        clock.advance(pause)
    assert pauses[:8] == [10, 20, 40, 80, 160, 320, 600, 600]
    assert max(pauses) == 600
    assert DAY_S - 600 < passed <= DAY_S
    assert bench.waiting() == 0
    assert "is dropped: not now" in str(bench.entries()[-1].payload)


@pytest.mark.parametrize("role", ["roles/workflows.invoker", "roles/eventarc.eventReceiver"])
def test_one_role_alone_is_not_enough(bench: Bench, role: str) -> None:
    bench.revoke_all()
    bench.grant(role)
    bench.publish(event())
    bench.delivery.deliver_due()
    assert bench.target.runs == []
    (entry,) = bench.entries()
    assert "tried again in 10 s" in str(entry.payload)
    assert "denied" in str(entry.payload)
    assert entry.resource_labels == {"trigger_id": "on-upload", "location": "us-central1"}


def test_executions_are_not_started_while_their_api_is_disabled(bench: Bench) -> None:
    bench.kernel.projects.set_enabled("demo-project", EXECUTIONS, enabled=False)
    bench.publish(event())
    assert bench.delivery.deliver_due() == 10.0
    (entry,) = bench.entries()
    assert f"{EXECUTIONS} is not enabled" in str(entry.payload)


def test_a_disabled_account_starts_nothing_until_it_is_enabled(
    bench: Bench, clock: FakeClock
) -> None:
    bench.kernel.identity.update_account(bench.account, disabled=True)
    bench.publish(event())
    assert bench.delivery.deliver_due() == 10.0
    bench.kernel.identity.update_account(bench.account, disabled=False)
    clock.advance(10)
    bench.delivery.deliver_due()
    assert bench.target.names == ["a.txt"]


def test_an_event_that_breaks_its_run_holds_up_no_other(bench: Bench, clock: FakeClock) -> None:
    bench.target.failure = RuntimeError("unforeseen")
    bench.publish(event("a.txt"))
    assert bench.delivery.deliver_due() == 10.0
    bench.target.failure = None
    bench.publish(event("b.txt"))
    bench.delivery.deliver_due()
    assert bench.target.names == ["b.txt"]
    clock.advance(10)
    bench.delivery.deliver_due()
    assert bench.target.names == ["b.txt", "a.txt"]


def test_what_waits_for_a_deleted_trigger_is_dropped(bench: Bench) -> None:
    bench.publish(event())
    bench.kernel.resources.delete(KIND, bench.trigger)
    bench.delivery.forget(bench.trigger)
    bench.delivery.deliver_due()
    assert (bench.target.runs, bench.waiting()) == ([], 0)


def test_a_duplicate_is_delivered_twice_and_the_next_once(bench: Bench) -> None:
    bench.kernel.faults.inject(Fault(EVENTS.method, Kind.DUPLICATE))
    bench.publish(event("a.txt"))
    bench.publish(event("b.txt"))
    bench.delivery.deliver_due()
    assert bench.target.names == ["a.txt", "a.txt", "b.txt"]
    (fault,) = bench.kernel.faults.account()
    assert (fault.consumed, fault.left) == (1, 0)


def test_what_waits_survives_the_process(bench: Bench, clock: FakeClock) -> None:
    bench.publish(event())
    with next_process(bench.kernel, clock) as kernel:
        kernel.workflow_runs.register(bench.target.start, lambda _: None)
        successor = Delivery(kernel)
        successor.start()
        assert bench.target.arrived.wait(20)
        successor.stop()
    assert (bench.target.names, bench.waiting()) == (["a.txt"], 0)


def test_a_stopped_delivery_goes_on_when_it_is_started_again(bench: Bench) -> None:
    bench.delivery.start()
    bench.delivery.stop()
    bench.publish(event())
    assert bench.waiting() == 1
    bench.delivery.start()
    assert bench.target.arrived.wait(20)
    bench.delivery.stop()
    assert bench.waiting() == 0


def test_a_new_event_wakes_the_thread(bench: Bench) -> None:
    bench.delivery.start()
    bench.publish(event("a.txt"))
    assert bench.target.arrived.wait(20)
    bench.target.arrived.clear()
    bench.publish(event("b.txt"))
    assert bench.target.arrived.wait(20)
    assert bench.target.names == ["a.txt", "b.txt"]
