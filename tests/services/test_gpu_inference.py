"""gpu-inference over HTTP with a fake scorer: /process, /predict, readiness, queue."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

import pytest
from starlette.applications import Starlette

from common.bundle import Bundle
from common.manifest import BundleError, parse_manifest
from common.objects import input_metadata, work_name
from common.onnx_file import GraphFacts
from common.settings import Environment, SettingError
from common.store import StorageUnavailableError
from gpu_inference.app import create_app, read_settings
from gpu_inference.cpus import usable_cpus
from gpu_inference.loading import BAKED, Ready, build_engine
from tests.services.fakes import (
    INPUT,
    WORK,
    FakeScorer,
    FixedClock,
    MemoryStore,
    TestClient,
    client_of,
    error_of,
)

ENVIRONMENT = {"WORK_BUCKET": WORK, "GOOGLE_CLOUD_PROJECT": "p", "MAX_WINDOWS": "2"}
VOCABULARY = (BAKED / "vocab.txt").read_bytes()
MANIFEST = parse_manifest((BAKED / "manifest.json").read_bytes())
SOURCE = {"bucket": INPUT, "name": "a.txt", "generation": "77"}


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def scorer() -> FakeScorer:
    return FakeScorer()


@pytest.fixture
def load(store: MemoryStore, scorer: FakeScorer) -> Callable[[], Ready]:
    settings = read_settings(Environment(ENVIRONMENT))

    def ready() -> Ready:
        bundle = Bundle(MANIFEST, b"", VOCABULARY, GraphFacts())
        return Ready(store, build_engine(settings.model, bundle, scorer, FixedClock()))

    return ready


@pytest.fixture
def client(load: Callable[[], Ready]) -> Iterator[TestClient]:
    settings = read_settings(Environment(ENVIRONMENT))
    with client_of(create_app(settings, load, FixedClock())) as client:
        yield client


def chunk(store: MemoryStore, *texts: Any, number: int = 0) -> dict[str, Any]:
    name = work_name("chunks", "a.txt", "77", number)
    lines = [json.dumps({"id": str(i), "text": text}) for i, text in enumerate(texts)]
    return {
        "bucket": WORK,
        "name": name,
        "generation": store.put(WORK, name, "\n".join(lines).encode()),
    }


def process(client: TestClient, ref: Any, **more: Any) -> Any:
    return client.post(
        "/process", json={"input": SOURCE, "chunk": ref, "execution_id": "e-1"} | more
    )


def scores(store: MemoryStore, name: str) -> list[Any]:
    return [json.loads(line) for line in store.data(WORK, name).split(b"\n") if line]


def test_chunk_becomes_scores(client: TestClient, store: MemoryStore) -> None:
    response = process(client, chunk(store, "good", "so good", "good"))
    assert response.status_code == 200
    answer = response.json()
    assert answer["items"] == 3
    assert answer["batch"] == 3
    assert answer["device"] == "cpu"
    assert answer["model"] == {
        "name": MANIFEST.name,
        "version": MANIFEST.version,
        "sha256": MANIFEST.entry("model.onnx").sha256,
    }
    assert set(answer["timings_ms"]) == {"queue", "inference"}
    assert answer["scores"]["name"] == work_name("scores", "a.txt", "77", 0)
    records = scores(store, answer["scores"]["name"])
    assert [record["id"] for record in records] == ["0", "1", "2"]
    assert [record["label"] for record in records] == ["positive", "negative", "positive"]
    assert records[0] == {
        "id": "0",
        "label": "positive",
        "score": 0.7,
        "scores": {"negative": 0.1, "neutral": 0.2, "positive": 0.7},
        "windows": 1,
        "truncated": False,
    }


@pytest.mark.promise("D29")
def test_second_delivery_finds_the_first_scores(
    client: TestClient, store: MemoryStore, scorer: FakeScorer
) -> None:
    ref = chunk(store, "good")
    first = process(client, ref).json()
    scored = len(scorer.batches)
    store.reads.clear()
    assert process(client, ref).json() == first
    assert len(scorer.batches) == scored
    assert store.reads == []
    assert len(store.names(WORK)) == 2


@pytest.mark.promise("D29")
def test_two_deliveries_at_once_answer_one_score_object(
    client: TestClient, store: MemoryStore
) -> None:
    ref = chunk(store, "good")
    first = process(client, ref).json()
    store.unseen.add(first["scores"]["name"])  # the second one looked before the first one wrote
    assert process(client, ref).json() == first


def test_scores_that_do_not_say_how_they_were_made_are_used(
    client: TestClient, store: MemoryStore, scorer: FakeScorer
) -> None:
    name = work_name("scores", "a.txt", "77", 0)
    generation = store.put(WORK, name, b"{}", **input_metadata("a.txt", "77"))
    answer = process(client, chunk(store, "good")).json()
    assert answer["scores"]["generation"] == generation
    assert answer["device"] == scorer.device.label


def test_request_whose_client_has_gone_stops_its_queued_work(
    store: MemoryStore, load: Callable[[], Ready], scorer: FakeScorer
) -> None:
    app = create_app(read_settings(Environment(ENVIRONMENT)), load, FixedClock())
    request = {"input": SOURCE, "chunk": chunk(store, *["good"] * 400), "execution_id": "e-1"}

    async def scene() -> None:
        async with app.router.lifespan_context(app):
            await app.state.startup.wait()
            scorer.hold.clear()
            scorer.batches.clear()
            scorer.entered = threading.Semaphore(0)
            gone = asyncio.Event()
            called = asyncio.create_task(call(app, "/process", request, gone))
            assert await asyncio.to_thread(scorer.entered.acquire, timeout=20)
            gone.set()
            await called
            scorer.hold.set()
            # Another client's request is served after what was under way, and nothing else.
            await call(app, "/predict", {"text": "good"}, asyncio.Event())

    asyncio.run(scene())
    assert len(scorer.batches) <= usable_cpus() + 1
    assert work_name("scores", "a.txt", "77", 0) not in store.names(WORK)


async def call(app: Starlette, path: str, body: Any, gone: asyncio.Event) -> None:
    """One POST whose client goes when `gone` says so."""
    headers = [(b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": path, "headers": headers,
             "query_string": b""}  # fmt: skip
    sent = [{"type": "http.request", "body": json.dumps(body).encode()}]

    async def receive() -> Any:
        if sent:
            return sent.pop()
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(_: Any) -> None:
        pass

    await asyncio.wait_for(app(scope, receive, send), 20)


def test_long_text_is_averaged_over_windows(client: TestClient, store: MemoryStore) -> None:
    answer = process(client, chunk(store, "good " * 301)).json()
    [record] = scores(store, answer["scores"]["name"])
    assert (record["windows"], record["truncated"]) == (2, False)
    assert record["scores"] == {"negative": 0.475, "neutral": 0.15, "positive": 0.375}


def test_too_long_text_fails_alone(client: TestClient, store: MemoryStore) -> None:
    answer = process(client, chunk(store, "good", "good " * 1000)).json()
    records = scores(store, answer["scores"]["name"])
    assert records[0]["label"] == "positive"
    assert records[1]["error"]["code"] == "text_too_long"
    beside_others = process(client, chunk(store, "good " * 1000, number=1))
    assert beside_others.status_code == 200
    response = process(client, chunk(store, "good " * 1000, number=2) | {"only": True})
    assert (response.status_code, error_of(response)["code"]) == (413, "text_too_long")


@pytest.mark.parametrize("line", [b"", b"x", b"[1]", b'{"id": 1, "text": "a"}', b'{"id": "1"}'])
def test_broken_chunk_is_the_systems_fault(
    client: TestClient, store: MemoryStore, line: bytes
) -> None:
    ref = chunk(store, "x")
    ref["generation"] = store.put(WORK, ref["name"], line)
    response = process(client, ref)
    assert (response.status_code, error_of(response)["class"]) == (422, "system")


def test_missing_chunk_is_404_of_the_system(client: TestClient, store: MemoryStore) -> None:
    response = process(client, chunk(store, "x") | {"generation": "1"})
    assert (response.status_code, error_of(response)["class"]) == (404, "system")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"chunk": None}, "chunk"),
        ({"chunk": {"bucket": WORK, "name": "x"}}, "chunk.generation"),
        (
            {"chunk": {"bucket": WORK, "name": "chunks/x/00000.jsonl", "generation": 1}},
            "chunk.name",
        ),
        ({"input": {"bucket": INPUT, "name": "a.txt"}}, "input.generation"),
        ({"execution_id": ""}, "execution_id"),
    ],
)
def test_malformed_request_names_the_field(
    client: TestClient, store: MemoryStore, change: dict[str, Any], field: str
) -> None:
    response = process(client, chunk(store, "x"), **change)
    assert response.status_code == 400
    assert error_of(response)["details"]["field"] == field


def test_storage_outage_is_503(client: TestClient, store: MemoryStore) -> None:
    ref = chunk(store, "x")
    store.refusals[("read", ref["name"])] = StorageUnavailableError(WORK, ref["name"], "Timeout")
    assert process(client, ref).status_code == 503


def test_on_a_cpu_a_second_long_text_waits_for_room_and_a_short_one_does_not(
    store: MemoryStore, load: Callable[[], Ready], scorer: FakeScorer
) -> None:
    refs = [chunk(store, "a" * 200_000, number=number) for number in range(2)]
    settings = read_settings(Environment(ENVIRONMENT))
    with (
        client_of(create_app(settings, load, FixedClock())) as client,
        ThreadPoolExecutor(3) as pool,
    ):
        for _ in range(len(scorer.batches)):
            scorer.entered.acquire()  # the warm-up
        scorer.hold.clear()
        waiting = [pool.submit(process, client, ref) for ref in refs]
        assert scorer.entered.acquire(timeout=20)
        short = pool.submit(client.post, "/predict", json={"text": "good"})
        scorer.hold.set()
        assert short.result().status_code == 200
        assert [task.result().status_code for task in waiting] == [200, 200]


def test_device_failure_is_500(client: TestClient, store: MemoryStore, scorer: FakeScorer) -> None:
    scorer.error = RuntimeError("a text of the user")
    response = process(client, chunk(store, "x"))
    assert (response.status_code, error_of(response)["code"]) == (500, "internal_error")
    assert "user" not in response.text


@pytest.mark.promise(35)
def test_full_queue_is_429(load: Callable[[], Ready], scorer: FakeScorer) -> None:
    settings = read_settings(Environment(ENVIRONMENT))
    with (
        client_of(create_app(settings, load, FixedClock())) as client,
        ThreadPoolExecutor(17) as pool,
    ):
        scorer.entered.acquire()  # the warm-up
        scorer.hold.clear()
        body = {"instances": ["good"] * 8}
        waiting = [pool.submit(client.post, "/predict", json=body) for _ in range(17)]
        refused = next(as_completed(waiting, timeout=20)).result()
        assert refused.status_code == 429
        assert refused.headers["retry-after"]
        assert error_of(refused)["class"] == "capacity"
        scorer.hold.set()
        assert sorted(task.result().status_code for task in waiting) == [200] * 16 + [429]


@pytest.mark.promise("S74")
@pytest.mark.promise("D2")
def test_predict_in_the_recipes_form(client: TestClient) -> None:
    answer = client.post("/predict", json={"text": "good"}).json()
    assert answer["prediction"] == [0.1, 0.2, 0.7]
    assert answer["labels"] == ["negative", "neutral", "positive"]
    assert answer["confidence"] == 0.7
    assert answer["device_used"] == "cpu"
    assert answer["inference_time_seconds"] == 0
    assert answer["input_length"] == 4


def test_predict_instances(client: TestClient) -> None:
    body = {"instances": [{"id": "x", "text": "good"}, "so good"], "parameters": {}}
    answer = client.post("/predict", json=body).json()
    assert [one["label"] for one in answer["predictions"]] == ["positive", "negative"]
    assert answer["predictions"][0]["id"] == "x"
    assert "id" not in answer["predictions"][1]


@pytest.mark.promise("S74")
@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({}, 400, "instances"),
        ({"text": None}, 400, "text"),
        ({"text": ""}, 400, "text"),
        ({"text": " \n"}, 400, "text"),
        ({"text": ["a"]}, 400, "text"),
        ({"text": "a" * 20_001}, 413, "text"),
        ({"instances": []}, 400, "instances"),
        ({"instances": "abc"}, 400, "instances"),
        ({"instances": ["a"] * 257}, 400, "instances"),
        ({"instances": ["a", 5]}, 400, "instances[1]"),
        ({"instances": [{"id": "1"}]}, 400, "instances[0].text"),
        ({"instances": [{"text": "a", "id": 7}]}, 400, "instances[0].id"),
        ({"instances": ["\ud800"]}, 400, "instances[0]"),
    ],
)
def test_predict_refusals(client: TestClient, body: Any, status: int, field: str) -> None:
    response = client.post("/predict", content=json.dumps(body))
    assert response.status_code == status
    assert error_of(response)["details"]["field"] == field


@pytest.mark.promise(87)
@pytest.mark.promise("S73")
def test_health(client: TestClient) -> None:
    health = {
        "service": "gpu-inference",
        "gpu_available": False,
        "device": "cpu",
        "model_loaded": True,
    }
    assert client.get("/health").json() == {"status": "healthy"} | health
    assert client.get("/ready").json() == {"status": "ready"} | health


@pytest.mark.promise("D2")
def test_not_ready_before_the_model_is(load: Callable[[], Ready], scorer: FakeScorer) -> None:
    settings = read_settings(Environment(ENVIRONMENT))
    scorer.hold.clear()
    app = create_app(settings, load, FixedClock())
    with TestClient(app) as client:
        assert scorer.entered.acquire(timeout=20)  # the warm-up runs, and is held
        assert client.get("/health").status_code == 200
        assert error_of(client.get("/ready"))["code"] == "not_ready"
        assert client.post("/predict", json={"text": "x"}).status_code == 503
        scorer.hold.set()
        assert client.portal is not None
        client.portal.call(app.state.startup.wait)
        assert client.get("/ready").status_code == 200


def test_refused_bundle_stays_not_ready() -> None:
    def refuse() -> Ready:
        raise BundleError("model.onnx is not the file that manifest.json describes")

    settings = read_settings(Environment(ENVIRONMENT))
    with client_of(create_app(settings, refuse, FixedClock())) as client:
        response = client.get("/ready")
        assert response.status_code == 503
        assert "model.onnx" in error_of(response)["message"]


def test_vertex_ai_names_are_honoured(load: Callable[[], Ready]) -> None:
    variables = ENVIRONMENT | {
        "AIP_HTTP_PORT": "9090",
        "AIP_PREDICT_ROUTE": "/v1/endpoints/1:predict",
        "AIP_HEALTH_ROUTE": "/v1/endpoints/1",
        "AIP_STORAGE_URI": "gs://b/m",
    }
    settings = read_settings(Environment(variables))
    assert settings.port == 9090
    assert settings.model.model_uri == "gs://b/m"
    with client_of(create_app(settings, load, FixedClock())) as client:
        assert client.get("/v1/endpoints/1").status_code == 200
        for path in ("/v1/endpoints/1:predict", "/predict"):
            assert client.post(path, json={"instances": ["x"]}).status_code == 200


def test_unknown_device_is_a_wrong_setting() -> None:
    with pytest.raises(SettingError, match="DEVICE"):
        read_settings(Environment({"DEVICE": "tpu"}))
