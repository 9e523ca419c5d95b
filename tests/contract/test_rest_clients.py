"""Every official client with a REST transport: what it writes and reads over REST is what gRPC reads."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from google.api_core import exceptions
from google.oauth2.credentials import Credentials
from tests.support.givens import GIVENS
from tests.support.localcloud import RunningCloud
from tests.support.refusals import CLIENTS, bases, client_class, filled
from tests.support.world import World

PROJECT = "projects/{project}"
REGION = PROJECT + "/locations/{region}"
RIGHTS = (
    "enabled", "runtime_account", "workflows_agent", "workflow", "bucket", "trigger_rights",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """read and asked: a method and its request; written: a base of the refusal rows, if any."""

    read: str
    asked: dict[str, Any]
    written: str = ""
    given: tuple[str, ...] = field(default=("enabled",))


CASES = {
    "artifactregistry": Case(
        "list_repositories", {"parent": REGION}, "artifactregistry.repository"
    ),
    "billingbudgets": Case(
        "list_budgets", {"parent": "billingAccounts/000000-000000-000000"}, "billingbudgets.new"
    ),
    "cloudbilling": Case("get_project_billing_info", {"name": PROJECT}),
    "cloudbuild": Case("list_builds", {"parent": REGION}, "cloudbuild.build"),
    "cloudquotas": Case(
        "list_quota_preferences", {"parent": PROJECT + "/locations/global"}, "cloudquotas.more"
    ),
    "cloudresourcemanager": Case("get_iam_policy", {"resource": PROJECT}, "policies.project"),
    "dashboards": Case("list_dashboards", {"parent": PROJECT}, "monitoring.dashboard"),
    "eventarc": Case("list_triggers", {"parent": REGION}, "eventarc.trigger"),
    "orgpolicy": Case(
        "get_effective_policy", {"name": PROJECT + "/policies/gcp.resourceLocations"}
    ),
    "publisher": Case("list_topics", {"project": PROJECT}, given=("enabled", "topic")),
    "revisions": Case(
        "list_revisions",
        {"parent": REGION + "/services/svc"},
        given=("enabled", "runtime_account", "run_service"),
    ),
    "run": Case("list_services", {"parent": REGION}, "run.deployed"),
    "serviceusage": Case(
        "list_services", {"parent": PROJECT, "filter": "state:ENABLED"}, "apis.enable"
    ),
    "subscriber": Case("list_subscriptions", {"project": PROJECT}, given=(*RIGHTS, "trigger")),
    "workflows": Case("list_workflows", {"parent": REGION}, "workflows.workflow"),
}


def over_rest(cloud: RunningCloud, api: str) -> Any:
    """The official client of an API over REST, on loopback."""
    kind: Any = client_class(api)
    transport = kind.get_transport_class("rest")(
        host=cloud.http.removeprefix("http://"),
        credentials=Credentials(cloud.token),
        url_scheme="http",
    )
    transport._session.trust_env = False
    return kind(transport=transport)


def prepared(cloud: RunningCloud, api: str, *given: str) -> World:
    world = World(cloud, f"rest-{api}")
    cloud.kernel.projects.ensure(world.project)
    for name in given:
        GIVENS[name](world)
    return world


def told(answer: Any) -> Any:
    """An answer, or all items of a list."""
    return list(answer) if hasattr(answer, "pages") else answer


def test_every_client_with_rest_is_here() -> None:
    speaks = {api for api in CLIENTS if "rest" in client_class(api)._transport_registry}
    assert {*CASES, "iamcredentials"} == speaks


@pytest.mark.parametrize("api", CASES)
def test_rest_and_grpc_say_the_same(module_cloud: RunningCloud, api: str) -> None:
    case = CASES[api]
    base = bases().get(case.written)
    world = prepared(module_cloud, api, *(base.given if base else case.given))
    client = over_rest(module_cloud, api)
    if base:
        method = getattr(client, base.call.partition(".")[2])
        body = filled(base.body, world.names)
        body.pop("validate_only", None)
        made = method(request=body, timeout=30)
        if hasattr(made, "result"):
            made.result(timeout=60)
    asked = filled(case.asked, world.names)
    found = told(getattr(client, case.read)(request=asked, timeout=30))
    assert found
    assert found == told(getattr(world.client(api), case.read)(request=asked, timeout=30))


def test_a_token_over_rest_is_of_the_account(module_cloud: RunningCloud) -> None:
    given = bases()["iam.token"].given
    world = prepared(module_cloud, "iamcredentials", *given)
    email = f"runtime@{world.project}.iam.gserviceaccount.com"
    asked = {"name": f"projects/-/serviceAccounts/{email}", "audience": "http://here"}
    answer = over_rest(module_cloud, "iamcredentials").generate_id_token(request=asked, timeout=30)
    verified = module_cloud.kernel.identity.verify_id_token(answer.token, "http://here")
    assert verified == email


def test_selected_fields_are_all_that_comes(module_cloud: RunningCloud) -> None:
    prepared(module_cloud, "fields", *RIGHTS[:4])
    path = "/v1/projects/rest-fields/locations/us-central1/workflows"
    answer = module_cloud.http_client().get(path, params={"fields": "workflows(name,state)"})
    name = f"{path.removeprefix('/v1/')}/flow"
    assert answer.json() == {"workflows": [{"name": name, "state": "ACTIVE"}]}


def test_what_carries_events_has_policies_over_rest_that_go_with_it(
    module_cloud: RunningCloud,
) -> None:
    world = prepared(module_cloud, "carriers", *RIGHTS, "trigger")
    place = f"projects/{world.project}"
    (topic,) = world.client("publisher").list_topics(project=place)
    (subscription,) = world.client("subscriber").list_subscriptions(project=place)
    trigger = f"{place}/locations/us-central1/triggers/on-upload"
    kinds = {
        "publisher": (topic.name, "roles/pubsub.publisher"),
        "subscriber": (subscription.name, "roles/pubsub.subscriber"),
        "eventarc": (trigger, "roles/eventarc.viewer"),
    }
    policies = module_cloud.kernel.policies
    for api, (name, role) in kinds.items():
        client = over_rest(module_cloud, api)
        binding = {"role": role, "members": ["user:a@example.com"]}
        request = {"resource": name, "policy": {"bindings": [binding]}}
        written = client.set_iam_policy(request=request, timeout=30)
        assert client.get_iam_policy(request={"resource": name}, timeout=30) == written
        assert policies.get(name) == written
        wrong = {
            "resource": name,
            "policy": {"bindings": [{**binding, "role": "roles/run.viewer"}]},
        }
        with pytest.raises(exceptions.BadRequest, match="is not supported for this resource"):
            client.set_iam_policy(request=wrong, timeout=30)
    world.client("eventarc").delete_trigger(name=trigger).result(timeout=30)
    assert [len(policies.get(name).bindings) for name, _ in kinds.values()] == [0, 0, 0]


def test_policies_of_topics_take_a_permission(module_cloud: RunningCloud) -> None:
    world = prepared(module_cloud, "topics", "enabled", "topic")
    token = world.account("viewer", "roles/pubsub.viewer")
    path = f"/v1/projects/{world.project}/topics/topic:getIamPolicy"
    assert module_cloud.http_client(token).get(path).status_code == 403
    assert module_cloud.http_client().get(path).status_code == 200
    assert module_cloud.http_client().get(path.replace("/topic:", "/none:")).status_code == 404
