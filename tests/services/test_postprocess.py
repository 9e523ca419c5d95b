"""POST /postprocess and /fail: the result's shape, one outcome, every refusal."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from common.objects import GENERATION_KEY, input_metadata
from common.settings import Environment
from postprocess.app import create_app, read_settings
from tests.services.fakes import (
    INPUT,
    OUTPUT,
    WORK,
    FixedClock,
    MemoryStore,
    TestClient,
    client_of,
    error_of,
    opener,
)

MODEL = {"name": "m", "version": "1", "sha256": "ab" * 32}
SOURCE = {"bucket": INPUT, "name": "mail/a.txt", "generation": "77"}
RESULT = "results/mail/a.txt.77.json"
ERROR = "errors/mail/a.txt.77.json"


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def client(store: MemoryStore) -> Iterator[TestClient]:
    settings = read_settings(Environment({"OUTPUT_BUCKET": OUTPUT}))
    with client_of(create_app(settings, opener(store), FixedClock())) as client:
        yield client


def record(identity: str, positive: float) -> dict[str, Any]:
    scores = {"negative": round(1 - positive, 6), "positive": positive}
    label = max(scores, key=scores.__getitem__)
    return {"id": identity, "label": label, "score": scores[label], "scores": scores,
            "windows": 1, "truncated": False}  # fmt: skip


def scores(store: MemoryStore, *records: dict[str, Any], name: str = "scores/x/00000.jsonl") -> Any:
    data = b"".join(json.dumps(one).encode() + b"\n" for one in records)
    return {"bucket": WORK, "name": name, "generation": store.put(WORK, name, data)}


def body(*refs: Any, **more: Any) -> dict[str, Any]:
    return {
        "input": SOURCE | {"size": "12", "content_type": "text/plain", "crc32c": "AA=="},
        "scores": list(refs),
        "execution_id": "e-1",
        "model": MODEL,
        "device": "cpu (L4 emulated)",
        "timings_ms": {"preprocess": 1.5, "queue": 2, "inference": 3.25},
    } | more


def failure(**more: Any) -> dict[str, Any]:
    error = {"code": "undecodable_text", "message": "not UTF-8", "details": {"byte_offset": 3}}
    return {
        "input": SOURCE,
        "execution_id": "e-1",
        "class": "input",
        "stage": "preprocess",
        "error": error,
    } | more


@pytest.mark.promise("S77")
def test_result_document(client: TestClient, store: MemoryStore) -> None:
    first = scores(store, record("0", 0.95), record("1", 0.7), name="scores/x/00000.jsonl")
    second = scores(
        store,
        record("2", 0.45),
        {"id": "3", "error": {"code": "text_too_long", "message": "too long"}},
        name="scores/x/00001.jsonl",
    )
    response = client.post("/postprocess", json=body(first, second))
    assert response.status_code == 200
    summary = {
        "total": 4,
        "ok": 3,
        "failed": 1,
        "by_label": {"negative": 1, "positive": 2},
        "mean_score": 0.733333,
        "requires_review": 1,
    }
    answer = response.json()
    assert answer["summary"] == summary
    assert (answer["output_bucket"], answer["output_file"]) == (OUTPUT, RESULT)
    assert answer["generation"] == store.stat(OUTPUT, RESULT).ref.generation
    result = json.loads(store.data(OUTPUT, RESULT))
    assert result["schema_version"] == 1
    assert result["input"] == SOURCE | {
        "size": 12,
        "content_type": "text/plain",
        "crc32c": "AA==",
    }
    assert [item["id"] for item in result["items"]] == ["0", "1", "2", "3"]
    assert [item.get("confidence") for item in result["items"]] == [
        "high",
        "medium",
        "requires_review",
        None,
    ]
    assert [item.get("requires_review") for item in result["items"]] == [False, False, True, None]
    assert result["items"][3]["error"]["code"] == "text_too_long"
    assert result["model"] == MODEL
    assert result["device"] == "cpu (L4 emulated)"
    assert result["execution_id"] == "e-1"
    assert result["created_at"] == "2026-11-24T08:30:00.000Z"
    assert result["timings_ms"]["total"] == 6.8
    assert result["items_object"] is None
    info = store.stat(OUTPUT, RESULT)
    assert info.content_type == "application/json"
    assert info.metadata[GENERATION_KEY] == "77"


@pytest.mark.parametrize(
    ("score", "band"),
    [(0.8000001, "high"), (0.8, "medium"), (0.6, "medium"), (0.5999, "requires_review")],
)
@pytest.mark.promise("S77")
def test_confidence_bands(client: TestClient, store: MemoryStore, score: float, band: str) -> None:
    client.post("/postprocess", json=body(scores(store, record("0", score))))
    assert json.loads(store.data(OUTPUT, RESULT))["items"][0]["confidence"] == band


@pytest.mark.promise("D29")
def test_second_delivery_answers_the_first_result(client: TestClient, store: MemoryStore) -> None:
    ref = scores(store, record("0", 0.95))
    first = client.post("/postprocess", json=body(ref)).json()
    written = store.data(OUTPUT, RESULT)
    store.reads.clear()
    # Another execution, and by now another model with another opinion.
    other = scores(store, record("0", 0.05), name="scores/y/00000.jsonl")
    second = client.post("/postprocess", json=body(other, execution_id="e-2")).json()
    assert second["output_file"] == first["output_file"]
    assert second["generation"] == first["generation"]
    assert second["summary"] == first["summary"]
    assert store.data(OUTPUT, RESULT) == written
    assert store.names(OUTPUT) == [RESULT]
    assert [name for name, _, _ in store.reads] == [RESULT]  # no scores were read


@pytest.mark.promise("D29")
def test_two_deliveries_at_once_answer_one_result(client: TestClient, store: MemoryStore) -> None:
    first = client.post("/postprocess", json=body(scores(store, record("0", 0.95)))).json()
    other = scores(store, record("0", 0.05), name="scores/y/00000.jsonl")
    # The second one looked before the first one wrote.
    store.unseen.add(RESULT)
    second = client.post("/postprocess", json=body(other)).json()
    assert (second["generation"], second["summary"]) == (first["generation"], first["summary"])


def test_many_items_lie_beside_the_result(client: TestClient, store: MemoryStore) -> None:
    ref = scores(store, *(record(str(number), 0.9) for number in range(1001)))
    assert client.post("/postprocess", json=body(ref)).status_code == 200
    result = json.loads(store.data(OUTPUT, RESULT))
    assert result["items"] == []
    beside = result["items_object"]
    assert beside["name"] == "results/mail/a.txt.77.items.jsonl"
    assert int(beside["generation"]) < int(store.stat(OUTPUT, RESULT).ref.generation)
    assert len(store.data(OUTPUT, beside["name"]).splitlines()) == 1001


def test_long_name_is_hashed(client: TestClient, store: MemoryStore) -> None:
    source = SOURCE | {"name": "n" * 1020 + ".txt"}
    ref = scores(store, record("0", 0.9))
    answer = client.post("/postprocess", json=body(ref, input=source)).json()
    assert len(answer["output_file"]) == len("results/") + 64 + len(".77.json")
    failed = client.post("/fail", json=failure(input=source)).json()
    assert failed["result_file"] == answer["output_file"]


def test_nothing_scored_is_422(client: TestClient, store: MemoryStore) -> None:
    ref = scores(store, {"id": "0", "error": {"code": "x", "message": "y"}})
    response = client.post("/postprocess", json=body(ref))
    assert (response.status_code, error_of(response)["code"]) == (422, "no_item_scored")
    assert store.names(OUTPUT) == []


@pytest.mark.parametrize(
    "line",
    [
        "no json",
        "[]",
        "{}",
        '{"id": "0", "label": "x", "score": 2, "scores": {}}',
        '{"id": "0", "label": "x", "score": 0.5, "scores": {"x": "y"}}',
        '{"id": "0", "label": "x", "score": NaN, "scores": {}}',
    ],
)
def test_broken_scores_are_the_systems_fault(
    client: TestClient, store: MemoryStore, line: str
) -> None:
    generation = store.put(WORK, "s", line.encode())
    ref = {"bucket": WORK, "name": "s", "generation": generation}
    response = client.post("/postprocess", json=body(ref))
    assert (response.status_code, error_of(response)["class"]) == (422, "system")


def test_missing_scores_are_404_of_the_system(client: TestClient) -> None:
    ref = {"bucket": WORK, "name": "gone", "generation": "5"}
    response = client.post("/postprocess", json=body(ref))
    assert (response.status_code, error_of(response)["class"]) == (404, "system")


@pytest.mark.promise("S77")
@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"scores": []}, "scores"),
        ({"scores": ["x"]}, "scores[0]"),
        ({"scores": [{"bucket": "w", "name": "n"}]}, "scores[0].generation"),
        ({"model": None}, "model"),
        ({"model": {"name": "m"}}, "model.version"),
        ({"device": None}, "device"),
        ({"execution_id": 5}, "execution_id"),
        ({"timings_ms": {"queue": "fast"}}, "timings_ms.queue"),
        ({"input": {"bucket": "b", "name": "n"}}, "input.generation"),
        ({"input": SOURCE | {"size": -1}}, "input.size"),
    ],
)
def test_malformed_request_names_the_field(
    client: TestClient, change: dict[str, Any], field: str
) -> None:
    ref = {"bucket": WORK, "name": "s", "generation": "1"}
    response = client.post("/postprocess", json=body(ref) | change)
    assert response.status_code == 400
    assert error_of(response)["details"]["field"] == field


@pytest.mark.promise(35)
def test_failure_gets_one_record(client: TestClient, store: MemoryStore) -> None:
    first = client.post("/fail", json=failure())
    assert first.status_code == 200
    expected = {"output_bucket": OUTPUT, "error_file": ERROR, "result_file": None}
    assert first.json() == expected
    again = client.post("/fail", json=failure(execution_id="e-2", stage="inference"))
    assert again.json() == expected
    recorded = json.loads(store.data(OUTPUT, ERROR))
    assert recorded == {
        "schema_version": 1,
        "input": SOURCE,
        "execution_id": "e-1",
        "class": "input",
        "stage": "preprocess",
        "error": failure()["error"],
        "created_at": "2026-11-24T08:30:00.000Z",
    }


@pytest.mark.promise(35)
def test_result_beats_error_record(client: TestClient, store: MemoryStore) -> None:
    scored = scores(store, record("0", 0.95))
    summary = client.post("/postprocess", json=body(scored)).json()["summary"]
    answer = client.post("/fail", json=failure()).json()
    assert answer == {
        "output_bucket": OUTPUT,
        "error_file": None,
        "result_file": RESULT,
        "summary": summary,
    }
    assert store.names(OUTPUT) == [RESULT]


@pytest.mark.promise(35)
def test_result_after_an_error_record_is_written_and_beats_it(
    client: TestClient, store: MemoryStore
) -> None:
    assert client.post("/fail", json=failure(**{"class": "capacity"})).json()["error_file"] == ERROR
    assert client.post("/postprocess", json=body(scores(store, record("0", 0.95)))).is_success
    assert store.names(OUTPUT) == [ERROR, RESULT]
    assert client.post("/fail", json=failure()).json()["result_file"] == RESULT


@pytest.mark.parametrize("metadata", [{}, input_metadata("other.txt", "77")])
def test_foreign_object_in_the_results_place_is_no_result(
    client: TestClient, store: MemoryStore, metadata: dict[str, str]
) -> None:
    store.put(OUTPUT, RESULT, b"{}", **metadata)
    assert client.post("/fail", json=failure()).json()["error_file"] == ERROR


@pytest.mark.promise(35)
def test_failure_without_a_generation_has_no_record(client: TestClient, store: MemoryStore) -> None:
    response = client.post("/fail", json=failure(input={"bucket": INPUT, "name": "no.txt"}))
    assert response.status_code == 400
    assert error_of(response)["details"]["field"] == "input.generation"
    assert store.names(OUTPUT) == []


def test_failure_is_recorded_whatever_its_message(client: TestClient, store: MemoryStore) -> None:
    error = {"code": "internal_error", "message": "m" * 100_000}
    assert client.post("/fail", json=failure(error=error)).status_code == 200
    assert len(json.loads(store.data(OUTPUT, ERROR))["error"]["message"]) == 4096


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"class": "user"}, "class"),
        ({"stage": "upload"}, "stage"),
        ({"error": None}, "error"),
        ({"error": {"message": "x"}}, "error.code"),
        ({"input": None}, "input"),
    ],
)
def test_malformed_failure_names_the_field(
    client: TestClient, change: dict[str, Any], field: str
) -> None:
    response = client.post("/fail", json=failure() | change)
    assert response.status_code == 400
    assert error_of(response)["details"]["field"] == field


@pytest.mark.promise(88)
@pytest.mark.promise("S73")
def test_health(client: TestClient) -> None:
    assert client.get("/health").json() == {"status": "healthy", "service": "postprocess"}
