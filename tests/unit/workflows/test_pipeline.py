"""The workflow that gpupipe ships, against services that answer as they are told."""

import asyncio
import json
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import pytest
from tests.unit.workflows.world import World, answer

from gpupipe.workflows import limits
from gpupipe.workflows.effects import ConnectionFailed, HttpRequest, HttpResponse
from gpupipe.workflows.errors import ExecutionFailed
from preprocess.chunks import MAX_CHUNKS

SOURCE = (files("gpupipe") / "pipeline" / "pipeline.yaml").read_text()
ENVIRONMENT = {
    "PREPROCESS_URL": "http://pre",
    "INFERENCE_URL": "http://infer",
    "POSTPROCESS_URL": "http://post",
    "INPUT_BUCKET": "in",
    "OUTPUT_BUCKET": "out",
    "QUEUE_WAIT_SECONDS": "600",
    "SERVICE_TIMEOUT": "300",
    "PARALLEL_CHUNKS": "8",
    "GOOGLE_CLOUD_WORKFLOW_EXECUTION_ID": "run-1",
}
INPUT = {"bucket": "in", "name": "a.txt", "generation": "7"}
EVENT = {"data": {**INPUT, "size": "3"}}
GOOD: dict[str, Any] = {
    "/preprocess": {
        "superseded": False,
        "input": INPUT,
        "chunks": [{"name": f"c{n}"} for n in range(3)],
        "timings_ms": {"preprocess": 5},
    },
    "/process": {
        "scores": {"name": "s"},
        "model": {"name": "m"},
        "device": "cpu",
        "timings_ms": {"queue": 1, "inference": 2},
    },
    "/postprocess": {"output_bucket": "out", "output_file": "results/a", "summary": {"ok": 3}},
    "/fail": {"output_bucket": "out", "error_file": "errors/a", "result_file": None},
}


def path_of(request: HttpRequest) -> str:
    return "/" + request.url.rpartition("/")[2]


def body_of(request: HttpRequest) -> Any:
    return json.loads(request.body or b"null")


def services(**bad: Callable[[HttpRequest], HttpResponse]) -> World:
    def respond(request: HttpRequest) -> HttpResponse:
        path = path_of(request)
        wrong = bad.get(path.strip("/"))
        if wrong is not None:
            return wrong(request)
        body = GOOD[path]
        if path == "/process":
            body = {**body, "scores": {"name": body_of(request)["chunk"]["name"].replace("c", "s")}}
        return answer(200, body)

    return World(respond)


def go(world: World, event: Any = EVENT, **environment: str) -> Any:
    return world.run(SOURCE, event, {**ENVIRONMENT, **environment})


def failed(world: World, event: Any = EVENT) -> Any:
    with pytest.raises(ExecutionFailed) as caught:
        go(world, event)
    return json.loads(caught.value.payload)


def sent(world: World, path: str) -> list[Any]:
    return [body_of(one) for one in world.requests if path_of(one) == path]


@pytest.mark.promise("D1")
@pytest.mark.promise(34)
@pytest.mark.promise(73)
@pytest.mark.promise("S78", 115, "D3")
def test_a_file_goes_through_all_three_in_the_order_of_its_chunks() -> None:
    world = services()
    assert go(world) == {
        "status": "success",
        "input_file": "a.txt",
        "generation": "7",
        "output_file": "results/a",
        "output_bucket": "out",
        "summary": {"ok": 3},
        "execution_time": 0.0,
    }
    assert [path_of(one) for one in world.requests] == [
        "/preprocess", *["/process"] * 3, "/postprocess"
    ]  # fmt: skip
    (last,) = sent(world, "/postprocess")
    assert [one["name"] for one in last["scores"]] == ["s0", "s1", "s2"]
    assert last["timings_ms"] == {"preprocess": 5, "queue": 3, "inference": 6}
    assert sent(world, "/fail") == []
    for one in world.requests:
        assert one.auth is not None
        assert (one.auth.type, one.auth.audience) == ("OIDC", one.url.rpartition("/")[0])


