"""`gpupipe validate`: verdicts that fail when what they look at fails."""

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.support.clock import START
from tests.support.pipeline import QuickPipeline

from gpupipe.cloud.logging import Entry
from gpupipe.core.names import SERVICES
from gpupipe.deploy.activity import Gpu
from gpupipe.deploy.canary import PREFIX
from gpupipe.deploy.instances import Instances, count
from gpupipe.deploy.logs import Line
from gpupipe.deploy.validation import (
    FAILED,
    NOT_MEASURED,
    PASSED,
    Validation,
    _scaling,
    _worked,
)


@pytest.fixture(scope="module")
def pipeline(quick_pipeline: QuickPipeline) -> QuickPipeline:
    # Whatever came before: the tests of the operator's roles end with a destroy.
    quick_pipeline.deployer.deploy(canary=False)
    return quick_pipeline


def validation(pipeline: QuickPipeline, files: int) -> Validation:
    return Validation(pipeline.operator.connect(), pipeline.spec, pipeline.clock, files, 0)


@pytest.mark.promise(82)
@pytest.mark.promise(81)
@pytest.mark.promise(106)
def test_files_at_once_make_several_instances_and_leave_nothing(pipeline: QuickPipeline) -> None:
    # Files that are done faster than they come need no second instance, which is not measured then.
    for _ in range(5):
        found = {one.name: one for one in validation(pipeline, 30).run()}
        if found["more than one instance"].verdict != NOT_MEASURED:
            break
    assert found["load"].verdict == PASSED, found["load"]
    assert found["load"].detail == "30 of 30 files succeeded"
    assert found["canary"].verdict == PASSED
    assert found["device"].verdict == PASSED
    assert found["device"].detail == "cpu (L4 emulated)"
    assert found["more than one instance"].verdict == PASSED, found["more than one instance"]
    assert found["within the maximum"].verdict == PASSED, found["within the maximum"]
    assert found["back to the minimum"].verdict == NOT_MEASURED
    assert found["GPU utilisation"].verdict in {PASSED, NOT_MEASURED}
    assert {found[f"health of {one}"].verdict for one in SERVICES} <= {PASSED, NOT_MEASURED}
    cloud, names = pipeline.operator.connect(), pipeline.spec.names
    for role in ("input", "output"):
        left = cloud.storage.objects(names.bucket(role), versions=True)
        assert [one.name for one in left if PREFIX in one.name] == []


@pytest.mark.long
@pytest.mark.promise(104)
def test_instances_end_again_down_to_the_minimum(pipeline: QuickPipeline) -> None:
    """They stay idle for 15 minutes of the fast clock, which are 45 s."""
    cloud = pipeline.operator.connect()
    work = Validation(cloud, pipeline.spec, pipeline.clock, files=3, settle_s=7200)
    found = {one.name: one for one in work.run()}
    assert found["load"].verdict == PASSED
    assert found["back to the minimum"].verdict == PASSED, found["back to the minimum"]
    assert found["more than one instance"].verdict in {PASSED, NOT_MEASURED}


@pytest.mark.promise(80)
def test_where_the_canary_fails_no_files_are_sent(
    pipeline: QuickPipeline,
) -> None:
    pipeline.cloud.inject("storage.objects.insert", "PERMISSION_DENIED", times=1)
    verdicts = list(validation(pipeline, 5).run())
    assert verdicts[-1].name == "canary"
    assert verdicts[-1].verdict == FAILED


def line(instance: str, second: float, text: str = "x") -> Line:
    labels = {"instanceId": instance} if instance else {}
    time = START + timedelta(seconds=second)
    return Line("preprocess", "", Entry(time, "INFO", text, labels=labels))


def request(instance: str, second: float, took_s: float) -> Line:
    """A request that ended then."""
    found = line(instance, second)
    return replace(found, entry=replace(found.entry, request={"latency": f"{took_s}s"}))


def test_instances_are_counted_by_what_they_say() -> None:
    lines = [
        line("", 0), line("a", 0), line("b", 1), line("a", 2), line("c", 3), line("b", 4),
        line("a", 5, "Finished server process [7]"),
    ]  # fmt: skip
    assert count(lines) == {"preprocess": Instances(seen=3, at_once=3, alive=2)}
    asked = [
        request("a", 10, 4.0),
        request("a", 8, 3.0),
        request("b", 6, 1.0),
        request("b", 12, 2.0),
    ]
    assert count(asked)["preprocess"].requests == 2
    apart = [line("a", 0), line("a", 1), line("b", 2), line("b", 3)]
    assert count(apart)["preprocess"].at_once == 1


@pytest.mark.parametrize(
    ("at_once", "requests", "verdict"),
    [(2, 5, PASSED), (1, 5, NOT_MEASURED), (1, 11, FAILED)],
)
def test_one_instance_has_failed_only_where_it_was_not_enough(
    pipeline: QuickPipeline, at_once: int, requests: int, verdict: str
) -> None:
    found = {"preprocess": Instances(at_once, at_once, at_once, requests)}
    several, within = _scaling(pipeline.spec, found, {"preprocess": 1})
    assert several.verdict == verdict
    assert within.verdict == (PASSED if at_once == 1 else FAILED)


@pytest.mark.promise(82)
@pytest.mark.promise(91)
@pytest.mark.parametrize(
    ("p95", "few", "verdict"),
    [(0.9, False, PASSED), (0.0, True, NOT_MEASURED), (0.0, False, FAILED)],
)
def test_a_gpu_that_was_never_at_work_has_failed(p95: float, *, few: bool, verdict: str) -> None:
    assert _worked("GPU utilisation", Gpu(0.0, p95, None), few=few).verdict == verdict
