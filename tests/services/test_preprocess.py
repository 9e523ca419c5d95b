"""POST /preprocess: every status, once-only writing, hostile text."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from common.items import InputItem
from common.objects import GENERATION_KEY, NAME_KEY, work_name
from common.problems import StartError
from common.settings import Environment, SettingError
from common.store import ObjectMissingError, StorageDeniedError, StorageUnavailableError
from preprocess.app import create_app, read_settings
from preprocess.chunks import chunks
from tests.services.fakes import (
    INPUT,
    WORK,
    FixedClock,
    MemoryStore,
    TestClient,
    client_of,
    error_of,
    opener,
)

ENVIRONMENT = {"WORK_BUCKET": WORK, "GOOGLE_CLOUD_PROJECT": "p", "TEXT_LIMIT_BYTES": "1000"}


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def client(store: MemoryStore) -> Iterator[TestClient]:
    settings = read_settings(Environment(ENVIRONMENT))
    with client_of(create_app(settings, opener(store), FixedClock())) as client:
        yield client


def ask(client: TestClient, name: str, generation: Any = None, **more: Any) -> Any:
    source = {"bucket": INPUT, "name": name, "generation": generation}
    return client.post("/preprocess", json={"input": source, "execution_id": "e-1", **more})


def lines(store: MemoryStore, name: str) -> list[Any]:
    return [json.loads(line) for line in store.data(WORK, name).split(b"\n") if line]


@pytest.mark.promise("S75")
@pytest.mark.promise("S76")
@pytest.mark.promise("D5")
def test_document_becomes_one_chunk(client: TestClient, store: MemoryStore) -> None:
    generation = store.put(INPUT, "mail/Ä.TXT", "Good \u2028 news".encode())
    response = ask(client, "mail/Ä.TXT", int(generation))
    assert response.status_code == 200
    answer = response.json()
    assert answer["superseded"] is False
    assert answer["items"] == 1
    assert answer["input"] == {
        "bucket": INPUT,
        "name": "mail/Ä.TXT",
        "generation": generation,
        "size": 13,
        "content_type": "text/plain",
        "crc32c": "AAAAAA==",
    }
    [chunk] = answer["chunks"]
    assert chunk["name"].startswith("chunks/")
    assert chunk["name"].endswith(f".{generation}/00000.jsonl")
    assert set(chunk) == {"bucket", "name", "generation", "items", "only"}
    assert lines(store, chunk["name"]) == [{"id": "0", "text": "Good \u2028 news"}]
    metadata = store.stat(WORK, chunk["name"]).metadata
    assert metadata == {GENERATION_KEY: generation, NAME_KEY: "mail%2F%C3%84.TXT"}
    assert store.stat(WORK, chunk["name"]).content_type == "application/x-ndjson"


@pytest.mark.promise("D29")
def test_second_delivery_finds_the_first_chunk(client: TestClient, store: MemoryStore) -> None:
    generation = store.put(INPUT, "a.txt", b"hello")
    first, second = (ask(client, "a.txt", generation).json() for _ in range(2))
    assert first == second
    assert len(store.names(WORK)) == 1


def test_refused_write_over_own_object_is_done(client: TestClient, store: MemoryStore) -> None:
    generation = store.put(INPUT, "a.txt", b"hello")
    [chunk] = ask(client, "a.txt", generation).json()["chunks"]
    denied = StorageDeniedError(WORK, chunk["name"])
    store.refusals[("create", chunk["name"])] = denied
    assert ask(client, "a.txt", generation).json()["chunks"] == [chunk]


def test_foreign_object_in_the_place_is_an_error(client: TestClient, store: MemoryStore) -> None:
    generation = store.put(INPUT, "a.txt", b"hello")
    name = ask(client, "a.txt", generation).json()["chunks"][0]["name"]
    store.put(WORK, name, b"other")
    response = ask(client, "a.txt", generation)
    assert response.status_code == 500
    assert error_of(response)["code"] == "object_exists"


def test_refused_write_without_object_is_a_permission_error(
    client: TestClient, store: MemoryStore
) -> None:
    generation = store.put(INPUT, "a.txt", b"hello")
    name = ask(client, "a.txt", generation).json()["chunks"][0]["name"]
    del store.objects[(WORK, name)]
    store.refusals[("create", name)] = StorageDeniedError(WORK, name)
    response = ask(client, "a.txt", generation)
    assert (response.status_code, error_of(response)["class"]) == (500, "system")


def test_current_generation_is_used_when_none_is_given(
    client: TestClient, store: MemoryStore
) -> None:
    generation = store.put(INPUT, "a.md", b"# hello")
    assert ask(client, "a.md").json()["input"]["generation"] == generation


def test_gone_generation_is_superseded(client: TestClient, store: MemoryStore) -> None:
    old = store.put(INPUT, "a.txt", b"old")
    store.put(INPUT, "a.txt", b"new")
    answer = ask(client, "a.txt", old)
    assert answer.status_code == 200
    assert answer.json() == {
        "superseded": True,
        "input": {"bucket": INPUT, "name": "a.txt", "generation": old},
    }
    assert store.names(WORK) == []


@pytest.mark.promise("S75")
def test_missing_object_is_404(client: TestClient) -> None:
    response = ask(client, "a.txt")
    assert response.status_code == 404
    assert error_of(response)["code"] == "object_missing"
    assert error_of(response)["class"] == "input"
    assert "input" not in error_of(response)["details"]


@pytest.mark.promise(35)
def test_missing_object_of_another_type_is_404_too(client: TestClient) -> None:
    response = ask(client, "nothing.exe")
    assert (response.status_code, error_of(response)["code"]) == (404, "object_missing")
    assert "input" not in error_of(response)["details"]


def test_object_replaced_while_it_was_read_is_superseded(
    client: TestClient, store: MemoryStore
) -> None:
    generation = store.put(INPUT, "a.txt", b"old")
    store.refusals[("read", "a.txt")] = ObjectMissingError(INPUT, "a.txt", generation)
    assert ask(client, "a.txt").json() == {
        "superseded": True,
        "input": {"bucket": INPUT, "name": "a.txt", "generation": generation},
    }


def test_missing_work_bucket_is_the_systems_fault(client: TestClient, store: MemoryStore) -> None:
    generation = store.put(INPUT, "a.txt", b"hello")
    name = work_name("chunks", "a.txt", generation, 0)
    store.refusals[("create", name)] = ObjectMissingError(WORK, name, None)
    response = ask(client, "a.txt", generation)
    assert (response.status_code, error_of(response)["class"]) == (404, "system")
    assert error_of(response)["details"]["input"]["generation"] == generation


@pytest.mark.promise("S75")
@pytest.mark.parametrize("name", ["a.exe", "a", "dir.txt/a", "a.txt.gz"])
def test_other_type_is_415_and_names_the_supported(
    client: TestClient, store: MemoryStore, name: str
) -> None:
    generation = store.put(INPUT, name, b"hello")
    response = ask(client, name)
    assert response.status_code == 415
    details = error_of(response)["details"]
    suffixes = {".txt", ".md", ".json", ".jsonl", ".csv", ".jpg", ".jpeg", ".png"}
    assert set(details["supported"]) == suffixes
    assert details["input"] == {"bucket": INPUT, "name": name, "generation": generation}


@pytest.mark.parametrize("name", ["_draft.txt", "folder/"])
def test_ignored_name_is_400(client: TestClient, name: str) -> None:
    response = ask(client, name)
    assert response.status_code == 400
    assert error_of(response)["details"] == {"field": "input.name"}


def test_size_is_refused_before_the_download(client: TestClient, store: MemoryStore) -> None:
    generation = store.put(INPUT, "a.txt", b"x" * 1001)
    response = ask(client, "a.txt", generation)
    assert response.status_code == 413
    details = error_of(response)["details"]
    assert (details["size"], details["limit"]) == (1001, 1000)
    assert details["input"]["generation"] == generation
    assert store.reads == []


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\xef\xbb\xbfgood", "good"),
        ("good ä".encode("utf-16"), "good ä"),
        (b"\xfe\xff" + "good".encode("utf-16-be"), "good"),
        ("crème 😀 \u2028".encode(), "crème 😀 \u2028"),
    ],
)
def test_text_is_decoded(client: TestClient, store: MemoryStore, data: bytes, text: str) -> None:
    generation = store.put(INPUT, "a.txt", data)
    name = ask(client, "a.txt", generation).json()["chunks"][0]["name"]
    assert lines(store, name) == [{"id": "0", "text": text}]


@pytest.mark.parametrize(
    ("data", "code", "details"),
    [
        (b"", "empty_input", {}),
        (b" \r\n\t ", "empty_input", {}),
        (b"\xef\xbb\xbf", "empty_input", {}),
        (b"caf\xe9 au lait", "undecodable_text", {"encoding": "utf-8", "byte_offset": 3}),
        (b"good\0bad", "binary_input", {"character_offset": 4}),
        ("good".encode("utf-32"), "undecodable_text", {"encoding": "utf-8", "byte_offset": 0}),
        (b"\xff\xfeg\0o", "undecodable_text", {"encoding": "utf-16-le", "byte_offset": 4}),
        (b"\xef\xbb\xbfa\xff", "undecodable_text", {"encoding": "utf-8", "byte_offset": 4}),
        ("good".encode("utf-16-le"), "binary_input", {"character_offset": 1}),
        (b"\x89PNG\r\n\x1a\n....", "binary_input", {}),
        (b"\x1f\x8b\x08....", "binary_input", {}),
        (b"%PDF-1.7", "binary_input", {}),
        (b"ok \xed\xa0\x80", "undecodable_text", {"encoding": "utf-8", "byte_offset": 3}),
    ],
)
def test_what_is_no_text_is_422(
    client: TestClient, store: MemoryStore, data: bytes, code: str, details: dict[str, Any]
) -> None:
    generation = store.put(INPUT, "a.txt", data)
    response = ask(client, "a.txt", generation)
    assert response.status_code == 422
    error = error_of(response)
    found = {"bucket": INPUT, "name": "a.txt", "generation": generation}
    assert (error["code"], error["class"]) == (code, "input")
    assert error["details"] == details | {"input": found}
    assert store.names(WORK) == []


@pytest.mark.promise(35)
def test_storage_that_does_not_answer_is_503(client: TestClient, store: MemoryStore) -> None:
    generation = store.put(INPUT, "a.txt", b"hello")
    store.refusals[("read", "a.txt")] = StorageUnavailableError(INPUT, "a.txt", "Timeout")
    response = ask(client, "a.txt", generation)
    assert response.status_code == 503
    assert response.headers["retry-after"] == "2"


@pytest.mark.promise(35)
def test_bug_is_a_500_that_tells_nothing(client: TestClient, store: MemoryStore) -> None:
    generation = store.put(INPUT, "a.txt", b"hello")
    store.refusals[("read", "a.txt")] = KeyError("secret text of the user")
    response = ask(client, "a.txt", generation)
    assert response.status_code == 500
    assert error_of(response)["code"] == "internal_error"
    assert "secret" not in response.text


@pytest.mark.promise("S75")
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "input"),
        ({"input": "x", "execution_id": "e"}, "input"),
        ({"input": {"name": "a.txt"}, "execution_id": "e"}, "input.bucket"),
        ({"input": {"bucket": "b"}, "execution_id": "e"}, "input.name"),
        ({"input": {"bucket": "b", "name": 5}, "execution_id": "e"}, "input.name"),
        ({"input": {"bucket": "b", "name": ""}, "execution_id": "e"}, "input.name"),
        ({"input": {"bucket": "b", "name": "\ud800.txt"}, "execution_id": "e"}, "input.name"),
        ({"input": {"bucket": "b", "name": "a\nb.txt"}, "execution_id": "e"}, "input.name"),
        ({"input": {"bucket": "b", "name": "ä" * 600}, "execution_id": "e"}, "input.name"),
        ({"input": {"bucket": "b", "name": "a.txt", "generation": -1}}, "input.generation"),
        ({"input": {"bucket": "b", "name": "a.txt", "generation": True}}, "input.generation"),
        ({"input": {"bucket": "b", "name": "a.txt", "generation": "1e5"}}, "input.generation"),
        ({"input": {"bucket": "b", "name": "a.txt", "generation": "9" * 30}}, "input.generation"),
        ({"input": {"bucket": "b", "name": "a.txt"}}, "execution_id"),
    ],
)
def test_malformed_request_is_400_and_names_the_field(
    client: TestClient, body: dict[str, Any], field: str
) -> None:
    response = client.post("/preprocess", content=json.dumps(body))
    assert response.status_code == 400
    assert error_of(response)["details"]["field"] == field


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff", b"[" * 200_000, b'{"a": NaN}', b'{"a": ' + b"9" * 5000 + b"}"],
    ids=["empty", "cut", "bytes", "deep", "nan", "number"],
)
def test_body_that_is_no_json_is_400(client: TestClient, body: bytes) -> None:
    response = client.post("/preprocess", content=body)
    assert response.status_code == 400
    assert error_of(response)["code"] == "invalid_json"


def test_body_of_another_json_type_is_400(client: TestClient) -> None:
    assert client.post("/preprocess", json=[1]).status_code == 400


def test_large_body_is_413(client: TestClient) -> None:
    assert client.post("/preprocess", content=b" " * 1_100_000).status_code == 413
    streamed = client.post("/preprocess", content=iter([b" " * 600_000] * 2))
    assert streamed.status_code == 413


@pytest.mark.promise(86)
@pytest.mark.promise("S73")
def test_health_and_readiness(client: TestClient) -> None:
    assert client.get("/health").json() == {"status": "healthy", "service": "preprocess"}
    assert client.get("/ready").json()["status"] == "ready"


def test_unknown_route_and_method_answer_in_the_error_shape(client: TestClient) -> None:
    assert error_of(client.get("/healthz"))["code"] == "no_such_route"
    response = client.get("/preprocess")
    assert (response.status_code, error_of(response)["code"]) == (405, "method_not_allowed")


def test_without_credentials_it_is_alive_and_not_ready() -> None:
    def refuse() -> MemoryStore:
        raise StartError("no credentials")

    settings = read_settings(Environment(ENVIRONMENT))
    with client_of(create_app(settings, refuse, FixedClock())) as client:
        assert client.get("/health").status_code == 200
        response = client.get("/ready")
        assert response.status_code == 503
        assert "no credentials" in error_of(response)["message"]
        assert ask(client, "a.txt").status_code == 503


def test_wrong_settings_are_named() -> None:
    with pytest.raises(SettingError, match="WORK_BUCKET"):
        read_settings(Environment({}))
    with pytest.raises(SettingError, match="PORT"):
        read_settings(Environment({"WORK_BUCKET": "w", "PORT": "http"}))


def test_chunks_are_bounded_by_items_and_bytes() -> None:
    texts = ["a", "b", "c", "d" * 100, "e"]
    items = [InputItem(str(at), text) for at, text in enumerate(texts)]
    parts = list(chunks(items, max_items=2, max_bytes=60))
    assert [part.items for part in parts] == [2, 1, 1, 1]
    ids = [json.loads(line)["id"] for part in parts for line in part.data.splitlines()]
    assert ids == ["0", "1", "2", "3", "4"]
