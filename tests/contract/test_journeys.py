"""One file's life, read back over the wire: its steps, retries, instances, device, and what helps."""

import json

import httpx
import pytest
from tests.support.pipeline import QuickPipeline

from gpupipe.cloud.cloud import Cloud
from gpupipe.cloud.storage import Object
from gpupipe.core.errors import UsageError
from gpupipe.deploy.finding import find
from gpupipe.deploy.follow import Follower, Outcome, Sent, follow
from gpupipe.deploy.journey import Journey, journey
from gpupipe.deploy.processing import start, start_and_follow
from gpupipe.deploy.retrying import Again
from gpupipe.render.console import answer
from gpupipe.render.executions import journey_json, print_journey


class Pipeline:
    """Sends files and reads what became of them."""

    def __init__(self, quick: QuickPipeline) -> None:
        self.quick = quick
        self.cloud: Cloud = quick.operator.connect()
        self.spec = quick.spec

    def send(self, name: str, data: bytes) -> Outcome:
        """A file, followed to its outcome."""
        sent = self._upload(name, data)
        (outcome,) = follow(
            self.cloud, self.spec.workflow_name, self._output, [Sent(name, sent, 0.0)],
            clock=self.quick.clock, timeout_s=6000,
        )  # fmt: skip
        return outcome

    def _upload(self, name: str, data: bytes) -> Object:
        bucket = self.spec.names.bucket("input")
        return self.cloud.storage.upload(bucket, name, data, content_type="text/plain")

    def show(self, which: str) -> Journey:
        """As `gpupipe executions show`."""
        return journey(self.cloud, self.spec, find(self.cloud, self.spec, which))

    def retry(self, again: Again, objects: list[Object]) -> list[str]:
        """As `gpupipe executions retry`: the states in which it ends."""
        started = start(iter(objects), self.cloud, self.spec, None)
        with Follower(self.cloud, self.spec.workflow_name, self._output) as follower:
            coming = start_and_follow(
                started, follower, self.cloud, self.quick.clock, patience_s=6000
            )
            return [one.state for one in coming if isinstance(one, Outcome)]

    @property
    def _output(self) -> str:
        return self.spec.names.bucket("output")


@pytest.fixture(scope="module")
def pipeline(quick_pipeline: QuickPipeline) -> Pipeline:
    # Whatever came before: the tests of the operator's roles end with a destroy.
    quick_pipeline.deployer.deploy(canary=False)
    return Pipeline(quick_pipeline)


@pytest.mark.promise("S85", "S78")
def test_a_request_over_http_starts_it_for_a_file_that_is_there(pipeline: Pipeline) -> None:
    """As a job of Cloud Scheduler would: the name is enough."""
    sent = pipeline.send("journey/again.txt", b"What a wonderful day, I love it.")
    cloud = pipeline.quick.cloud
    with httpx.Client(
        base_url=f"{cloud.http}/v1/", headers={"authorization": f"Bearer {cloud.token}"},
        trust_env=False,
    ) as client:  # fmt: skip
        argument = json.dumps({"input_file": "journey/again.txt"})
        place = f"{pipeline.spec.workflow_name}/executions"
        found = client.post(place, json={"argument": argument}).raise_for_status().json()
        while found["state"] in {"ACTIVE", "QUEUED"}:
            pipeline.quick.clock.sleep(1)
            found = client.get(found["name"]).raise_for_status().json()
    result = json.loads(found["result"])
    assert (result["status"], result["input_file"]) == ("success", "journey/again.txt")
    assert (result["output_file"], result["summary"]["ok"]) == (sent.result_object, 1)


@pytest.mark.promise(34)
@pytest.mark.promise(36)
@pytest.mark.promise(90)
def test_a_file_that_had_to_wait_shows_what_was_tried_again_where_it_ran_and_what_came_out(
    pipeline: Pipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline.quick.cloud.inject("run.services.invoke", "UNAVAILABLE", times=2)
    sent = pipeline.send("journey/good.txt", b"What a wonderful day, I love it.")
    assert sent.state == "succeeded"
    found = pipeline.show("journey/good.txt")
    assert found.execution.execution_id == sent.execution
    assert [one.name for one in found.stages] == ["preprocess", "score", "postprocess"]
    first, score, last = found.stages
    assert first.service == "preprocess"
    assert first.tries_again == 2
    assert first.waited_s >= 2 + 4
    assert (score.tries_again, last.tries_again) == (0, 0)
    assert score.device == "cpu (L4 emulated)"
    assert (score.calls, score.items, score.batch) == (1, 1, 1)
    assert {one.cold for one in found.stages} <= {True, False}
    assert found.outcome["items"][0]["label"] == "positive"
    print_journey(answer(), found)
    shown = capsys.readouterr().out
    assert "2 tried again" in shown
    assert "1 item, in a batch of 1, on cpu (L4 emulated)" in shown
    assert "positive 0." in shown
    assert journey_json(found)["object"]["generation"] == str(sent.sent.object.generation)


@pytest.mark.promise(127)
def test_a_failed_file_shows_its_step_its_error_the_services_lines_and_what_helps(
    pipeline: Pipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    sent = pipeline.send("journey/bad.txt", b"caf\xe9 au lait")
    found = pipeline.show(sent.execution[:8])
    assert [(one.name, one.state) for one in found.stages] == [
        ("preprocess", "FAILED"), ("record", "SUCCEEDED"),
    ]  # fmt: skip
    assert found.stages[0].error.startswith("422: the object is not valid utf-8")
    assert found.hint == "Save the text as UTF-8 and send it again."
    print_journey(answer(), found)
    shown = capsys.readouterr().out
    assert "Error (input, undecodable_text)" in shown
    assert "refused: the object is not valid utf-8" in shown
    assert found.hint in shown
    by_result = pipeline.show(found.outcome_name)
    assert by_result.execution.name == found.execution.name


def test_what_cannot_be_read_is_left_out_and_said(pipeline: Pipeline) -> None:
    sent = pipeline.send("journey/gone.txt", b"It is fine.")
    cloud, bucket = pipeline.cloud, pipeline.spec.names.bucket("input")
    cloud.storage.remove(bucket, sent.sent.object.name, sent.sent.object.generation)
    pipeline.quick.cloud.inject("workflowexecutions.stepEntries.list", "PERMISSION_DENIED")
    found = pipeline.show(sent.execution)
    assert found.object is None
    assert found.stages == ()
    assert len(found.notes) == 2
    assert found.outcome["items"]
    with pytest.raises(UsageError, match="There is no execution"):
        pipeline.show("journey/never.txt")


def test_a_file_without_room_and_a_cancelled_one_are_sent_again(pipeline: Pipeline) -> None:
    cloud, spec = pipeline.cloud, pipeline.spec
    sent = pipeline.send("journey/room.txt", b"It is good.")
    target = sent.sent.object
    output = spec.names.bucket("output")
    cloud.storage.remove(output, sent.result_object)
    record = f"errors/{target.name}.{target.generation}.json"
    cloud.storage.upload(
        output, record, json.dumps({"class": "capacity"}).encode(), content_type="application/json"
    )
    again = Again(cloud, spec)
    objects = list(again.of_class("capacity"))
    assert [(one.name, one.generation) for one in objects] == [(target.name, target.generation)]
    assert pipeline.retry(again, objects) == ["succeeded"]
    assert list(Again(cloud, spec).of_class("capacity")) == []

    done = Again(cloud, spec)
    assert list(done.of([find(cloud, spec, "journey/room.txt")])) == []
    assert done.left_alone == {"journey/room.txt": "it has its result"}
