"""Cloud Quotas through its official client: limits, and asking for others."""

from typing import Any

import httpx
import pytest
from google.api_core import exceptions
from google.cloud.cloudquotas_v1 import CloudQuotasClient
from tests.support.givens import GIVENS
from tests.support.localcloud import RunningCloud
from tests.support.refusals import bases, filled
from tests.support.world import REGION, World

PARENT = "projects/quota-test/locations/global"
L4 = "NvidiaL4GpuAllocNoZonalRedundancyPerProjectRegion"
INFO = f"{PARENT}/services/run.googleapis.com/quotaInfos/{L4}"


@pytest.fixture
def world(local_cloud: RunningCloud) -> World:
    world = World(local_cloud, "quota-test")
    GIVENS["enabled"](world)
    return world


@pytest.fixture
def quotas(world: World) -> Any:
    return world.client("cloudquotas")


def ask(world: World, value: int) -> Any:
    body = filled(bases()["cloudquotas.more"].body, world.names)
    body["quota_preference"]["quota_config"]["preferred_value"] = value
    return world.client("cloudquotas").create_quota_preference(request=body)


def in_force(quotas: CloudQuotasClient) -> int:
    infos = quotas.get_quota_info(request={"name": INFO}).dimensions_infos
    return next(one.details.value for one in infos if one.dimensions.get("region") == REGION)


def test_an_increase_is_looked_at_and_granted(quotas: CloudQuotasClient, world: World) -> None:
    asked = ask(world, 5)
    assert asked.reconciling
    assert asked.quota_config.granted_value == 3
    decided = quotas.get_quota_preference(request={"name": asked.name})
    assert not decided.reconciling
    assert decided.quota_config.granted_value == 5
    assert "local cloud" in decided.quota_config.state_detail
    assert not decided.contact_email
    assert in_force(quotas) == 5


def test_too_much_is_denied_and_says_what_would_do(quotas: CloudQuotasClient, world: World) -> None:
    asked = ask(world, 31)
    decided = quotas.get_quota_preference(request={"name": asked.name})
    assert not decided.reconciling
    assert decided.quota_config.granted_value == 3
    assert "at most 30" in decided.quota_config.state_detail
    again = quotas.update_quota_preference(
        request={
            "quota_preference": {
                "name": asked.name,
                "quota_config": {"preferred_value": 30},
                "contact_email": "someone@example.com",
            },
            "update_mask": {"paths": ["quota_config.preferred_value", "contact_email"]},
        }
    )
    assert (
        quotas.get_quota_preference(request={"name": again.name}).quota_config.granted_value == 30
    )


def test_without_billing_nothing_is_granted(quotas: CloudQuotasClient, world: World) -> None:
    world.cloud.kernel.billing.link(world.project, "")
    info = quotas.get_quota_info(request={"name": INFO})
    assert not info.quota_increase_eligibility.is_eligible
    asked = ask(world, 5)
    decided = quotas.get_quota_preference(request={"name": asked.name})
    assert decided.quota_config.granted_value == 3
    assert "pays" in decided.quota_config.state_detail


def test_preferences_are_listed(quotas: CloudQuotasClient, world: World) -> None:
    asked = ask(world, 5)
    listed = list(quotas.list_quota_preferences(request={"parent": PARENT}))
    assert [one.name for one in listed] == [asked.name]


def test_all_regions_at_once_are_refused_by_name(quotas: CloudQuotasClient, world: World) -> None:
    body = filled(bases()["cloudquotas.more"].body, world.names)
    del body["quota_preference"]["dimensions"]
    with pytest.raises(exceptions.MethodNotImplemented, match="all regions"):
        quotas.create_quota_preference(request=body, retry=None)


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("quota", {"service": "run.googleapis.com", "quota_id": L4, "region": REGION, "value": 1}),
        ("permissions", {"name": "run.services.create"}),
    ],
)
def test_a_setting_of_a_new_project_makes_it_and_an_id_that_cannot_be_is_refused(
    local_cloud: RunningCloud, name: str, body: dict[str, Any]
) -> None:
    projects = local_cloud.kernel.projects
    assert projects.get("never-named") is None
    local_cloud.control("POST", name, {**body, "project": "never-named"})
    assert projects.get("never-named") is not None
    with pytest.raises(httpx.HTTPStatusError, match="400"):
        local_cloud.control("POST", name, {**body, "project": "No Such"})
