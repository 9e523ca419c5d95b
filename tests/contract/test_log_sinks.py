"""Log sinks through their official client: made, changed, and what they write to their buckets."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud.logging_v2.services.config_service_v2 import ConfigServiceV2Client
from google.protobuf.field_mask_pb2 import FieldMask
from tests.support.clock import FakeClock
from tests.support.localcloud import RunningCloud, start_cloud
from tests.support.waiting import until

BUCKET = "kept-logs"
DESTINATION = f"storage.googleapis.com/{BUCKET}"
OWN = 'resource.type="global"'


class Bench:
    """A cloud whose time stands still, a bucket for logs, and the client of sinks."""

    def __init__(self, cloud: RunningCloud) -> None:
        self.cloud = cloud
        self.parent = f"projects/{cloud.project}"
        self.sinks: Any = cloud.client(ConfigServiceV2Client)
        self.storage = cloud.storage_client()
        self.storage.create_bucket(BUCKET)

    def create(self, name: str, **fields: Any) -> Any:
        # Cloud Audit Logs tell of what the test itself does.
        sink = {"name": name, "destination": DESTINATION, "filter": OWN, **fields}
        return self.sinks.create_sink(
            request={"parent": self.parent, "sink": sink, "unique_writer_identity": True}
        )

    def grant(self, member: str) -> None:
        policy = self.storage.bucket(BUCKET).get_iam_policy()
        policy.bindings.append({"role": "roles/storage.objectCreator", "members": {member}})
        self.storage.bucket(BUCKET).set_iam_policy(policy)

    def say(self, text: str, log: str = "own") -> None:
        logs = self.cloud.kernel.logs
        logs.write(f"{self.parent}/logs/{log}", "global", {}, "INFO", {"text": text})

    def files(self) -> dict[str, list[Any]]:
        return {
            one.name: [json.loads(line) for line in one.download_as_bytes().splitlines()]
            for one in self.storage.list_blobs(BUCKET)
        }

    def exported(self, count: int) -> dict[str, list[Any]]:
        """The files once there are so many. Time passes, so the next round comes at once."""
        self.cloud.kernel.clock.advance(1)
        until(lambda: len(self.files()) >= count)
        return self.files()


@pytest.fixture
def bench(tmp_path: Any) -> Iterator[Bench]:
    cloud = start_cloud(tmp_path / "cloud", clock=FakeClock())
    yield Bench(cloud)
    cloud.stop()


@pytest.mark.promise("S64")
@pytest.mark.promise("D10")
def test_entries_become_files_by_log_and_hour(bench: Bench) -> None:
    bench.say("too early")
    sink = bench.create("keep", filter='jsonPayload.text!="no"')
    bench.grant(sink.writer_identity)
    bench.say("one")
    bench.say("no")
    bench.say("two")
    bench.say("elsewhere", "run.googleapis.com%2Fstdout")
    found = bench.exported(2)
    hour = f"{bench.cloud.kernel.clock.now():%Y/%m/%d/%H}:00:00_"
    own, other = f"own/{hour}", f"run.googleapis.com/stdout/{hour}"
    assert [name.rpartition("_")[0].rpartition("_")[0] + "_" for name in found] == [own, other]
    (first, second) = found.values()
    assert [one["jsonPayload"]["text"] for one in first] == ["one", "two"]
    assert first[0]["logName"] == f"{bench.parent}/logs/own"
    assert first[0]["insertId"]
    assert [one["jsonPayload"]["text"] for one in second] == ["elsewhere"]
    bench.say("three")
    names = sorted(bench.exported(3))
    assert [name.rpartition("_")[2] for name in names if name.startswith("own/")] == [
        "S0.json", "S1.json",
    ]  # fmt: skip


def test_what_the_writer_may_not_write_is_lost_and_what_comes_later_is_not(bench: Bench) -> None:
    sink = bench.create("keep")
    bench.say("lost")
    latest = bench.cloud.kernel.logs.latest()
    bench.cloud.kernel.clock.advance(1)
    until(lambda: position(bench) >= latest)
    assert not bench.files()
    bench.grant(sink.writer_identity)
    bench.say("kept")
    (entries,) = bench.exported(1).values()
    assert [one["jsonPayload"]["text"] for one in entries] == ["kept"]


def position(bench: Bench) -> int:
    record = bench.cloud.kernel.resources.get("logging.sinkPosition", f"{bench.parent}/sinks/keep")
    assert record is not None
    return int(json.loads(record.body)["after"])


def test_an_exclusion_and_a_disabled_sink_export_nothing(bench: Bench) -> None:
    writer = bench.create("off", disabled=True).writer_identity
    bench.create("keep", exclusions=[{"name": "x", "filter": "jsonPayload.text=no"}])
    bench.grant(writer)
    bench.say("no")
    bench.say("yes")
    (entries,) = bench.exported(1).values()
    assert [one["jsonPayload"]["text"] for one in entries] == ["yes"]


def test_a_sink_is_listed_changed_and_deleted(bench: Bench) -> None:
    made = bench.create("keep", filter="severity>=ERROR", description="ours")
    assert made.writer_identity.startswith("serviceAccount:service-")
    name = f"{bench.parent}/sinks/keep"
    assert bench.sinks.get_sink(sink_name=name) == made
    listed = [one.name for one in bench.sinks.list_sinks(parent=bench.parent)]
    assert listed == ["_Default", "_Required", "keep"]
    request = {
        "sink_name": name,
        "sink": {"name": "keep", "description": "new", "filter": "severity>=INFO"},
        "update_mask": FieldMask(paths=["description"]),
        "unique_writer_identity": True,
    }
    changed = bench.sinks.update_sink(request=request)
    assert (changed.description, changed.filter) == ("new", "severity>=ERROR")
    assert changed.writer_identity == made.writer_identity
    bench.sinks.delete_sink(sink_name=name)
    with pytest.raises(exceptions.NotFound):
        bench.sinks.get_sink(sink_name=name)


def test_an_update_without_a_mask_replaces_what_google_says(bench: Bench) -> None:
    bench.create("keep", filter="severity>=ERROR", description="ours")
    sink = {"name": "keep", "destination": DESTINATION, "filter": "severity>=INFO"}
    name = f"{bench.parent}/sinks/keep"
    changed = bench.sinks.update_sink(
        request={"sink_name": name, "sink": sink, "unique_writer_identity": True}
    )
    assert (changed.filter, changed.description) == ("severity>=INFO", "ours")


def test_sinks_are_there_and_go_on_after_a_restart(tmp_path: Any) -> None:
    clock = FakeClock()
    first = Bench(start_cloud(tmp_path / "cloud", clock=clock))
    first.grant(first.create("keep").writer_identity)
    first.say("before")
    first.cloud.stop()
    cloud = start_cloud(tmp_path / "cloud", clock=clock)
    try:
        storage = cloud.storage_client()
        cloud.kernel.clock.advance(1)
        until(lambda: list(storage.list_blobs(BUCKET)))
        (blob,) = storage.list_blobs(BUCKET)
        assert json.loads(blob.download_as_bytes())["jsonPayload"] == {"text": "before"}
    finally:
        cloud.stop()
