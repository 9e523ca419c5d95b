"""A deploy takes care of what runs and of what others have: the traffic, and what has our name.

One small pipeline whose services refuse every file, so that a canary fails where one is sent.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
from google.cloud import artifactregistry_v1, eventarc_v1, iam_admin_v1, run_v2, workflows_v1
from google.protobuf.field_mask_pb2 import FieldMask
from tests.support.crashes import TINY_STEPS, TinyImage
from tests.support.localcloud import RunningCloud, start_cloud
from tests.support.pipeline import Deployer, FastClock

from gpupipe.core.assets import SourceFile
from gpupipe.core.errors import Exit, GpupipeError, UsageError
from gpupipe.deploy import destroy, health, history, releases
from gpupipe.deploy.action import Verb
from gpupipe.deploy.canary import CanaryError
from gpupipe.deploy.destroy import DATA
from gpupipe.deploy.executor import Outcome
from gpupipe.deploy.facts import Facts
from gpupipe.deploy.leftovers import Leftover
from gpupipe.deploy.ownership import NotOursError
from gpupipe.deploy.rollback import plan_rollback, roll_back
from gpupipe.deploy.spec import PipelineSpec
from gpupipe.deploy.step import Choices, KeepableStep, Step, World
from gpupipe.deploy.steps import STEPS
from gpupipe.deploy.steps.buckets import DataBucket

PROJECT = "taking-care"
_REFUSES = b"""import os
import socket

with socket.create_server((os.environ["HOST"], int(os.environ["PORT"]))) as server:
    while True:
        connection, _ = server.accept()
        with connection:
            asked = connection.recv(65536)
            status = b"200 OK" if asked.startswith(b"GET") else b"400 Bad Request"
            connection.sendall(b"HTTP/1.1 " + status + b"\\r\\nContent-Length: 0\\r\\nConnection: close\\r\\n\\r\\n")
