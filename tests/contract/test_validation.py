"""`gpupipe validate`: verdicts that fail when what they look at fails."""

from datetime import timedelta

import pytest
from tests.support.clock import START
from tests.support.pipeline import QuickPipeline

from gpupipe.cloud.logging import Entry
from gpupipe.core.names import SERVICES
from gpupipe.deploy.canary import PREFIX
from gpupipe.deploy.instances import Instances, count
from gpupipe.deploy.logs import Line
from gpupipe.deploy.validation import FAILED, NOT_MEASURED, PASSED, Validation


@pytest.fixture(scope="module")
def pipeline(quick_pipeline: QuickPipeline) -> QuickPipeline:
    # Whatever came before: the tests of the operator's roles end with a destroy.
    quick_pipeline.deployer.deploy(canary=False)
    return quick_pipeline


def validation(pipeline: QuickPipeline, files: int) -> Validation:
    return Validation(pipeline.operator.connect(), pipeline.spec, pipeline.clock, files, 0)


@pytest.mark.promise(81)
@pytest.mark.promise(106)
def test_files_at_once_make_several_instances_and_leave_nothing(pipeline: QuickPipeline) -> None:
    found = {one.name: one for one in validation(pipeline, 30).run()}
    assert found["load"].verdict == PASSED, found["load"]
    assert found["load"].detail == "30 of 30 files succeeded"
    assert found["canary"].verdict == PASSED
    assert found["device"].verdict == PASSED
    assert found["device"].detail == "cpu (L4 emulated)"
    assert found["more than one instance"].verdict == PASSED, found["more than one instance"]
    assert found["within the maximum"].verdict == PASSED, found["within the maximum"]
    assert found["back to the minimum"].verdict == NOT_MEASURED
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


def test_instances_are_counted_by_what_they_say() -> None:
    lines = [
        line("", 0), line("a", 0), line("b", 1), line("a", 2), line("c", 3), line("b", 4),
        line("a", 5, "Finished server process [7]"),
    ]  # fmt: skip
    assert count(lines) == {"preprocess": Instances(seen=3, at_once=3, alive=2)}
    apart = [line("a", 0), line("a", 1), line("b", 2), line("b", 3)]
    assert count(apart)["preprocess"].at_once == 1
