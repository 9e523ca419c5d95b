"""A plan tells what differs and nothing else, whoever wrote it and however it is spelled.

One small pipeline of services that are ready at once; official clients change it behind gpupipe's back.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from google.cloud import eventarc_v1, run_v2, workflows_v1
from google.protobuf.field_mask_pb2 import FieldMask
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.crashes import destroy_all, tiny_deployer
from tests.support.localcloud import RunningCloud, start_cloud
from tests.support.pipeline import Deployer, FastClock

from gpupipe.deploy import history
from gpupipe.deploy.action import Verb
from gpupipe.deploy.replace import ReplaceError

PROJECT = "plan-truth"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    running = start_cloud(tmp_path_factory.mktemp("truth") / "cloud", clock=FastClock())
    yield running
    running.stop()


@pytest.fixture(scope="module")
def pipeline(cloud: RunningCloud) -> Deployer:
    deployer = tiny_deployer(cloud, PROJECT)
    done = deployer.deploy(canary=False)
    assert not done.outcome.failed, done.outcome
    return deployer


def differing(deployer: Deployer) -> dict[str, tuple[str, ...]]:
    """Step -> the fields that differ, of what a deploy would change."""
    plan = deployer.engine().plan()
    return {one.step: tuple(change.field for change in one.changes) for one in plan.writes}


def writes_since(cloud: RunningCloud, seq: int) -> list[str]:
    return [row.method for row in cloud.cloud.pipeline.log.since(seq, 100_000) if row.writes]


GIB = st.sampled_from(["{n}Gi", "{m}Mi"])


def spelled(form: str, gib: int) -> str:
    return form.format(n=gib, m=gib * 1024)


@settings(max_examples=8, deadline=None)
@given(
    file_memory=GIB,
    memory=GIB,
    cpu=st.sampled_from(["1", "1000m"]),
    env=st.randoms(use_true_random=False),
    zone=st.sampled_from(["us-central1", "US-CENTRAL1"]),
)
def test_equal_values_have_many_spellings(
    pipeline: Deployer, file_memory: str, memory: str, cpu: str, env: Any, zone: str
) -> None:
    change_service(pipeline, spelled(memory, 2), cpu, env)
    change_bucket(pipeline, env, zone)
    file = pipeline.cloud.home / "gpupipe.toml"
    file.write_text(f'[preprocess]\nmemory = "{spelled(file_memory, 2)}"\n')
    assert differing(replace(pipeline, file=file)) == {}


def change_service(pipeline: Deployer, memory: str, cpu: str, order: Any) -> None:
    """The same service in other words."""
    client = pipeline.cloud.client(run_v2.ServicesClient)
    service = client.get_service(name=pipeline.spec.service_name("preprocess"))
    (container,) = service.template.containers
    container.resources.limits = {"memory": memory, "cpu": cpu}
    variables = list(container.env)
    order.shuffle(variables)
    container.env = variables
    labels = list(service.labels.items())
    order.shuffle(labels)
    service.labels = dict(labels)
    client.update_service(service=service).result(timeout=60)


def change_bucket(pipeline: Deployer, order: Any, zone: str) -> None:
    """The same rules and labels in another order; a bucket whose location was written otherwise."""
    storage = pipeline.cloud.storage_client(project=PROJECT)
    bucket = storage.get_bucket(pipeline.spec.names.bucket("input"))
    rules = list(bucket.lifecycle_rules)
    order.shuffle(rules)
    bucket.lifecycle_rules = rules
    labels = list(bucket.labels.items())
    order.shuffle(labels)
    bucket.labels = dict(labels)
    bucket.patch()
    work = storage.get_bucket(pipeline.spec.names.bucket("work"))
    fresh = storage.bucket(work.name)
    fresh.labels = work.labels
    fresh.lifecycle_rules = list(work.lifecycle_rules)
    fresh.iam_configuration.uniform_bucket_level_access_enabled = True
    fresh.iam_configuration.public_access_prevention = "enforced"
    fresh.soft_delete_policy.retention_duration_seconds = 0
    policy = work.get_iam_policy(requested_policy_version=3)
    work.delete()
    storage.create_bucket(fresh, location=zone)
    policy.etag = fresh.get_iam_policy(requested_policy_version=3).etag
    fresh.set_iam_policy(policy)


def test_a_value_that_differs_is_told_with_both_sides(pipeline: Deployer, tmp_path: Path) -> None:
    """So that the test above can fail."""
    file = tmp_path / "gpupipe.toml"
    file.write_text('retention_days = 7\n[preprocess]\nmemory = "4096Mi"\n')
    assert differing(replace(pipeline, file=file)) == {
        "service:preprocess": ("memory",),
        "bucket:input": ("lifecycle",),
        "bucket:output": ("lifecycle",),
        "bucket:staging": ("lifecycle",),
    }
    told = replace(pipeline, file=file).engine().plan().writes
    assert {one.drift for one in told} == {""}, "nobody changed it: what is wanted did"


def test_what_somebody_changed_is_told_as_drift(pipeline: Deployer) -> None:
    """With who and when where the API tells: Cloud Run both, the others only when."""
    cloud, spec = pipeline.cloud, pipeline.spec
    member = "somebody@" + PROJECT + ".iam.gserviceaccount.com"
    token = cloud.account_token("somebody", PROJECT)
    for role in ("roles/run.admin", "roles/iam.serviceAccountUser"):
        cloud.kernel.policies.grant(f"projects/{PROJECT}", role, f"serviceAccount:{member}")
    runs = cloud.client(run_v2.ServicesClient, token)
    service = runs.get_service(name=spec.service_name("postprocess"))
    service.template.max_instance_request_concurrency = 7
    done = runs.update_service(service=service).result(timeout=60)
    workflows = cloud.client(workflows_v1.WorkflowsClient)
    workflow = workflows.get_workflow(name=spec.workflow_name)
    workflow.user_env_vars["SERVICE_TIMEOUT"] = "1"
    workflows.update_workflow(
        workflow=workflow, update_mask=FieldMask(paths=["user_env_vars"])
    ).result(timeout=60)
    bucket = cloud.storage_client(project=PROJECT).get_bucket(spec.names.bucket("output"))
    bucket.versioning_enabled = True
    bucket.patch()

    told = {one.step: one for one in pipeline.engine().plan().writes}
    assert set(told) == {"service:postprocess", "workflow", "bucket:output"}
    drift = told["service:postprocess"].drift
    assert drift == f"last changed by {member} at {done.update_time:%Y-%m-%d %H:%M:%S} UTC"
    assert told["service:postprocess"].reason == (
        "somebody changed it after the last deploy: concurrency"
    )
    for step in ("workflow", "bucket:output"):
        assert re.fullmatch(r"last changed at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", told[step].drift)
    assert not pipeline.deploy(canary=False).outcome.failed
    assert differing(pipeline) == {}


def test_what_cannot_be_changed_in_place_is_replaced_only_when_allowed(pipeline: Deployer) -> None:
    cloud, spec = pipeline.cloud, pipeline.spec
    client = cloud.client(eventarc_v1.EventarcClient)
    trigger = client.get_trigger(name=spec.trigger(spec.names.region).name)
    client.delete_trigger(name=trigger.name).result(timeout=60)
    for one in trigger.event_filters:
        if one.attribute == "bucket":
            one.value = spec.names.bucket("work")
    parent, _, trigger_id = trigger.name.partition("/triggers/")
    fresh = eventarc_v1.Trigger(
        event_filters=trigger.event_filters,
        destination={"workflow": trigger.destination.workflow},
        service_account=trigger.service_account,
        labels=dict(trigger.labels),
    )
    client.create_trigger(parent=parent, trigger=fresh, trigger_id=trigger_id).result(timeout=60)

    plan = pipeline.engine().plan()
    # What watches the subscription behind it follows.
    assert [(one.step, one.verb) for one in plan.writes] == [
        ("trigger", Verb.REPLACE), ("alert policies", Verb.UPDATE), ("dashboard", Verb.UPDATE),
    ]  # fmt: skip
    assert pipeline.engine().notes(plan) == (
        f"Replacing the trigger {trigger_id} needs --allow-replace.",
    )
    before = cloud.cloud.pipeline.log.latest()
    with pytest.raises(ReplaceError) as caught:
        pipeline.deploy(canary=False)
    assert "--allow-replace" in caught.value.resolution
    assert spec.names.bucket("work") in (caught.value.details or "")
    assert writes_since(cloud, before) == []

    allowed = replace(pipeline, allow_replace=True)
    assert not allowed.deploy(canary=False).outcome.failed
    assert differing(pipeline) == {}


def test_each_run_that_writes_leaves_a_record_and_a_destroy_keeps_them(
    pipeline: Deployer, tmp_path: Path
) -> None:
    other = replace(pipeline, prefix="recorded")
    storage, bucket = pipeline.connect().storage, other.spec.names.bucket("staging")
    assert history.runs(storage, bucket, tmp_path) == ()
    assert not other.deploy(canary=False).outcome.failed
    assert not other.deploy(canary=False).outcome.failed  # writes nothing, leaves nothing
    (run,) = history.runs(storage, bucket, tmp_path)
    assert (run.command, run.result, run.failed, run.canary) == ("deploy", "done", (), "")
    assert f"create trigger {other.spec.names.trigger}" in run.done
    assert f"create bucket {bucket}" in run.done  # made before there was a place for the record
    assert run.began <= run.ended
    storage.upload(bucket, f"{history.PREFIX}x.json", b"{}", content_type="application/json")
    storage.upload(bucket, f"{history.PREFIX}../x.json", b"{}", content_type="application/json")

    folder = tmp_path / "kept"
    history.copy(storage, bucket, folder)
    assert not (tmp_path / "x.json").exists()
    assert history.runs(storage, bucket, folder) == (run,)
    _, leftovers = destroy_all(other, other.connect())
    assert leftovers == ()
    assert history.runs(storage, bucket, folder) == (run,)


def test_a_run_that_failed_says_what_was_not_done(pipeline: Deployer, tmp_path: Path) -> None:
    file = tmp_path / "gpupipe.toml"
    file.write_text("queue_wait = 700\n")
    pipeline.cloud.inject("workflows.workflows.update", "PERMISSION_DENIED")
    failing = replace(pipeline, file=file)
    assert failing.deploy(canary=False).outcome.failed
    bucket = pipeline.spec.names.bucket("staging")
    newest, *_ = history.runs(pipeline.connect().storage, bucket, tmp_path)
    assert newest.result == "failed"
    assert newest.failed == (f"update workflow {pipeline.spec.names.workflow}",)
    assert differing(pipeline) == {}


@pytest.mark.promise(4)
def test_one_of_two_pipelines_is_destroyed(pipeline: Deployer, tmp_path: Path) -> None:
    """The other's file is not needed for it, and what shares the project stays whole."""
    file = tmp_path / "gpupipe.toml"
    file.write_text("queue_wait = 600\nretention_days = 3\n")
    other = replace(pipeline, prefix="other", file=file)
    assert not other.deploy(canary=False).outcome.failed
    assert differing(pipeline) == {}

    without_file = replace(other, file=None)
    outcome, leftovers = destroy_all(without_file, without_file.connect())
    assert not outcome.failed, outcome
    assert leftovers == ()
    assert differing(pipeline) == {}
    again = pipeline.engine().world.cloud.storage.labelled(pipeline.spec.identity)
    assert len(again) == len(["input", "models", "output", "work", "staging"])
