"""The real gcloud with projects, accounts, services, logs, dashboards and budgets."""

import json
from pathlib import Path
from typing import Any

import pytest
from google.cloud import monitoring_dashboard_v1
from google.cloud.billing import budgets_v1
from tests.support.gcloud import Gcloud, needs_gcloud
from tests.support.localcloud import RunningCloud

pytestmark = [needs_gcloud, pytest.mark.long]
EMAIL = "runner@gpupipe-local.iam.gserviceaccount.com"


@pytest.fixture
def gcloud(module_cloud: RunningCloud, tmp_path: Path) -> Gcloud:
    module_cloud.enable("iam.googleapis.com", "logging.googleapis.com", "monitoring.googleapis.com")
    return Gcloud(module_cloud, tmp_path)


def found(gcloud: Gcloud, *command: str) -> Any:
    return json.loads(gcloud(*command, "--format", "json"))


def test_projects(gcloud: Gcloud) -> None:
    project = gcloud.cloud.project
    one = found(gcloud, "projects", "describe", project)
    assert (one["projectId"], one["lifecycleState"]) == (project, "ACTIVE")
    assert one["projectNumber"] == str(gcloud.cloud.project_number)
    assert one["projectId"] in [each["projectId"] for each in found(gcloud, "projects", "list")]
    binding = ("--member", "user:a@example.com", "--role", "roles/run.viewer")
    gcloud("projects", "add-iam-policy-binding", project, *binding)
    held = {"members": ["user:a@example.com"], "role": "roles/run.viewer"}
    assert held in found(gcloud, "projects", "get-iam-policy", project)["bindings"]
    gcloud("projects", "remove-iam-policy-binding", project, *binding)
    assert held not in found(gcloud, "projects", "get-iam-policy", project)["bindings"]


@pytest.mark.promise(125)
def test_service_accounts(gcloud: Gcloud) -> None:
    accounts = ("iam", "service-accounts")
    gcloud(*accounts, "create", "runner", "--display-name", "Runs")
    (one,) = found(gcloud, *accounts, "list")
    assert (one["email"], one["displayName"]) == (EMAIL, "Runs")
    binding = ("--member", "user:a@example.com", "--role", "roles/iam.serviceAccountUser")
    gcloud(*accounts, "add-iam-policy-binding", EMAIL, *binding)
    policy = found(gcloud, *accounts, "get-iam-policy", EMAIL)
    assert policy["bindings"] == [{"members": [binding[1]], "role": binding[3]}]
    gcloud(*accounts, "delete", EMAIL, "--quiet")
    assert found(gcloud, *accounts, "list") == []


def test_another_account_is_impersonated(gcloud: Gcloud) -> None:
    gcloud.cloud.enable("iamcredentials.googleapis.com")
    gcloud("iam", "service-accounts", "create", "another")
    email = EMAIL.replace("runner", "another")
    may = ("--member", "user:operator@gpupipe.local", "--role",
           "roles/iam.serviceAccountTokenCreator")  # fmt: skip
    gcloud("iam", "service-accounts", "add-iam-policy-binding", email, *may)
    acting = ("--impersonate-service-account", email)
    token = gcloud("auth", "print-identity-token", *acting, "--audiences", "http://here").strip()
    assert gcloud.cloud.kernel.identity.verify_id_token(token, "http://here") == email
    refused = gcloud.run(["gcloud", "storage", "buckets", "list", *acting])
    assert f"{email} does not have storage.buckets.list access" in refused.stderr
    gcloud("iam", "service-accounts", "delete", email, "--quiet")


def test_services(gcloud: Gcloud) -> None:
    gcloud("services", "enable", "run.googleapis.com", "eventarc.googleapis.com")
    titles = {
        one["config"]["name"]: one["config"]["title"] for one in found(gcloud, "services", "list")
    }
    assert titles["run.googleapis.com"] == "Cloud Run Admin API"
    assert "eventarc.googleapis.com" in titles
    gcloud("services", "disable", "eventarc.googleapis.com")
    names = [one["config"]["name"] for one in found(gcloud, "services", "list")]
    assert "eventarc.googleapis.com" not in names
    refused = gcloud.run(["gcloud", "services", "enable", "no-such.googleapis.com"])
    assert refused.returncode == 1
    assert "no-such.googleapis.com" in refused.stderr


@pytest.mark.promise(112)
def test_logs(gcloud: Gcloud) -> None:
    for service, severity in (("one", "INFO"), ("two", "ERROR")):
        gcloud.cloud.kernel.logs.write(
            f"projects/{gcloud.cloud.project}/logs/run.googleapis.com%2Fstdout",
            "cloud_run_revision",
            {"service_name": service},
            severity,
            f"of {service}",
        )
    gcloud("logging", "write", "by-hand", '{"a": "b"}', "--payload-type", "json")
    # the recipe's two filters, and one of its workflow
    of_type = "resource.type=cloud_run_revision"
    both = found(gcloud, "logging", "read", of_type)
    assert [entry["textPayload"] for entry in both] == ["of two", "of one"]
    (one,) = found(gcloud, "logging", "read", f"{of_type} AND resource.labels.service_name=one")
    assert (one["severity"], one["resource"]["labels"]["service_name"]) == ("INFO", "one")
    severe = found(gcloud, "logging", "read", f"{of_type} severity>=ERROR", "--limit", "1")
    assert [entry["textPayload"] for entry in severe] == ["of two"]
    (by_hand,) = found(gcloud, "logging", "read", "logName:by-hand")
    assert by_hand["jsonPayload"] == {"a": "b"}
    assert any(name.endswith("/logs/by-hand") for name in names_of_logs(gcloud))
    gcloud("logging", "logs", "delete", "by-hand", "--quiet")
    assert not any(name.endswith("/logs/by-hand") for name in names_of_logs(gcloud))


def names_of_logs(gcloud: Gcloud) -> list[str]:
    names: list[str] = found(gcloud, "logging", "logs", "list")
    return names


def test_dashboards_and_budgets(gcloud: Gcloud) -> None:
    parent = f"projects/{gcloud.cloud.project}"
    dashboard = monitoring_dashboard_v1.Dashboard(
        display_name="Seen", mosaic_layout={"columns": 12}
    )
    boards = gcloud.cloud.client(monitoring_dashboard_v1.DashboardsServiceClient)
    boards.create_dashboard(request={"parent": parent, "dashboard": dashboard})
    shown = found(gcloud, "monitoring", "dashboards", "list")
    assert [one["displayName"] for one in shown] == ["Seen"]
    (account,) = found(gcloud, "billing", "accounts", "list")
    assert account["open"] is True
    number = account["name"].removeprefix("billingAccounts/")
    budget = budgets_v1.Budget(
        display_name="Enough", amount={"specified_amount": {"currency_code": "USD", "units": 5}}
    )
    budgets = gcloud.cloud.client(budgets_v1.BudgetServiceClient)
    budgets.create_budget(request={"parent": account["name"], "budget": budget})
    listed = found(gcloud, "billing", "budgets", "list", "--billing-account", number)
    assert [(one["displayName"], one["amount"]["specifiedAmount"]["units"]) for one in listed] == [
        ("Enough", "5")
    ]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("compute", "instances", "list"), "no way to compute.googleapis.com"),
        (("logging", "buckets", "list"), "does not emulate GET /v2/projects/"),
    ],
    ids=("an API", "a method"),
)
def test_what_is_not_emulated_is_said(gcloud: Gcloud, command: tuple[str, ...], said: str) -> None:
    assert said in gcloud.run(["gcloud", *command]).stderr
