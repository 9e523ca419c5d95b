"""A release that does not prove itself loses the traffic, and a rollback moves it."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from google.cloud import run_v2
from tests.support.pipeline import Deployer
from tests.support.refusing import (
    BrokenImage,
    latest,
    refusing_pipeline,
    service,
    short,
    steps,
    traffic,
    writes_since,
)

from gpupipe.core.errors import UsageError
from gpupipe.deploy import health, history, releases
from gpupipe.deploy.canary import CanaryError
from gpupipe.deploy.rollback import plan_rollback, roll_back
from gpupipe.deploy.step import Choices
from gpupipe.deploy.unproven import Unproven

PROJECT = "rolling-back"


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployer]:
    with refusing_pipeline(tmp_path_factory.mktemp("rollback"), PROJECT) as deployer:
        yield deployer


Sized = Callable[[int], Deployer]


@pytest.fixture
def sized(pipeline: Deployer, tmp_path: Path) -> Sized:
    """The pipeline with so many requests at a time in preprocess: another one makes a release."""

    def make(concurrency: int) -> Deployer:
        file = tmp_path / f"{concurrency}.toml"
        file.write_text(f"[preprocess]\nconcurrency = {concurrency}\n")
        return replace(pipeline, file=file)

    return make


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
    (held,) = [one for one in health.states(engine.world) if one.state == "held"]
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
    before, after = (one.engine().plan().writes for one in (pipeline, broken))
    changed = {one.step for one in after} - {one.step for one in before}
    assert changed == {"image:postprocess", "service:postprocess"}  # and no other service
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
    with pytest.raises(CanaryError) as refused:
        go_back(pipeline, newest.name, canary=True)
    assert f"with the release {newest.name}" in refused.value.resolution
    assert "same command" not in refused.value.resolution  # it would go back by one more
    plan = pipeline.engine().plan()
    assert plan.unproven == Unproven()
    go_back(pipeline, oldest.name)
    go_back(pipeline, newest.name)
    assert pipeline.engine().plan().unproven is None
    assert traffic(service(pipeline)) == [("", 100)]
    assert pipeline.engine().plan().writes == ()
    assert keeps(pipeline) == []
    with pytest.raises(UsageError, match="no release nonsense") as caught:
        plan_rollback(world, "nonsense")
    assert newest.name in (caught.value.details or "")


def go_back(pipeline: Deployer, to: str | None, *, canary: bool = False) -> Any:
    world = pipeline.engine().world
    return roll_back(
        world, to, pipeline.clock, lambda _: nullcontext(lambda _: None), send_canary=canary
    )