@pytest.mark.parametrize("name", ["_canary/x", "folder/"])
def test_what_is_no_input_is_ignored(name: str) -> None:
    world = services()
    assert go(world, {"data": {**INPUT, "name": name}}) == nothing_written("ignored", name)
    assert world.requests == []


def nothing_written(status: str, name: str = "a.txt") -> dict[str, Any]:
    return {
        "status": status,
        "input_file": name,
        "generation": "7",
        "output_file": None,
        "output_bucket": "out",
        "summary": None,
        "execution_time": 0.0,
    }


@pytest.mark.promise(37)
def test_it_logs_start_stages_and_end() -> None:
    world = services()
    go(world)
    entry = {"execution_id": "run-1", "bucket": "in", "object": "a.txt", "generation": "7"}
    said = ["started", "preprocess", "inference", "postprocess", "success"]
    assert world.logged == [("INFO", {"message": message, **entry}) for message in said]


def test_the_execution_time_is_in_seconds() -> None:
    left = [answer(503, ""), answer(429, "")]
    world = services(process=lambda _: left.pop() if left else answer(200, GOOD["/process"]))
    assert go(world)["execution_time"] == sum(world.slept) == 4


@pytest.mark.promise("S78")
@pytest.mark.parametrize(
    "argument",
    ["text", "", [], {}, 5, True, None, {"input_file": ""}, {"input_file": 7}, {"input_file": None},
     {"input_file": "a.txt", "generation": "x"}, {"input_file": "a.txt", "generation": 0},
     {"input_file": "a.txt", "generation": True}, {"input_file": "a.txt", "generation": ""},
     {"input_file": "a.txt", "generation": -3}, {"input_file": "a.txt", "generation": 1.5},
     {"input_file": "a.txt", "generation": "9" * 19},
     {"data": "x"}, {"data": {}}, {"data": {"bucket": "in", "name": 1}}],
)  # fmt: skip
def test_another_argument_is_refused_in_one_sentence(argument: Any) -> None:
    world = services()
    error = failed(world, argument)
    assert (error["class"], error["code"]) == ("input", "invalid_argument")
    assert error["message"].startswith('the argument must be {"input_file": "NAME"}')
    assert world.requests == []


@pytest.mark.parametrize("bucket", ["other", "", 5])
def test_another_bucket_is_refused_without_a_record(bucket: Any) -> None:
    world = services()
    for argument in (
        {"input_file": "a.txt", "bucket": bucket},
        {"data": {**INPUT, "bucket": bucket}},
    ):
        error = failed(world, argument)
        assert (error["class"], error["code"]) == ("input", "other_bucket")
        assert "bucket in only" in error["message"]
    assert world.requests == []


def refuses(status: int, code: str, **details: Any) -> Callable[[HttpRequest], HttpResponse]:
    problem = {"code": code, "class": "input", "message": "m", "details": details}
    return lambda _: answer(status, {"error": problem})


def test_by_hand_the_record_is_of_the_generation_that_was_found() -> None:
    world = services(preprocess=refuses(422, "empty_input", byte=1, input=INPUT))
    assert failed(world, {"input_file": "a.txt"})["error_file"] == "errors/a"
    (record,) = sent(world, "/fail")
    assert record["input"] == INPUT
    assert record["error"] == {"code": "empty_input", "message": "m", "details": {"byte": 1}}
    assert world.logged[-1][1]["generation"] == "7"


def test_without_an_object_there_is_no_record() -> None:
    world = services(preprocess=refuses(404, "object_missing"))
    error = failed(world, {"input_file": "none.txt"})
    assert (error["class"], error["code"]) == ("input", "object_missing")
    assert error["error_file"] is None
    assert sent(world, "/fail") == []
    assert [severity for severity, _ in world.logged] == ["INFO", "INFO", "ERROR"]
    assert world.logged[-1][1]["class"] == "input"  # which a metric counts