"""


@dataclass(frozen=True, slots=True)
class RefusingImage(TinyImage):
    """Ready at once; every file is refused."""

    server: ClassVar[bytes] = _REFUSES

    def _files(self) -> Sequence[SourceFile]:
        dockerfile, _ = TinyImage._files(self)
        return [dockerfile, SourceFile("server.py", self.server)]


@dataclass(frozen=True, slots=True)
class BrokenImage(RefusingImage):
    """Its server ends at once."""

    server: ClassVar[bytes] = b"raise SystemExit('broken by this test')\n"


@dataclass(frozen=True, slots=True)
class LoudImage(RefusingImage):
    """Its build fails after sixty lines of log."""

    def _files(self) -> Sequence[SourceFile]:
        dockerfile, server = RefusingImage._files(self)
        script = b"print(*(f'line {n}' for n in range(60)), sep='\\n', flush=True); raise SystemExit(3)\n"
        run = b'\nCOPY fail.py fail.py\nRUN ["python", "fail.py"]\n'
        return [
            replace(dockerfile, data=dockerfile.data + run),
            server,
            SourceFile("fail.py", script),
        ]


def steps(kind: type[RefusingImage], *services: str) -> tuple[Step, ...]:
    """The table with images of this kind (of these services alone; of the others they refuse)."""
    return tuple(
        (kind if not services or step.service in services else RefusingImage)(step.service)
        if isinstance(step, TinyImage)
        else step
        for step in TINY_STEPS
    )


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployer]:
    clock = FastClock()
    cloud = start_cloud(tmp_path_factory.mktemp("care") / "cloud", clock=clock)
    deployer = Deployer(cloud, clock, PROJECT, steps=steps(RefusingImage))
    done = deployer.deploy(canary=False)
    assert not done.outcome.failed, done.outcome
    yield deployer
    cloud.stop()


Sized = Callable[[int], Deployer]


@pytest.fixture
def sized(pipeline: Deployer, tmp_path: Path) -> Sized:
    """The pipeline with so many requests at a time in preprocess: another one makes a release."""

    def make(concurrency: int) -> Deployer:
        file = tmp_path / f"{concurrency}.toml"
        file.write_text(f"[preprocess]\nconcurrency = {concurrency}\n")
        return replace(pipeline, file=file)

    return make


def latest(cloud: RunningCloud) -> int:
    return cloud.cloud.pipeline.log.latest()


def writes_since(cloud: RunningCloud, seq: int) -> list[str]:
    return [row.method for row in cloud.cloud.pipeline.log.since(seq, 100_000) if row.writes]


def service(pipeline: Deployer, name: str = "preprocess") -> Any:
    client = pipeline.cloud.client(run_v2.ServicesClient)
    return client.get_service(name=pipeline.spec.service_name(name))


def traffic(found: Any) -> list[tuple[str, int]]:
    """Revision and share, as the API tells of it; "" is the newest that is ready."""
    return [(one.revision, one.percent) for one in found.traffic_statuses]


def short(name: str) -> str:
    return name.rpartition("/")[2]


def keeps(pipeline: Deployer) -> list[str]:
    """What a plan says of the services that it leaves with an older release."""
    plan = pipeline.engine().plan()
    assert plan.writes == ()
    return [one.reason for one in plan.actions if "was rejected" in one.reason]


def test_traffic_that_somebody_moved_is_moved_back(pipeline: Deployer) -> None:
    client, found = pipeline.cloud.client(run_v2.ServicesClient), service(pipeline, "gpu-inference")
    revision = short(found.latest_ready_revision)
    found.traffic = [run_v2.TrafficTarget(type_=2, revision=revision, percent=100)]
    client.update_service(service=found).result(timeout=60)
    (write,) = pipeline.engine().plan().writes
    assert [str(change) for change in write.changes] == [
        f"traffic: 100 % to {revision} -> 100 % to the newest ready revision"
    ]
    assert not pipeline.deploy(canary=False).outcome.failed
    assert traffic(service(pipeline, "gpu-inference")) == [("", 100)]


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


@pytest.mark.promise(80)
def test_a_canary_that_fails_gives_the_old_revision_its_traffic_back(
    sized: Sized, tmp_path: Path
) -> None:
    old = short(service(sized(20)).latest_ready_revision)
    changed = sized(21)
    with pytest.raises(CanaryError, match="failed") as caught:
        changed.deploy()
    details = caught.value.details or ""
    assert "upload passed, trigger passed, preprocess failed, inference not reached" in details
    assert f"Rolled back: {changed.spec.names.service('preprocess')}, 100 % to {old}." in details
    assert "--no-rollback" in caught.value.resolution
    found = service(changed)
    assert traffic(found) == [(old, 100)]
    new = short(found.latest_ready_revision)
    assert new != old
    release = found.template.labels[releases.RELEASE]
    assert found.labels[releases.REJECTED] == f"{release}_canary"

    # The next plan leaves it so and says why; so does status. What is wanted else is rolled out.
    (kept,) = keeps(changed)
    assert release in kept
    assert "the canary file did not come out" in kept
    assert old in kept
    engine = changed.engine()
    assert any("--no-rollback" in note for note in engine.notes(engine.plan()))
    (held,) = [one for one in health.states(engine.world, parallelism=4) if one.state == "held"]
    assert release in held.detail
    before = latest(changed.cloud)
    assert changed.deploy(canary=False).plan.writes == ()
    assert writes_since(changed.cloud, before) == []

    run, *_ = history.runs(
        changed.connect().storage, changed.spec.names.bucket("staging"), tmp_path / "none"
    )
    assert (run.result, run.canary) == ("failed", "failed")
    assert any("traffic of" in one for one in run.done)
    plan = sized(22).engine().plan()
    assert [one.step for one in plan.writes] == ["service:preprocess"]


@pytest.mark.long
def test_the_same_again_is_tried_when_it_is_asked_for(sized: Sized) -> None:
    with pytest.raises(CanaryError):
        sized(30).deploy()
    again = replace(sized(30), choices=Choices(rollback=False))
    new = short(service(again).latest_created_revision)
    with pytest.raises(CanaryError) as caught:
        again.deploy()
    assert "Rolled back" not in (caught.value.details or "")
    found = service(again)
    # It was there and ready: only the traffic moved.
    assert short(found.latest_created_revision) == new
    assert traffic(found) == [("", 100)]
    assert releases.REJECTED not in found.labels
    assert sized(30).engine().plan().writes == ()


def test_a_revision_that_does_not_start_gets_no_traffic_and_is_not_tried_again(
    pipeline: Deployer,
) -> None:
    broken = replace(pipeline, steps=steps(BrokenImage, "postprocess"))
    old = short(service(pipeline, "postprocess").latest_ready_revision)
    done = broken.deploy(canary=False)
    ((action, error),) = done.outcome.errors
    assert action.step == "service:postprocess"
    assert "the older one keeps the traffic" in error.brief
    assert "broken by this test" in (error.details or "")
    found = service(pipeline, "postprocess")
    assert traffic(found) == [(old, 100)]
    failed = found.latest_created_revision
    assert short(failed) != old
    (kept,) = keeps(broken)
    assert "startup probe" in kept

    # Asked for, it is tried again, as a new revision; the older one has the traffic all the while.
    insist = replace(broken, choices=Choices(rollback=False))
    assert insist.deploy(canary=False).outcome.failed
    found = service(pipeline, "postprocess")
    assert found.latest_created_revision != failed
    assert traffic(found) == [(old, 100)]

    assert not pipeline.deploy(canary=False).outcome.failed
    found = service(pipeline, "postprocess")
    assert traffic(found) == [("", 100)]
    assert releases.REJECTED not in found.labels
    assert short(found.latest_ready_revision) not in {old, short(failed)}


@pytest.mark.long
def test_rejected_revisions_get_no_traffic_while_the_next_one_starts(sized: Sized) -> None:
    """The newest ready revision is the rejected one: traffic to "the newest" would be its."""
    assert not sized(40).deploy(canary=False).outcome.failed
    with pytest.raises(CanaryError):
        sized(41).deploy()
    (old, _), *_ = traffic(service(sized(41)))
    broken = replace(sized(42), steps=steps(BrokenImage, "preprocess"))
    assert broken.deploy(canary=False).outcome.failed
    assert traffic(service(broken)) == [(old, 100)]
    assert not sized(42).deploy(canary=False).outcome.failed
    assert traffic(service(broken)) == [("", 100)]


def test_a_rollback_goes_to_the_release_before_and_to_any_other(sized: Sized) -> None:
    for concurrency in (50, 51, 52):
        assert not sized(concurrency).deploy(canary=False).outcome.failed
    pipeline = sized(52)
    world = pipeline.engine().world
    planned = plan_rollback(world, None)
    newest, before, oldest, *_ = planned.known
    assert newest.serving == ("preprocess",)
    assert planned.to == before.name
    assert newest.made > before.made > oldest.made

    done = go_back(pipeline, None)
    assert (done.rollback.to, done.outcome.failed) == (before.name, False)
    (revision, share), *_ = traffic(service(pipeline))
    assert share == 100
    client = pipeline.cloud.client(run_v2.RevisionsClient)
    labels = client.get_revision(name=f"{service(pipeline).name}/revisions/{revision}").labels
    assert labels[releases.RELEASE] == before.name
    (kept,) = keeps(pipeline)
    assert "somebody rolled it back" in kept

    assert plan_rollback(world, None).to == oldest.name
    go_back(pipeline, oldest.name)
    assert plan_rollback(world, oldest.name).turns == ()
    go_back(pipeline, newest.name)
    assert traffic(service(pipeline)) == [("", 100)]
    assert pipeline.engine().plan().writes == ()
    assert keeps(pipeline) == []
    with pytest.raises(UsageError, match="no release nonsense") as caught:
        plan_rollback(world, "nonsense")
    assert newest.name in (caught.value.details or "")


def go_back(pipeline: Deployer, to: str | None) -> Any:
    world = pipeline.engine().world
    return roll_back(
        world, to, pipeline.clock, lambda _: nullcontext(lambda _: None), send_canary=False
    )


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


@pytest.mark.promise(134)
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
