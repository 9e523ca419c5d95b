"""`gpupipe logs`: lines of a pipeline's services, workflow and builds, over the wire."""

from datetime import timedelta
from itertools import islice
from typing import Any

import pytest
from google.api_core.exceptions import Conflict
from tests.support.clock import START, FakeClock
from tests.support.localcloud import CloudFactory, RunningCloud
from tests.support.pipeline import Deployer, FastClock

from gpupipe.cloud.cloud import Cloud
from gpupipe.deploy.logs import SOURCES, Line, Selection, Tail, newest
from gpupipe.deploy.spec import PipelineSpec
from gpupipe.render.logs import line_json, line_text

EXECUTION = "8889233c-3eb0-4fcb-a612-7e9b8f3e368f"


class Pipeline:
    """A pipeline of which there is nothing but what it has said."""

    def __init__(self, running: RunningCloud) -> None:
        self.running = running
        running.enable("logging.googleapis.com", "cloudbuild.googleapis.com")
        deployer = Deployer(running, FastClock(), running.project)
        self.cloud: Cloud = deployer.connect()
        self.spec: PipelineSpec = deployer.spec

    def says(self, service: str, payload: Any, after_s: float = 0.0, **more: Any) -> None:
        """A line of a service."""
        labels = {"service_name": service, "location": "us-central1", "revision_name": "r1"}
        log = more.pop("log", "run.googleapis.com%2Fstdout")
        self._write(log, "cloud_run_revision", labels, payload, after_s, more)

    def workflow_says(self, payload: Any, after_s: float = 0.0) -> None:
        labels = {"workflow_id": "ml-pipeline-ml-pipeline", "location": "us-central1"}
        more = {"labels": {"workflows.googleapis.com/execution_id": EXECUTION}}
        self._write(
            "executions", "workflows.googleapis.com/Workflow", labels, payload, after_s, more
        )

    def _write(
        self, log: str, kind: str, labels: Any, payload: Any, after_s: float, more: Any
    ) -> None:
        severity = more.pop("severity", "INFO")
        self.running.kernel.logs.write(
            f"projects/{self.running.project}/logs/{log}", kind, labels, severity, payload,
            timestamp=START + timedelta(seconds=after_s), **more,
        )  # fmt: skip

    def read(self, **wanted: Any) -> list[Line]:
        """Oldest first."""
        return list(newest(self.cloud, self.spec, Selection(**wanted)))[::-1]

    def texts(self, **wanted: Any) -> list[tuple[str, str]]:
        return [(one.source, one.entry.text) for one in self.read(**wanted)]


@pytest.fixture
def pipeline(local_cloud_factory: CloudFactory) -> Pipeline:
    return Pipeline(local_cloud_factory(clock=FakeClock()))


@pytest.mark.promise(128)
@pytest.mark.promise("D28")
def test_lines_of_all_come_merged_in_order_and_only_of_this_pipeline(pipeline: Pipeline) -> None:
    pipeline.says("ml-pipeline-postprocess", "third", 3)
    pipeline.says("ml-pipeline-preprocess", {"message": "first", "items": 2}, 1)
    pipeline.workflow_says({"message": "second"}, 2)
    pipeline.says("ml-pipeline-other-preprocess", "of another pipeline", 2)
    assert pipeline.texts() == [
        ("preprocess", "first"), ("workflow", "second"), ("postprocess", "third"),
    ]  # fmt: skip
    assert pipeline.texts(sources=("postprocess",)) == [("postprocess", "third")]
    assert pipeline.texts(sources=("build",)) == []
    assert pipeline.texts(since=START + timedelta(seconds=2)) == [
        ("workflow", "second"), ("postprocess", "third"),
    ]  # fmt: skip


def test_severity_and_execution_select(pipeline: Pipeline) -> None:
    pipeline.says("ml-pipeline-preprocess", {"message": "mine", "execution_id": EXECUTION}, 1)
    pipeline.says("ml-pipeline-preprocess", {"message": "not mine", "execution_id": "x"}, 2)
    pipeline.workflow_says("also mine", 3)
    pipeline.says("ml-pipeline-gpu-inference", "bad", 4, severity="ERROR")
    assert pipeline.texts(severity="WARNING") == [("gpu-inference", "bad")]
    found = pipeline.read(execution=EXECUTION)
    assert [one.entry.text for one in found] == ["mine", "also mine"]
    assert {one.execution for one in found} == {EXECUTION}