def test_by_hand_a_later_stage_is_recorded_too() -> None:
    world = services(process=lambda _: answer(404, "no"))
    failed(world, {"input_file": "a.txt"})
    (record,) = sent(world, "/fail")
    assert (record["input"], record["stage"]) == (INPUT, "inference")


def test_by_hand_the_bucket_and_generation_may_be_left_out() -> None:
    world = services()
    assert go(world, {"input_file": "a.txt"})["status"] == "success"
    assert sent(world, "/preprocess")[0]["input"] == {**INPUT, "generation": None}


def test_a_newer_generation_supersedes() -> None:
    gone = {"superseded": True, "input": INPUT}
    world = services(preprocess=lambda _: answer(200, gone))
    assert go(world) == nothing_written("superseded")


@pytest.mark.promise(35)
@pytest.mark.promise(36)
@pytest.mark.promise(75)
@pytest.mark.promise("D4", "S78")
def test_bad_input_is_recorded_once_and_not_tried_again() -> None:
    problem = {"error": {"code": "empty_input", "class": "input", "message": "m", "details": {}}}
    world = services(preprocess=lambda _: answer(422, problem))
    error = failed(world)
    assert (error["class"], error["stage"], error["error_file"]) == (
        "input",
        "preprocess",
        "errors/a",
    )
    assert len(sent(world, "/preprocess")) == 1
    (record,) = sent(world, "/fail")
    assert (record["class"], record["error"]["code"]) == ("input", "empty_input")


@pytest.mark.promise(35)
@pytest.mark.promise(75)
def test_a_full_service_is_waited_for_until_the_time_is_up() -> None:
    world = services(process=lambda _: answer(429, "busy"))
    error = failed(world)
    assert (error["class"], error["code"], error["stage"]) == (
        "capacity",
        "queue_wait_over",
        "inference",
    )
    assert max(world.slept) == 60
    assert sent(world, "/fail")[0]["class"] == "capacity"


def large(count: int) -> tuple[dict[str, Any], Callable[[HttpRequest], HttpResponse]]:
    """What preprocess and /process answer for a file of `count` chunks, every name at its longest."""
    generation, folder = "1" * 16, "0" * 16 + "." + "1" * 16
    source = {"bucket": "b" * 63, "name": "n" * 1024, "generation": generation, "size": 50_000_000}

    def ref(kind: str, number: int) -> dict[str, Any]:
        name = f"{kind}/{folder}/{number:05d}.jsonl"
        return {"bucket": "w" * 63, "name": name, "generation": generation}

    prepared = {
        "superseded": False,
        "input": source,
        "chunks": [{**ref("chunks", number), "items": 1000} for number in range(count)],
        "items": count * 1000,
        "timings_ms": {"preprocess": 5},
    }

    def process(request: HttpRequest) -> HttpResponse:
        number = int(body_of(request)["chunk"]["name"][-11:-6])
        model = {"name": "m" * 63, "version": "v" * 63, "sha256": "0" * 64}
        body = {**GOOD["/process"], "scores": ref("scores", number), "items": 1000, "model": model}
        return answer(200, body)

    return prepared, process


class Counted(World):
    """Tells how many chunks were under way at once; each takes its time."""

    running = most = 0

    async def request(self, request: HttpRequest) -> HttpResponse:
        if path_of(request) != "/process":
            return await super().request(request)
        self.running += 1
        self.most = max(self.most, self.running)
        for _ in range(50):
            await asyncio.sleep(0)
        self.running -= 1
        return await super().request(request)


