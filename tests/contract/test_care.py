"""A deploy takes care of what others have, tells what failed, and tidies up after its canary."""

import threading
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace

import pytest
from google.cloud import artifactregistry_v1, eventarc_v1, iam_admin_v1, run_v2, workflows_v1
from google.cloud.workflows.executions_v1 import ExecutionsClient
from google.protobuf.field_mask_pb2 import FieldMask
from tests.support.localcloud import RunningCloud
from tests.support.pipeline import Deployer, FastClock
from tests.support.refusing import (
    LoudImage,
    latest,
    refusing_pipeline,
    steps,
    writes_since,
)

from gpupipe.cloud.call import GRANT_S
from gpupipe.core.clock import InterruptedWaitError
from gpupipe.core.errors import Exit, GpupipeError
from gpupipe.deploy import canary, destroy
from gpupipe.deploy.action import Verb
from gpupipe.deploy.canary import CanaryError
from gpupipe.deploy.destroy import DATA
from gpupipe.deploy.events import Event, Waiting
from gpupipe.deploy.executor import Outcome
from gpupipe.deploy.facts import Facts
from gpupipe.deploy.leftovers import Leftover
from gpupipe.deploy.ownership import NotOursError
from gpupipe.deploy.spec import PipelineSpec
from gpupipe.deploy.step import Choices, KeepableStep, World
from gpupipe.deploy.steps import STEPS
from gpupipe.deploy.steps.buckets import DataBucket

PROJECT = "taking-care"


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployer]:
    with refusing_pipeline(tmp_path_factory.mktemp("care"), PROJECT) as deployer:
        yield deployer


def clear_bucket(cloud: RunningCloud, spec: PipelineSpec, labels: dict[str, str]) -> None:
    bucket = cloud.storage_client(project=PROJECT).get_bucket(spec.names.bucket("work"))
    bucket.labels = labels
    bucket.patch()


def clear_repository(cloud: RunningCloud, spec: PipelineSpec, labels: dict[str, str]) -> None:
    cloud.client(artifactregistry_v1.ArtifactRegistryClient).update_repository(
        repository=artifactregistry_v1.Repository(name=spec.repository.name, labels=labels),
        update_mask=FieldMask(paths=["labels"]),
    )


def clear_service(cloud: RunningCloud, spec: PipelineSpec, labels: dict[str, str]) -> None:
    client = cloud.client(run_v2.ServicesClient)
    client.update_service(
        service=run_v2.Service(name=spec.service_name("gpu-inference"), labels=labels),
        update_mask=FieldMask(paths=["labels"]),
    ).result(timeout=60)


def clear_workflow(cloud: RunningCloud, spec: PipelineSpec, labels: dict[str, str]) -> None:
    cloud.client(workflows_v1.WorkflowsClient).update_workflow(
        workflow=workflows_v1.Workflow(name=spec.workflow_name, labels=labels),
        update_mask=FieldMask(paths=["labels"]),
    ).result(timeout=60)


def clear_trigger(cloud: RunningCloud, spec: PipelineSpec, labels: dict[str, str]) -> None:
    cloud.client(eventarc_v1.EventarcClient).update_trigger(
        trigger=eventarc_v1.Trigger(name=spec.trigger(spec.names.region).name, labels=labels),
        update_mask=FieldMask(paths=["labels"]),
    ).result(timeout=60)


def clear_account(cloud: RunningCloud, spec: PipelineSpec, labels: dict[str, str]) -> None:
    name = f"projects/{PROJECT}/serviceAccounts/{spec.names.account('pre')}"
    mark = f"gpupipe:{labels['gpupipe-pipeline']}:us-central1" if labels else "of no pipeline"
    cloud.client(iam_admin_v1.IAMClient).patch_service_account(
        request={
            "service_account": {"name": name, "description": mark},
            "update_mask": FieldMask(paths=["description"]),
        }
    )


