"""What `gpupipe status` counts, against the raw executions and requests, read through the official clients."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from google.cloud.logging_v2.services.logging_service_v2 import LoggingServiceV2Client
from google.cloud.workflows import executions_v1
from tests.support.pipeline import QuickPipeline

from gpupipe.core.names import SERVICES
from gpupipe.deploy import canary
from gpupipe.deploy.activity import WINDOW_S, Activity, activity
from gpupipe.deploy.facts import Facts
from gpupipe.deploy.follow import Sent, follow
from gpupipe.deploy.step import World
from gpupipe.render.activity import activity_json

FULL = executions_v1.ExecutionView.FULL


class Pipeline:
    """Sends files, and looks at what is counted at the time at which the last one had ended."""

    def __init__(self, quick: QuickPipeline) -> None:
        self.quick = quick
        self.cloud = quick.operator.connect()
        self.spec = quick.spec

    def send(self, *texts: bytes) -> None:
        names, api = self.spec.names, self.cloud.storage
        sent = [
            Sent(f"{number}", api.upload(names.bucket("input"), f"activity/{number}.txt", text,
                                         content_type="text/plain"), 0.0)
            for number, text in enumerate(texts)
        ]  # fmt: skip
        list(follow(self.cloud, self.spec.workflow_name, names.bucket("output"), sent,
                    clock=self.quick.clock, timeout_s=6000))  # fmt: skip

    def executions(self) -> list[Any]:
        client = self.quick.cloud.client(executions_v1.ExecutionsClient)
        request = {"parent": self.spec.workflow_name, "view": FULL}
        return list(client.list_executions(request=request, retry=None))

    def requests(self, service: str, since: datetime, until: datetime) -> int:
        client: Any = self.quick.cloud.client(LoggingServiceV2Client)
        project, name = self.spec.names.project, self.spec.names.service(service)
        wanted = (
            f'logName="projects/{project}/logs/run.googleapis.com%2Frequests" '
            f'AND resource.labels.service_name="{name}"'
        )
        request = {"resource_names": [f"projects/{project}"], "filter": wanted}
        entries = client.list_log_entries(request=request, retry=None)
        return sum(since < one.timestamp <= until for one in entries)

    def counted(self, at: datetime) -> Activity:
        return activity(World(self.cloud, self.spec, Facts()), at)


@pytest.fixture(scope="module")
def pipeline(quick_pipeline: QuickPipeline) -> Pipeline:
    # Whatever came before: the tests of the operator's roles end with a destroy.
    quick_pipeline.deployer.deploy(canary=False)
    return Pipeline(quick_pipeline)


@pytest.mark.promise(84)
def test_what_is_counted_is_what_ran_without_canaries(pipeline: Pipeline) -> None:
    pipeline.send(b"I love it.", b"caf\xe9", b"I hate it.")
    canary.run(pipeline.cloud, pipeline.spec, pipeline.quick.clock, lambda _: None)
    raw = pipeline.executions()
    until = max(one.end_time for one in raw) + timedelta(seconds=1)
    since = until - timedelta(seconds=WINDOW_S)
    found = pipeline.counted(until)
    assert found.notes == ()
    runs = found.runs
    assert runs is not None
    in_window = [one for one in raw if one.end_time >= since]
    files = [one for one in in_window if canary.PREFIX not in one.argument]
    assert runs.canaries == len(in_window) - len(files) >= 1
    took = sorted((one.end_time - one.start_time).total_seconds() for one in files)
    assert runs.failed == sum(one.state.name == "FAILED" for one in files) >= 1
    assert runs.succeeded == sum(one.state.name == "SUCCEEDED" for one in files) >= 2
    assert (runs.active, runs.queued, runs.cancelled) == (0, 0, 0)
    assert runs.p50_s == pytest.approx(took[(len(took) + 1) // 2 - 1])
    assert activity_json(found)["executions"]["per_minute"] == len(files) / 10
    assert not [one for one in runs.newest if canary.PREFIX in one.file]
    assert found.undelivered == 0
    assert found.gpu is None
    assert found.work is not None
    assert [one.service for one in found.work] == list(SERVICES)
    for one in found.work:
        assert one.instances >= 1
        assert one.requests == pipeline.requests(one.service, since, until) >= 3


def test_a_metric_that_may_not_be_read_is_said_and_the_rest_is_shown(pipeline: Pipeline) -> None:
    pipeline.quick.cloud.inject("monitoring.timeSeries.list", "PERMISSION_DENIED", times=20)
    found = pipeline.counted(pipeline.quick.clock.now())
    pipeline.quick.cloud.control("DELETE", "faults")
    assert found.work is None
    assert found.runs is not None
    assert len(found.notes) == 1
    assert found.notes[0].startswith("Reading metrics")
