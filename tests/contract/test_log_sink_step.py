"""The log sink of a deployed pipeline: made, adopted, put right, exporting, removed; over the wire."""

import json
from collections.abc import Iterator
from contextlib import nullcontext
from threading import Event
from typing import Any

import pytest
from google.cloud.logging_v2.services.config_service_v2 import ConfigServiceV2Client
from google.protobuf.field_mask_pb2 import FieldMask
from tests.support.crashes import tiny_deployer
from tests.support.localcloud import RunningCloud, start_cloud
from tests.support.pipeline import Deployer
from tests.support.policies import policies, violations
from tests.support.waiting import until

from gpupipe.core.errors import GpupipeError
from gpupipe.deploy import destroy
from gpupipe.deploy.action import Verb
from gpupipe.deploy.facts import Facts
from gpupipe.deploy.recipe_outputs import outputs, read
from gpupipe.deploy.step import Choices, World
from gpupipe.localcloud.errors import Code
from gpupipe.localcloud.kernel.denials import Denial
from gpupipe.localcloud.kernel.faults import Fault, Kind

PROJECT = "logged-project"
SINK = f"projects/{PROJECT}/sinks/ml-pipeline-logs"
BUCKET = f"ml-pipeline-logs-{PROJECT}"
FILE = """log_sink = true
[buckets.logs]
location = "eu"
storage_class = "NEARLINE"
versioning = true
soft_delete_days = 8
retention_days = 77
"""
WRITE = "roles/storage.objectCreator"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    running = start_cloud(tmp_path_factory.mktemp("logged") / "cloud")
    yield running
    running.stop()


@pytest.fixture(scope="module")
def plain(cloud: RunningCloud) -> Deployer:
    """The same pipeline without the sink."""
    return tiny_deployer(cloud, PROJECT)


@pytest.fixture(scope="module")
def deployed(cloud: RunningCloud, tmp_path_factory: pytest.TempPathFactory) -> Deployer:
    file = tmp_path_factory.mktemp("file") / "gpupipe.toml"
    file.write_text(FILE)
    one = tiny_deployer(cloud, PROJECT, file=file)
    assert one.deploy(canary=False).outcome.errors == []
    return one


def sinks(cloud: RunningCloud) -> Any:
    return cloud.client(ConfigServiceV2Client)


def writers(cloud: RunningCloud) -> set[str]:
    policy = cloud.storage_client(PROJECT).bucket(BUCKET).get_iam_policy()
    return {member for one in policy.bindings if one["role"] == WRITE for member in one["members"]}


@pytest.mark.promise("S64")
@pytest.mark.promise("D10")
@pytest.mark.promise("D24")
def test_a_sink_exports_to_a_bucket_of_its_own_and_its_writer_may_write(
    deployed: Deployer,
) -> None:
    sink = sinks(deployed.cloud).get_sink(sink_name=SINK)
    assert sink.destination == f"storage.googleapis.com/{BUCKET}"
    assert sink.description.startswith("gpupipe:ml-pipeline:us-central1 ")
    assert writers(deployed.cloud) == {sink.writer_identity}
    bucket = deployed.cloud.storage_client(PROJECT).get_bucket(BUCKET)
    assert (bucket.location, bucket.storage_class) == ("EU", "NEARLINE")
    assert bucket.versioning_enabled
    assert bucket.soft_delete_policy.retention_duration_seconds == 8 * 86400
    assert {one["condition"].get("age") for one in bucket.lifecycle_rules} >= {77}
    assert bucket.iam_configuration.public_access_prevention == "enforced"
    assert bucket.labels["gpupipe-pipeline"] == "ml-pipeline"


@pytest.mark.promise(43)
def test_the_bucket_of_logs_is_closed_like_the_others(deployed: Deployer) -> None:
    assert "bucket logs" in {one.where for one in policies(deployed)}
    assert violations(deployed) == []


def test_a_second_deploy_changes_nothing(deployed: Deployer) -> None:
    assert [one.kind for one in deployed.engine().plan().writes] == []


def test_what_the_pipeline_logs_becomes_files_and_what_others_log_does_not(
    deployed: Deployer,
) -> None:
    kernel, place = deployed.cloud.kernel, f"projects/{PROJECT}/logs/own"
    for service in ("ml-pipeline-preprocess", "somebody-elses"):
        labels = {"service_name": service}
        kernel.logs.write(place, "cloud_run_revision", labels, "INFO", {"message": service})
    kernel.clock.advance(1)
    bucket = deployed.cloud.storage_client(PROJECT).bucket(BUCKET)
    until(lambda: list(bucket.list_blobs(prefix="own/")))
    (file,) = bucket.list_blobs(prefix="own/")
    (entry,) = map(json.loads, file.download_as_bytes().splitlines())
    assert entry["jsonPayload"]["message"] == "ml-pipeline-preprocess"