def test_a_request_is_told_in_its_own_words(pipeline: Pipeline) -> None:
    request = {"requestMethod": "POST", "status": 503, "latency": "0.250000s",
               "requestUrl": "http://127.0.0.1:1/run/p/r/ml-pipeline-gpu-inference/process"}  # fmt: skip
    pipeline.says("ml-pipeline-gpu-inference", {"httpRequest": request}, severity="ERROR",
                  log="run.googleapis.com%2Frequests")  # fmt: skip
    (line,) = pipeline.read()
    assert line.entry.log == "run.googleapis.com/requests"
    assert line_json(line)["request"]["status"] == 503
    assert line_text(line).plain == (
        "2026-01-02T03:04:05.000Z ERROR    gpu-inference POST /process 503 in 0.250 s"
    )


@pytest.mark.promise(123)
def test_audit_tells_who_did_what_with_the_resources_of_this_pipeline(pipeline: Pipeline) -> None:
    storage, names = pipeline.running.storage_client(), pipeline.spec.names
    for name in (names.bucket("input"), f"{names.bucket('input')}-2", "somebody-elses-bucket"):
        storage.create_bucket(name)
    with pytest.raises(Conflict):
        storage.create_bucket(names.bucket("input"))
    (line,) = pipeline.read(sources=("audit",))
    what = f"storage.buckets.create projects/_/buckets/{names.bucket('input')}"
    assert line_text(line).plain == (
        f"2026-01-02T03:04:05.000Z NOTICE   audit         {what} by operator@gpupipe.local"
    )
    told = line_json(line)
    assert (told["source"], told["log"]) == ("audit", "cloudaudit.googleapis.com/activity")
    assert told["fields"]["authorizationInfo"][0]["permissionType"] == "ADMIN_WRITE"
    assert pipeline.read() == []


def test_audit_entries_about_a_service_are_not_among_its_own_lines(pipeline: Pipeline) -> None:
    service = "ml-pipeline-preprocess"
    name = f"projects/p/locations/l/services/{service}"
    pipeline.says(service, {"methodName": "UpdateService", "resourceName": name},
                  log="cloudaudit.googleapis.com%2Factivity")  # fmt: skip
    pipeline.says(service, {"methodName": "called", "message": "a line of its own"})
    assert pipeline.texts() == [("preprocess", "a line of its own")]
    assert pipeline.texts(sources=("audit",)) == [("audit", f"UpdateService {name} by ")]


def test_a_structured_line_shows_its_fields(pipeline: Pipeline) -> None:
    fields = {"message": "scored", "device": "cuda", "rows": 3, "logger": "x",
              "execution_id": EXECUTION}  # fmt: skip
    pipeline.says("ml-pipeline-gpu-inference", fields, labels={"instanceId": "i1"})
    (line,) = pipeline.read()
    assert line_text(line).plain.endswith("scored  device=cuda  rows=3  execution=8889233c")
    assert line_json(line)["instance"] == "i1"


def test_a_tail_shows_each_line_once_also_one_that_came_late(pipeline: Pipeline) -> None:
    for second in range(3):
        pipeline.says("ml-pipeline-preprocess", f"old {second}", second)
    tail = Tail(pipeline.cloud, pipeline.spec, Selection())
    for line in pipeline.read()[-1:]:
        tail.saw(line)
    assert list(tail.look()) == []
    pipeline.says("ml-pipeline-preprocess", "young", 20)
    assert [one.entry.text for one in tail.look()] == ["young"]
    pipeline.says("ml-pipeline-postprocess", "late", 10)
    assert [one.entry.text for one in tail.look()] == ["late"]
    assert list(tail.look()) == []


def test_many_lines_come_a_page_at_a_time(pipeline: Pipeline) -> None:
    for number in range(1100):
        pipeline.says("ml-pipeline-preprocess", f"{number}", number / 1000)
    assert len(pipeline.read()) == 1100
    before = pipeline.running.requests()[-1]["seq"]
    found = newest(pipeline.cloud, pipeline.spec, Selection(sources=SOURCES[:1]))
    assert [one.entry.text for one in islice(found, 2)] == ["1099", "1098"]
    calls = [row["method"] for row in pipeline.running.requests(before)]
    assert calls.count("logging.logEntries.list") == 1
