"""Structured logs: severity, trace, execution, object; never a text of the user."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from common import logs
from common.settings import Environment
from preprocess.app import create_app, read_settings
from tests.services.fakes import INPUT, FixedClock, MemoryStore, client_of, opener

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    handlers, level = logging.root.handlers[:], logging.root.level
    stream = io.StringIO()
    logs.configure(stream)
    yield stream
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


def entries(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.mark.promise(96)
@pytest.mark.parametrize(
    ("headers", "sampled"),
    [
        ({"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}, True),
        ({"x-cloud-trace-context": f"{TRACE}/67667974448284343;o=1"}, True),
        ({"x-cloud-trace-context": f"{TRACE}/67667974448284343"}, False),
    ],
)
def test_line_of_a_request(stream: io.StringIO, headers: dict[str, str], *, sampled: bool) -> None:
    store = MemoryStore()
    generation = store.put(INPUT, "a.txt", b"a secret")
    settings = read_settings(Environment({"WORK_BUCKET": "w", "GOOGLE_CLOUD_PROJECT": "p"}))
    source = {"bucket": INPUT, "name": "a.txt", "generation": generation}
    with client_of(create_app(settings, opener(store), FixedClock())) as client:
        body = {"input": source, "execution_id": "e-1"}
        assert client.post("/preprocess", json=body, headers=headers).status_code == 200
    [line] = [entry for entry in entries(stream) if entry["message"] == "preprocessed"]
    assert line["severity"] == "INFO"
    assert line["logging.googleapis.com/trace"] == f"projects/p/traces/{TRACE}"
    assert line["logging.googleapis.com/spanId"] == "00f067aa0ba902b7"
    assert line["logging.googleapis.com/trace_sampled"] is sampled
    assert (line["execution_id"], line["object"]) == ("e-1", "a.txt")
    assert line["generation"] == generation
    assert line["items"] == 1
    assert "secret" not in stream.getvalue()


@pytest.mark.promise(96)
def test_unexpected_error_is_logged_without_its_message(stream: io.StringIO) -> None:
    store = MemoryStore()
    store.put(INPUT, "a.txt", b"hello")
    store.refusals[("read", "a.txt")] = KeyError("a secret")
    settings = read_settings(Environment({"WORK_BUCKET": "w"}))
    with client_of(create_app(settings, opener(store), FixedClock())) as client:
        body = {"input": {"bucket": INPUT, "name": "a.txt"}, "execution_id": "e-1"}
        assert client.post("/preprocess", json=body).status_code == 500
    [line] = [entry for entry in entries(stream) if entry["severity"] == "ERROR"]
    assert line["exception"] == "KeyError"
    assert any("fakes.py" in frame for frame in line["stack"])
    trace = line["stack_trace"].splitlines()
    assert (trace[0], trace[-1]) == ("Traceback (most recent call last):", "KeyError")
    assert all(one.startswith('  File "') for one in trace[1:-1])
    assert "secret" not in stream.getvalue()


def test_an_error_has_what_error_reporting_groups_by(
    stream: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("K_SERVICE", "ml-pipeline-preprocess")
    monkeypatch.setenv("K_REVISION", "ml-pipeline-preprocess-00007")
    log = logging.getLogger("tests")
    log.warning("nothing to report")
    log.error("said in place")
    try:
        dict[str, int]()["a secret"]
    except KeyError:
        log.exception("raised")
    warning, said, raised = entries(stream)
    assert "@type" not in warning
    for line in (said, raised):
        assert line["@type"].endswith("clouderrorreporting.v1beta1.ReportedErrorEvent")
        assert line["serviceContext"] == {
            "service": "ml-pipeline-preprocess", "version": "ml-pipeline-preprocess-00007",
        }  # fmt: skip
        place = line["context"]["reportLocation"]
        assert place["filePath"] == __file__
        assert place["functionName"] == "test_an_error_has_what_error_reporting_groups_by"
        assert place["lineNumber"] > 0
    assert "stack_trace" not in said
    assert "secret" not in stream.getvalue()


def test_refusal_is_a_warning_with_its_code(stream: io.StringIO) -> None:
    store = MemoryStore()
    store.put(INPUT, "a.exe", b"hello")
    settings = read_settings(Environment({"WORK_BUCKET": "w"}))
    with client_of(create_app(settings, opener(store), FixedClock())) as client:
        client.post(
            "/preprocess", json={"input": {"bucket": INPUT, "name": "a.exe"}, "execution_id": "e"}
        )
    [line] = [entry for entry in entries(stream) if entry["severity"] == "WARNING"]
    assert (line["status"], line["code"], line["error_class"]) == (415, "unsupported_type", "input")


@pytest.mark.parametrize(
    "headers",
    [{}, {"traceparent": "garbage"}, {"x-cloud-trace-context": "1/2"}, {"traceparent": "00--01"}],
)
def test_no_trace_without_a_valid_header(headers: dict[str, str]) -> None:
    assert logs.trace_fields("p", headers) == {}