def test_what_was_changed_by_hand_is_put_right(deployed: Deployer) -> None:
    sinks(deployed.cloud).update_sink(
        request={
            "sink_name": SINK,
            "sink": {"name": "ml-pipeline-logs", "disabled": True},
            "update_mask": FieldMask(paths=["disabled"]),
            "unique_writer_identity": True,
        }
    )
    bucket = deployed.cloud.storage_client(PROJECT).bucket(BUCKET)
    policy = bucket.get_iam_policy()
    policy.bindings = [one for one in policy.bindings if one["role"] != WRITE]
    bucket.set_iam_policy(policy)
    (action,) = deployed.engine().plan().writes
    assert (action.kind, [one.field for one in action.changes]) == (
        "log sink",
        ["disabled", "roles"],
    )
    assert deployed.deploy(canary=False).outcome.errors == []
    assert len(writers(deployed.cloud)) == 1
    assert not deployed.engine().plan().writes


def test_a_lost_answer_makes_nothing_twice(deployed: Deployer) -> None:
    sinks(deployed.cloud).delete_sink(sink_name=SINK)
    deployed.cloud.kernel.faults.inject(
        Fault("logging.sinks.create", Kind.LOST, code=Code.UNAVAILABLE)
    )
    assert deployed.deploy(canary=False).outcome.errors == []
    assert not deployed.engine().plan().writes


def test_one_that_has_our_name_and_is_not_ours_is_refused_or_adopted(deployed: Deployer) -> None:
    client = sinks(deployed.cloud)
    client.delete_sink(sink_name=SINK)
    client.create_sink(
        request={
            "parent": f"projects/{PROJECT}",
            "sink": {"name": "ml-pipeline-logs", "destination": "storage.googleapis.com/elsewhere"},
            "unique_writer_identity": True,
        }
    )
    with pytest.raises(GpupipeError, match="this pipeline did not make it"):
        deployed.engine().plan()
    adopter = Deployer(deployed.cloud, deployed.clock, PROJECT, file=deployed.file,
                       steps=deployed.steps, choices=Choices(adopt=True))  # fmt: skip
    assert adopter.deploy(canary=False).outcome.errors == []
    assert client.get_sink(sink_name=SINK).destination == f"storage.googleapis.com/{BUCKET}"
    assert not deployed.engine().plan().writes


@pytest.mark.promise("S67")
def test_status_names_it(deployed: Deployer) -> None:
    world = World(deployed.connect(), deployed.spec, Facts())
    found = read(world, {})
    assert outputs(deployed.spec, found, "")["log_sink_name"] == "ml-pipeline-logs"


def test_without_the_option_sink_and_bucket_go_and_the_plan_says_so(
    deployed: Deployer, plain: Deployer
) -> None:
    engine = plain.engine()
    plan = engine.plan()
    assert [(one.kind, one.verb) for one in plan.writes] == [
        ("log sink", Verb.DELETE), ("bucket", Verb.DELETE),
    ]  # fmt: skip
    assert any("copy what you want to keep" in note for note in engine.notes(plan))
    assert plain.deploy(canary=False).outcome.errors == []
    assert not plain.engine().plan().writes
    assert not deployed.cloud.storage_client(PROJECT).bucket(BUCKET).exists()
    world = World(plain.connect(), plain.spec, Facts())
    assert outputs(plain.spec, read(world, {}), "")["log_sink_name"] is None
    assert deployed.deploy(canary=False).outcome.errors == []


def test_without_the_option_nobody_needs_its_roles(deployed: Deployer, plain: Deployer) -> None:
    assert plain.deploy(canary=False).outcome.errors == []
    denials = deployed.cloud.kernel.denials
    denials.revoke(Denial(PROJECT, "logging.sinks.get"))
    try:
        assert not plain.engine().plan().writes
        with pytest.raises(GpupipeError, match="permission is missing"):
            deployed.engine().plan()
    finally:
        denials.restore(Denial(PROJECT, "logging.sinks.get"))
    assert deployed.deploy(canary=False).outcome.errors == []


def test_a_destroy_leaves_nothing_of_it(deployed: Deployer, plain: Deployer) -> None:
    """The last test of the module; also without the configuration that asked for it."""
    world, nothing = plain.engine().world, frozenset[str]()
    left = {(one.kind, one.name) for one in destroy.inventory(world, keep=nothing, parallelism=8)}
    assert {("log sink", "ml-pipeline-logs"), ("bucket", BUCKET)} <= left
    destroy.remove(
        world,
        destroy.plan_removal(world, keep=nothing, parallelism=8),
        lambda _: nullcontext(lambda _: None),
        clock=plain.clock,
        parallelism=8,
        cancel=Event(),
        force=False,
    )
    assert destroy.inventory(world, keep=nothing, parallelism=8) == ()
    listed = sinks(deployed.cloud).list_sinks(parent=f"projects/{PROJECT}")
    assert [one.name for one in listed] == ["_Default", "_Required"]
