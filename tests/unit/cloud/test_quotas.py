"""Quotas: the first row that covers the region; what cannot be known is unknown, not zero."""

from typing import Any

import pytest
from google.api_core import exceptions as api
from google.cloud.cloudquotas_v1 import DimensionsInfo, QuotaDetails, QuotaInfo
from tests.support.clock import FakeClock
from tests.support.quotas import L4

from gpupipe.cloud.call import Caller
from gpupipe.cloud.errors import ApiError
from gpupipe.cloud.quotas import QuotasApi


class QuotaClient:
    """Answers one thing, and is the `Clients` that hands itself out."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer
        self.names: list[str] = []

    def client(self, name: str) -> "QuotaClient":
        assert name == "quotas"
        return self

    def storage(self) -> Any:
        raise NotImplementedError

    def session(self, api: str) -> Any:
        raise NotImplementedError

    def identity(self) -> str:
        raise NotImplementedError

    @property
    def console(self) -> str:
        raise NotImplementedError

    def get_quota_info(self, request: dict[str, str], retry: None, timeout: float) -> QuotaInfo:
        assert timeout > 0
        self.names.append(request["name"])
        if isinstance(self._answer, Exception):
            raise self._answer
        return QuotaInfo(dimensions_infos=self._answer)


def row(value: int, region: str = "", locations: tuple[str, ...] = ()) -> DimensionsInfo:
    return DimensionsInfo(
        dimensions={"region": region} if region else {},
        details=QuotaDetails(value=value),
        applicable_locations=list(locations),
    )


def limit(answer: Any) -> int | None:
    return QuotasApi(QuotaClient(answer), Caller(FakeClock())).limit("demo", "us-central1", L4)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([row(3, "us-central1"), row(1)], 3),
        ([row(9, "us-east4"), row(1)], 1),
        ([row(9, "us-east4", ("us-east4",))], None),
        ([row(2, "", ("us-central1", "us-east4")), row(1)], 2),
        ([row(2, "", ("us-east4",)), row(1)], 1),
        ([row(0, "us-central1"), row(5)], 0),
        ([row(-1)], None),  # unlimited
        ([], None),
    ],
)
def test_the_first_row_that_covers_the_region_holds(
    rows: list[DimensionsInfo], expected: int | None
) -> None:
    assert limit(rows) == expected


@pytest.mark.parametrize(
    "error",
    [
        api.NotFound("no such quota"),
        api.MethodNotImplemented("what"),
        api.InvalidArgument("what"),
    ],
)
def test_no_answer_is_unknown(error: Exception) -> None:
    assert limit(error) is None


@pytest.mark.parametrize("error", [api.Unauthenticated("who"), api.PermissionDenied("no")])
def test_another_error_is_raised(error: Exception) -> None:
    with pytest.raises(ApiError):
        limit(error)


def test_the_quota_of_cloud_run_is_asked() -> None:
    client = QuotaClient([])
    QuotasApi(client, Caller(FakeClock())).limit("demo", "us-central1", L4)
    assert client.names == [
        f"projects/demo/locations/global/services/run.googleapis.com/quotaInfos/{L4}"
    ]
