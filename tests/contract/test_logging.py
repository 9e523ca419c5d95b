"""Cloud Logging through its official client: entries written, found, deleted."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud.logging_v2.services.logging_service_v2 import LoggingServiceV2Client
from tests.support.localcloud import RunningCloud


@pytest.fixture
def logging(local_cloud: RunningCloud) -> Any:
    return local_cloud.client(LoggingServiceV2Client)


@pytest.fixture
def project(local_cloud: RunningCloud) -> str:
    return f"projects/{local_cloud.project}"


def write(
    logging: LoggingServiceV2Client, project: str, *entries: dict[str, Any], **more: Any
) -> None:
    logging.write_log_entries(
        request={
            "log_name": f"{project}/logs/own",
            "resource": {"type": "global"},
            "entries": list(entries),
            **more,
        },
        retry=None,
    )


def texts(logging: LoggingServiceV2Client, project: str, **more: Any) -> list[str]:
    found = logging.list_log_entries(request={"resource_names": [project], **more})
    return [entry.text_payload for entry in found]


def test_entries_are_found_by_filter_in_both_orders(
    logging: LoggingServiceV2Client, project: str
) -> None:
    write(logging, project, *({"text_payload": f"{n}", "severity": 200 + n} for n in range(300)))
    assert texts(logging, project, filter='logName:"own"', page_size=7) == [
        str(number) for number in range(300)
    ]
    warnings = texts(logging, project, filter="severity>=WARNING", order_by="timestamp desc")
    assert warnings == [str(number) for number in range(299, 199, -1)]


def test_defaults_of_the_request_are_those_of_its_entries(
    logging: LoggingServiceV2Client, project: str
) -> None:
    write(logging, project, {"text_payload": "x", "labels": {"own": "1"}}, labels={"all": "2"})
    found = next(iter(logging.list_log_entries(request={"resource_names": [project]})))
    assert dict(found.labels) == {"own": "1", "all": "2"}
    assert found.log_name == f"{project}/logs/own"
    assert found.resource.type == "global"


def test_nothing_is_written_when_one_entry_is_wrong(
    logging: LoggingServiceV2Client, project: str
) -> None:
    with pytest.raises(exceptions.InvalidArgument):
        write(logging, project, {"text_payload": "good"}, {"severity": 200})
    assert texts(logging, project) == []


def test_partial_success_writes_the_good_and_refuses_all_the_same(
    logging: LoggingServiceV2Client, project: str
) -> None:
    with pytest.raises(exceptions.InvalidArgument):
        write(logging, project, {"text_payload": "good"}, {"severity": 200}, partial_success=True)
    assert texts(logging, project) == ["good"]


def test_a_dry_run_writes_nothing(logging: LoggingServiceV2Client, project: str) -> None:
    write(logging, project, {"text_payload": "x"}, dry_run=True)
    assert texts(logging, project) == []


def test_entries_of_another_age_are_taken_and_not_seen(
    logging: LoggingServiceV2Client, project: str
) -> None:
    now = datetime.now(UTC)
    for days in (-31, 2):
        write(logging, project, {"text_payload": "x", "timestamp": now + timedelta(days=days)})
    assert texts(logging, project) == []


def test_the_names_of_logs_are_those_with_entries(
    logging: LoggingServiceV2Client, project: str
) -> None:
    before = set(logging.list_logs(parent=project))
    names = [f"{project}/logs/{name}" for name in ("a", "b%2Fc", "d")]
    for name in names:
        write(logging, project, {"text_payload": "x"}, log_name=name)
    listed = logging.list_logs(request={"parent": project, "page_size": 2})
    assert sorted(set(listed) - before) == names


def test_a_deleted_log_is_gone(logging: LoggingServiceV2Client, project: str) -> None:
    write(logging, project, {"text_payload": "x"})
    logging.delete_log(request={"log_name": f"{project}/logs/own"})
    assert texts(logging, project, filter='logName:"own"') == []


@pytest.mark.parametrize(
    ("place", "words"),
    [("severity>=INFO AND AND", "character 20"), ("a=1 )", "character 5"), ("a=", "its end")],
)
def test_a_filter_that_cannot_be_read_says_where(
    logging: LoggingServiceV2Client, project: str, place: str, words: str
) -> None:
    with pytest.raises(exceptions.InvalidArgument, match=words):
        texts(logging, project, filter=place)


@pytest.mark.parametrize("name", ["folders/1", "projects/p/locations/l/buckets/b/views/v"])
def test_logs_of_other_things_than_projects_are_refused_by_name(
    logging: LoggingServiceV2Client, name: str
) -> None:
    with pytest.raises(exceptions.MethodNotImplemented, match=name):
        logging.list_log_entries(request={"resource_names": [name]}, retry=None)


def test_what_entries_do_not_keep_is_refused_by_name(
    logging: LoggingServiceV2Client, project: str
) -> None:
    with pytest.raises(exceptions.MethodNotImplemented, match=r"entries\.http_request"):
        write(logging, project, {"text_payload": "x", "http_request": {"status": 200}})


@pytest.mark.parametrize(
    "part",
    ["hello", '"hello"', "httpRequest.status>=500", "sample(insertId, 0.5)", "textPayload<b"],
)
def test_what_is_not_emulated_of_a_filter_is_said_to_be_so(
    logging: LoggingServiceV2Client, project: str, part: str
) -> None:
    request = {"resource_names": [project], "filter": f"severity>=INFO AND {part}"}
    with pytest.raises(exceptions.MethodNotImplemented, match=part[:6].strip('"')):
        logging.list_log_entries(request=request, retry=None)