@pytest.mark.promise("D5")
def test_the_largest_file_that_preprocess_lets_through_fits_a_workflow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # With room to spare: how Google counts what a variable holds is not documented.
    monkeypatch.setattr(limits, "VARIABLES_BYTES", limits.VARIABLES_BYTES * 3 // 4)
    prepared, process = large(MAX_CHUNKS)
    world = Counted(services(preprocess=lambda _: answer(200, prepared), process=process).respond)
    assert go(world, PARALLEL_CHUNKS="20")["status"] == "success"
    assert world.most == 20
    (last,) = sent(world, "/postprocess")
    assert [int(one["name"][-11:-6]) for one in last["scores"]] == list(range(MAX_CHUNKS))
    assert max(len(one.body or b"") for one in world.requests) < 2 * 1024 * 1024
    assert len(world.steps) < limits.STEPS / 5


@pytest.mark.parametrize("width", [1, 3, 20])
def test_so_many_chunks_are_scored_at_a_time(width: int) -> None:
    prepared, process = large(40)
    plain = services(preprocess=lambda _: answer(200, prepared), process=process)
    world = Counted(plain.respond)
    assert go(world, PARALLEL_CHUNKS=str(width))["status"] == "success"
    assert world.most == width


def test_after_the_first_failure_no_chunk_is_begun() -> None:
    prepared, _ = large(MAX_CHUNKS)
    refuse = refuses(422, "broken_work_object")
    world = services(preprocess=lambda _: answer(200, prepared), process=refuse)
    error = failed(world)
    assert (error["code"], error["stage"]) == ("broken_work_object", "inference")
    assert len(sent(world, "/process")) <= 8


def test_all_chunks_share_one_time_of_waiting() -> None:
    prepared, _ = large(30)
    world = services(preprocess=lambda _: answer(200, prepared), process=lambda _: answer(429, ""))
    error = failed(world)
    assert (error["class"], error["code"]) == ("capacity", "queue_wait_over")
    assert len(sent(world, "/fail")) == 1
    assert (
        len({body_of(one)["chunk"]["name"] for one in world.requests if path_of(one) == "/process"})
        == 8
    )


@pytest.mark.promise(36)
@pytest.mark.promise("D4")
def test_a_service_that_has_room_later_gets_the_file() -> None:
    left = [answer(503, ""), answer(429, "")]

    def busy_first(_: HttpRequest) -> HttpResponse:
        if left:
            return left.pop()
        return answer(200, GOOD["/preprocess"])

    world = services(preprocess=busy_first)
    assert go(world)["status"] == "success"
    assert world.slept == [2, 4]


@pytest.mark.promise(36)
def test_a_connection_that_fails_is_tried_again() -> None:
    tries: list[int] = []

    def breaks_once(_: HttpRequest) -> HttpResponse:
        tries.append(1)
        if len(tries) == 1:
            raise ConnectionFailed("refused")
        return answer(200, GOOD["/preprocess"])

    assert go(services(preprocess=breaks_once))["status"] == "success"


@pytest.mark.promise(35)
@pytest.mark.promise(36)
@pytest.mark.promise(75)
@pytest.mark.promise("D4")
def test_a_service_that_is_broken_is_tried_six_times() -> None:
    world = services(postprocess=lambda _: answer(500, "oops"))
    assert failed(world)["class"] == "system"
    assert len(sent(world, "/postprocess")) == 6


def test_a_result_beats_an_error() -> None:
    exists = {"error_file": None, "result_file": "results/a", "summary": {"ok": 3}}
    world = services(postprocess=lambda _: answer(403, "no"), fail=lambda _: answer(200, exists))
    assert go(world) == go(services())


def test_an_error_record_that_cannot_be_written_does_not_hide_the_error() -> None:
    world = services(preprocess=lambda _: answer(404, "none"), fail=lambda _: answer(403, "no"))
    error = failed(world)
    assert (error["stage"], error["code"], error["error_file"]) == (
        "preprocess",
        "status_404",
        None,
    )
    told = [payload["message"] for severity, payload in world.logged if severity == "ERROR"]
    assert told == [
        "the error record was not written; HTTP server responded with error code 403",
        "failed in preprocess, status_404",
    ]
