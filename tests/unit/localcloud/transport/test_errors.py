import json
from typing import Any

import pytest
from google.rpc import error_details_pb2
from starlette.responses import JSONResponse

from gpupipe.localcloud.errors import (
    Code,
    Details,
    FieldViolation,
    ServiceError,
    Violation,
    unimplemented,
)
from gpupipe.localcloud.kernel.status import status_of
from gpupipe.localcloud.transport import hosts
from gpupipe.localcloud.transport.errors import json_error

FULL = ServiceError(
    Code.RESOURCE_EXHAUSTED,
    "too many",
    Details(
        reason="RATE",
        metadata={"a": "b"},
        fields=(FieldViolation("service.name", "bad"),),
        preconditions=(Violation("TYPE", "subject", "state"),),
        quotas=(Violation("", "projects/p", "quota"),),
        retry_after_s=1.5,
        help_links=(("read", "https://example.com"),),
    ),
)


def test_every_kind_of_detail_travels() -> None:
    status = status_of(FULL)
    assert (status.code, status.message) == (8, "too many")
    kinds = [detail.type_url.rpartition(".")[2] for detail in status.details]
    assert kinds == [
        "ErrorInfo",
        "BadRequest",
        "PreconditionFailure",
        "QuotaFailure",
        "RetryInfo",
        "Help",
    ]
    info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
    status.details[0].Unpack(info)
    status.details[4].Unpack(retry)
    assert (info.reason, info.domain, info.metadata["a"]) == ("RATE", "googleapis.com", "b")
    assert (retry.retry_delay.seconds, retry.retry_delay.nanos) == (1, 500_000_000)


def test_the_json_body_is_googles() -> None:
    error = body_of(json_error(FULL, {}))
    assert (error["code"], error["status"], error["message"]) == (
        429,
        "RESOURCE_EXHAUSTED",
        "too many",
    )
    assert error["details"][0]["@type"] == "type.googleapis.com/google.rpc.ErrorInfo"
    assert json_error(FULL, {}).headers["retry-after"] == "2"


@pytest.mark.parametrize(("api", "http_status"), [(None, 501), ("run.googleapis.com", 400)])
def test_what_is_not_emulated_says_so_and_is_not_tried_again(
    api: str | None, http_status: int
) -> None:
    answer = json_error(unimplemented("the moon"), hosts.naming(api))
    body = body_of(answer)
    assert (answer.status_code, body["code"], body["status"]) == (
        http_status, http_status, "UNIMPLEMENTED",
    )  # fmt: skip
    assert "the moon" in body["message"]


def body_of(answer: JSONResponse) -> Any:
    return json.loads(bytes(answer.body))["error"]
