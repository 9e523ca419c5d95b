"""Objects without an outcome get an execution each, however often it is asked for."""

from collections.abc import Iterator

import pytest
from tests.support.pipeline import QuickPipeline

from gpupipe.cloud.cloud import Cloud
from gpupipe.core.errors import UsageError
from gpupipe.deploy.follow import Follower, Outcome, Sent, follow, output_name
from gpupipe.deploy.processing import Backlog, prefix_of, start, start_and_follow
from gpupipe.deploy.results import newest, results
from gpupipe.deploy.spec import PipelineSpec

FOLDER = "backlog/"
LONG = f"{FOLDER}{'n' * 1000}.txt"
"""So long that the name of its result is hashed."""


@pytest.fixture(scope="module")
def cloud(quick_pipeline: QuickPipeline) -> Cloud:
    # Whatever came before: the tests of the operator's roles end with a destroy.
    quick_pipeline.deployer.deploy(canary=False)
    return quick_pipeline.operator.connect()


@pytest.fixture(scope="module")
def spec(quick_pipeline: QuickPipeline) -> PipelineSpec:
    return quick_pipeline.spec


@pytest.fixture(scope="module")
def objects(quick_pipeline: QuickPipeline, cloud: Cloud, spec: PipelineSpec) -> list[str]:
    """Inputs with a result, with an error record, and two that have lost theirs."""
    contents = {"done.txt": b"good", "bad.txt": b"\x00", "lost.txt": b"fine", LONG: b"well"}
    names = {name if name == LONG else FOLDER + name: data for name, data in contents.items()}
    bucket = spec.names.bucket("input")
    sent = [
        Sent(name, cloud.storage.upload(bucket, name, data, content_type="text/plain"), 0.0)
        for name, data in names.items()
    ]
    ended = follow(
        cloud, spec.workflow_name, spec.names.bucket("output"), sent,
        clock=quick_pipeline.clock, timeout_s=3600,
    )  # fmt: skip
    assert sorted(one.state for one in ended) == ["failed"] + ["succeeded"] * 3
    for one in sent[2:]:
        lost = output_name("results", one.object.name, one.object.generation)
        cloud.storage.remove(spec.names.bucket("output"), lost)
    return sorted(one.object.name for one in sent[2:])


def backlog(cloud: Cloud, spec: PipelineSpec, *, retry_failed: bool = False) -> Backlog:
    return Backlog(cloud, spec, FOLDER, retry_failed=retry_failed)


def through(
    pipeline: QuickPipeline, cloud: Cloud, spec: PipelineSpec, found: Backlog
) -> Iterator[Sent | Outcome]:
    with Follower(cloud, spec.workflow_name, spec.names.bucket("output")) as follower:
        yield from start_and_follow(
            start(iter(found), cloud, spec, None), follower, cloud, pipeline.clock, patience_s=3600
        )


def test_what_has_no_outcome_is_started_once_and_then_is_done(
    quick_pipeline: QuickPipeline, cloud: Cloud, spec: PipelineSpec, objects: list[str]
) -> None:
    first = backlog(cloud, spec)
    told = list(through(quick_pipeline, cloud, spec, first))
    assert sorted(one.object.name for one in told if isinstance(one, Sent)) == objects
    ended = {one.sent.object.name: one for one in told if isinstance(one, Outcome)}
    assert {name: one.state for name, one in ended.items()} == dict.fromkeys(objects, "succeeded")
    assert all(one.execution == one.sent.execution for one in ended.values())
    assert (first.found.done, first.found.failed) == (1, 1)

    again = backlog(cloud, spec)
    assert list(through(quick_pipeline, cloud, spec, again)) == []
    assert (again.found.done, again.found.failed) == (3, 1)


def test_a_failed_one_goes_again_only_where_that_is_asked_for_and_its_own_run_counts(
    quick_pipeline: QuickPipeline, cloud: Cloud, spec: PipelineSpec, objects: list[str]
) -> None:
    told = list(through(quick_pipeline, cloud, spec, backlog(cloud, spec, retry_failed=True)))
    (sent,) = [one for one in told if isinstance(one, Sent) and one.object.name not in objects]
    (ended,) = [one for one in told if isinstance(one, Outcome) and one.sent == sent]
    assert (ended.state, ended.execution) == ("failed", sent.execution)


def test_results_are_found_by_the_names_of_their_inputs(
    cloud: Cloud, spec: PipelineSpec, objects: list[str]
) -> None:
    listed = {one.input: one.failed for one in results(cloud, spec, FOLDER)}
    assert listed[f"{FOLDER}done.txt"] is False
    assert listed[f"{FOLDER}bad.txt"] is True
    assert LONG in {one.input for one in results(cloud, spec)}
    assert not any(one.input.startswith("gpupipe-canary/") for one in results(cloud, spec))
    found = newest(cloud, spec, f"{FOLDER}bad.txt")
    assert found is not None
    assert newest(cloud, spec, f"{FOLDER}bad.txt", found.generation) == found
    assert newest(cloud, spec, f"{FOLDER}bad.txt", 1) is None
    assert newest(cloud, spec, f"{FOLDER}bad") is None


def test_a_limit_leaves_the_rest_alone(
    cloud: Cloud, spec: PipelineSpec, objects: list[str]
) -> None:
    found = Backlog(cloud, spec, "", retry_failed=True)
    assert list(start(iter(found), cloud, spec, 0)) == []


def test_an_address_must_be_in_the_input_bucket(spec: PipelineSpec) -> None:
    bucket = spec.names.bucket("input")
    assert prefix_of(spec, f"gs://{bucket}") == ""
    assert prefix_of(spec, f"gs://{bucket}/a/b") == "a/b"
    for wrong in ("a/b", "gs://", f"gs://{bucket}x/a", f"{bucket}/a"):
        with pytest.raises(UsageError):
            prefix_of(spec, wrong)