FOREIGN = {
    "bucket": clear_bucket,
    "repository": clear_repository,
    "service": clear_service,
    "workflow": clear_workflow,
    "trigger": clear_trigger,
    "service account": clear_account,
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_what_no_pipeline_has_is_taken_over_only_when_that_is_asked_for(
    pipeline: Deployer, kind: str
) -> None:
    cloud, spec = pipeline.cloud, pipeline.spec
    adopting = replace(pipeline, choices=Choices(adopt=True))
    FOREIGN[kind](cloud, spec, {"managed-by": "gpupipe", "gpupipe-pipeline": "other"})
    with pytest.raises(NotOursError) as caught:
        adopting.engine().plan()
    assert "--adopt" not in caught.value.resolution  # another pipeline has it: never

    FOREIGN[kind](cloud, spec, {})
    before = latest(cloud)
    with pytest.raises(NotOursError, match="this pipeline did not make it") as caught:
        pipeline.deploy(canary=False)
    assert "--adopt" in caught.value.resolution
    assert writes_since(cloud, before) == []

    engine = adopting.engine()
    plan = engine.plan()
    (write,) = plan.writes
    assert (write.kind, write.verb) == (kind, Verb.UPDATE)
    assert "takes it over" in write.reason
    assert any(f"Taking over the {kind}" in note for note in engine.notes(plan))
    assert not adopting.deploy(canary=False).outcome.failed
    assert pipeline.engine().plan().writes == ()


@dataclass(frozen=True, slots=True)
class LeftOut(DataBucket):
    """A bucket that the configuration does not ask for any more."""

    def is_wanted(self, spec: PipelineSpec) -> bool:
        return spec.config.prefix != "ml-pipeline"


def test_a_step_that_left_the_configuration_is_removed_where_it_is_ours(pipeline: Deployer) -> None:
    without = replace(
        pipeline,
        steps=tuple(LeftOut("models") if one.key == "bucket:models" else one
                    for one in pipeline.steps),
    )  # fmt: skip
    storage = pipeline.cloud.storage_client(project=PROJECT)
    name = pipeline.spec.names.bucket("models")
    plan = without.engine().plan()
    (write,) = plan.writes
    assert plan.actions[-1] == write
    assert (write.step, write.verb, write.name) == ("bucket:models", Verb.DELETE, name)
    assert "does not ask for it any more" in write.reason
    assert not without.deploy(canary=False).outcome.failed
    assert storage.lookup_bucket(name) is None
    assert without.engine().plan().writes == ()

    theirs = storage.create_bucket(name)
    assert without.engine().plan().writes == ()
    with pytest.raises(GpupipeError, match="did not make it"):
        pipeline.engine().plan()
    theirs.delete()
    assert not pipeline.deploy(canary=False).outcome.failed


def test_a_trigger_that_is_not_effective_yet_is_waited_for(pipeline: Deployer) -> None:
    """The first file starts nothing, for there is no trigger yet; the next one does."""
    world, waits = pipeline.engine().world, list[Waiting]()
    world.cloud.eventarc.delete(world.spec.trigger(world.spec.names.region).name)

    def report(event: Event) -> None:
        if isinstance(event, Waiting):
            waits.append(event)
            if event.what == "the new trigger to be effective":
                assert not pipeline.deploy(canary=False).outcome.failed

    with pytest.raises(CanaryError) as caught:
        canary.run(world.cloud, world.spec, pipeline.clock, report)
    assert "trigger passed, preprocess failed" in (caught.value.details or "")
    said = list(dict.fromkeys((wait.what, wait.deadline_s) for wait in waits))
    assert said[0] == ("the trigger to start an execution", canary.START_S)
    assert said[1] == ("the new trigger to be effective", GRANT_S)


class Interrupted(FastClock):
    """Once told, every wait ends as Ctrl-C ends it."""

    told = False

    def sleep(self, seconds: float) -> None:
        if self.told:
            raise InterruptedWaitError
        super().sleep(seconds)


def test_a_canary_that_is_cut_off_leaves_nothing_and_removes_what_others_left(
    pipeline: Deployer,
) -> None:
    cloud, names, clock = pipeline.cloud, pipeline.spec.names, Interrupted()
    storage = cloud.storage_client(project=PROJECT)
    left = storage.bucket(names.bucket("output")).blob(f"results/{canary.PREFIX}of-another.json")
    left.upload_from_string("{}")
    cloud.control("POST", "clock", {"seconds": canary.TIMEOUT_S + 1})
    cloud.control(
        "POST", "faults", {"kind": "stall", "method": "run.services.invoke", "seconds": 3600.0}
    )

    def report(event: Event) -> None:
        clock.told = isinstance(event, Waiting) and event.what == "the result"

    own = replace(pipeline, clock=clock)
    try:
        with pytest.raises(InterruptedWaitError):
            canary.run(own.connect(), own.spec, clock, report)
        client = cloud.client(ExecutionsClient)
        newest = next(iter(client.list_executions(parent=pipeline.spec.workflow_name)))
        assert newest.state.name == "CANCELLED"
    finally:
        cloud.control("DELETE", "faults")
    for role in ("input", "output", "work"):
        assert list(storage.list_blobs(names.bucket(role), versions=True)) == []


@pytest.mark.promise(11, 126)
def test_a_failed_build_tells_the_end_of_its_log_or_why_it_cannot(pipeline: Deployer) -> None:
    failing = replace(pipeline, steps=steps(LoudImage, "postprocess"))
    ((action, error),) = failing.deploy(canary=False).outcome.errors
    assert action.step == "image:postprocess"
    details = (error.details or "").splitlines()
    said = [line for line in details if line.startswith("line ")]
    assert said[-1] == "line 59"
    assert 20 < len(said) <= 40
    assert len(details) <= 42

    # The build decides: without the right to read logs it failed for the same reason.
    permission = {"name": "logging.logEntries.list", "project": PROJECT}
    pipeline.cloud.control("POST", "permissions", permission)
    try:
        ((_, error),) = failing.deploy(canary=False).outcome.errors
    finally:
        pipeline.cloud.control("DELETE", "permissions", permission)
    assert "The build of the image failed" in error.brief
    assert "Warning: its log could not be read; roles/logging.viewer is missing." in str(
        error.details
    )


def test_who_may_not_take_the_lease_is_told_the_permission(pipeline: Deployer) -> None:
    permission = {"name": "storage.objects.create", "project": PROJECT}
    world = pipeline.engine().world
    world.cloud.eventarc.delete(world.spec.trigger(world.spec.names.region).name)
    pipeline.cloud.control("POST", "permissions", permission)
    try:
        with pytest.raises(GpupipeError, match="permission is missing") as caught:
            pipeline.deploy(canary=False)
    finally:
        pipeline.cloud.control("DELETE", "permissions", permission)
    assert caught.value.exit is Exit.CREDENTIALS
    assert "storage.objects.create" in caught.value.resolution
    assert not pipeline.deploy(canary=False).outcome.failed


@pytest.mark.promise(134)
@pytest.mark.promise("S33")
@pytest.mark.promise("S39")
@pytest.mark.promise(135)
def test_a_destroy_goes_on_and_what_it_keeps_has_no_roles_of_accounts_that_are_gone(
    pipeline: Deployer,
) -> None:
    """The last test here: the pipeline is gone afterwards."""
    cloud, spec, keep = pipeline.cloud, pipeline.spec, DATA | {"repository"}
    cloud.inject("run.services.delete", "PERMISSION_DENIED")
    outcome, leftovers = destroyed(pipeline, keep, force=True)
    ((action, error),) = outcome.errors
    assert action.kind == "service"
    assert error.exit is Exit.CREDENTIALS
    assert outcome.skipped == []
    assert [(one.kind, one.name) for one in leftovers] == [("service", action.name)]
    # In order all the same: what comes later waits for what failed, and is done then.
    done = [one.kind for one in outcome.done]
    assert done.index("workflow") < done.index("service") < done.index("service account")
    assert done[-1] == "bucket"

    outcome, leftovers = destroyed(pipeline, keep, force=False)
    assert [one.kind for one in outcome.done] == ["service"]
    assert leftovers == ()
    world = pipeline.engine().world
    for step in STEPS:
        if step.key in keep:
            assert isinstance(step, KeepableStep)
            assert step.ours(world) == frozenset()
    gone = pipeline.cloud.kernel.policies.get(f"projects/_/buckets/{spec.names.bucket('output')}")
    assert not [one for binding in gone.bindings for one in binding.members if "deleted:" in one]


def destroyed(
    pipeline: Deployer, keep: frozenset[str], *, force: bool
) -> tuple[Outcome, tuple[Leftover, ...]]:
    world = World(pipeline.connect(), pipeline.spec, Facts())
    removal = destroy.plan_removal(world, keep=keep, parallelism=8)
    outcome = destroy.remove(
        world,
        removal,
        lambda _: nullcontext(lambda _: None),
        clock=pipeline.clock,
        parallelism=8,
        cancel=threading.Event(),
        force=force,
    )
    held = {f"{one.kind} {one.name}" for one in outcome.done if one.kind.startswith("service")}
    assert set(world.facts.held) == held
    assert all(until > pipeline.clock.now() for until in world.facts.held.values())
    return outcome, destroy.inventory(world, keep=keep, parallelism=8)
