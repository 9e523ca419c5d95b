"""Cloud Billing and Organization Policy through their clients."""

import pytest
from google.api_core import exceptions
from google.cloud import billing_v1, orgpolicy_v2
from tests.support.givens import enabled
from tests.support.localcloud import RunningCloud
from tests.support.world import World


@pytest.fixture
def world(module_cloud: RunningCloud) -> World:
    world = World(module_cloud, "billing-project")
    enabled(world)
    return world


def test_billing_is_on_and_can_be_disabled_and_linked_again(world: World) -> None:
    client = world.client("cloudbilling")
    name = f"projects/{world.project}"
    info = client.get_project_billing_info(name=name)
    assert info.billing_enabled
    account = info.billing_account_name
    off = billing_v1.ProjectBillingInfo(billing_account_name="")
    assert not client.update_project_billing_info(
        name=name, project_billing_info=off
    ).billing_enabled
    assert not client.get_project_billing_info(name=name).billing_enabled
    on = billing_v1.ProjectBillingInfo(billing_account_name=account)
    assert client.update_project_billing_info(name=name, project_billing_info=on).billing_enabled


def test_the_one_account_is_seen_by_the_operator_alone(world: World) -> None:
    client = world.client("cloudbilling")
    (account,) = client.list_billing_accounts()
    assert account.open_
    assert client.get_billing_account(name=account.name) == account
    assert (
        account.name
        == client.get_project_billing_info(name=f"projects/{world.project}").billing_account_name
    )
    token = world.cloud.account_token("stranger", world.project)
    stranger = world.cloud.client(billing_v1.CloudBillingClient, token)
    assert list(stranger.list_billing_accounts()) == []
    for caller, name in ((stranger, account.name), (client, "billingAccounts/none")):
        with pytest.raises(exceptions.PermissionDenied):
            caller.get_billing_account(name=name)
    with pytest.raises(exceptions.MethodNotImplemented):
        list(client.list_billing_accounts(request={"parent": "organizations/1"}))


def test_another_billing_account_is_refused(world: World) -> None:
    other = billing_v1.ProjectBillingInfo(billing_account_name="billingAccounts/ABCDEF-000000-1")
    with pytest.raises(exceptions.InvalidArgument):
        world.client("cloudbilling").update_project_billing_info(
            name=f"projects/{world.project}", project_billing_info=other
        )


def test_a_project_without_an_organization_has_googles_defaults(world: World) -> None:
    client = world.client("orgpolicy")
    lists = client.get_effective_policy(
        name=f"projects/{world.project}/policies/iam.allowedPolicyMemberDomains"
    )
    assert [rule.allow_all for rule in lists.spec.rules] == [True]
    enforced = client.get_effective_policy(
        name=f"projects/{world.project}/policies/storage.publicAccessPrevention"
    )
    assert enforced.spec.rules == [orgpolicy_v2.PolicySpec.PolicyRule(enforce=False)]
    with pytest.raises(exceptions.MethodNotImplemented):
        client.get_effective_policy(name=f"projects/{world.project}/policies/some.other")
