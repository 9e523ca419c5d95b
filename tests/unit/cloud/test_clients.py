"""The clients of both targets: which address each talks to, and what it signs with."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import google.auth
import grpc
import pytest
import requests
from google.api_core.exceptions import MethodNotImplemented
from google.auth.credentials import CredentialsWithQuotaProject
from google.auth.exceptions import DefaultCredentialsError, RefreshError
from google.cloud import iam_credentials_v1 as iam
from tests.unit.cloud.conftest import TOKEN

from gpupipe.cloud.clients import CLIENTS, GoogleClients, LocalClients
from gpupipe.cloud.target import Endpoint
from gpupipe.core.errors import CredentialsError, Exit, UsageError

EMAIL = "robot@demo-project.iam.gserviceaccount.com"
TOKENS = "/google.iam.credentials.v1.IAMCredentials/GenerateAccessToken"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
GOOGLE = "projects/demo-project/locations/europe-west4"

# One method of every client: its name, its request, and its path on the wire.
CALLS: dict[str, tuple[str, dict[str, Any], str]] = {
    "run": ("get_service", {"name": f"{GOOGLE}/services/s"},
            "/google.cloud.run.v2.Services/GetService"),
    "revisions": ("get_revision", {"name": f"{GOOGLE}/services/s/revisions/r"},
                  "/google.cloud.run.v2.Revisions/GetRevision"),
    "workflows": ("get_workflow", {"name": f"{GOOGLE}/workflows/w"},
                  "/google.cloud.workflows.v1.Workflows/GetWorkflow"),
    "executions": ("get_execution", {"name": f"{GOOGLE}/workflows/w/executions/e"},
                   "/google.cloud.workflows.executions.v1.Executions/GetExecution"),
    "eventarc": ("get_trigger", {"name": f"{GOOGLE}/triggers/t"},
                 "/google.cloud.eventarc.v1.Eventarc/GetTrigger"),
    "builds": ("get_build", {"project_id": "demo-project", "id": "b"},
               "/google.devtools.cloudbuild.v1.CloudBuild/GetBuild"),
    "registry": ("get_repository", {"name": f"{GOOGLE}/repositories/r"},
                 "/google.devtools.artifactregistry.v1.ArtifactRegistry/GetRepository"),
    "services": ("get_service", {"name": "projects/1/services/run.googleapis.com"},
                 "/google.api.serviceusage.v1.ServiceUsage/GetService"),
    "projects": ("get_project", {"name": "projects/demo-project"},
                 "/google.cloud.resourcemanager.v3.Projects/GetProject"),
    "iam": ("get_service_account", {"name": "projects/demo-project/serviceAccounts/a"},
            "/google.iam.admin.v1.IAM/GetServiceAccount"),
    "credentials": ("generate_id_token", {"name": "projects/-/serviceAccounts/a", "audience": "a"},
                    "/google.iam.credentials.v1.IAMCredentials/GenerateIdToken"),
    "logging": ("delete_log", {"log_name": "projects/demo-project/logs/l"},
                "/google.logging.v2.LoggingServiceV2/DeleteLog"),
    "billing": ("get_project_billing_info", {"name": "projects/demo-project"},
                "/google.cloud.billing.v1.CloudBilling/GetProjectBillingInfo"),
    "alerts": ("get_alert_policy", {"name": "projects/p/alertPolicies/a"},
               "/google.monitoring.v3.AlertPolicyService/GetAlertPolicy"),
    "budgets": ("get_budget", {"name": "billingAccounts/a/budgets/b"},
                "/google.cloud.billing.budgets.v1.BudgetService/GetBudget"),
    "orgpolicy": ("get_effective_policy", {"name": "projects/p/policies/run.allowedIngress"},
                  "/google.cloud.orgpolicy.v2.OrgPolicy/GetEffectivePolicy"),
    "dashboards": ("get_dashboard", {"name": "projects/p/dashboards/d"},
                   "/google.monitoring.dashboard.v1.DashboardsService/GetDashboard"),
    "log_metrics": ("get_log_metric", {"metric_name": "projects/p/metrics/m"},
                    "/google.logging.v2.MetricsServiceV2/GetLogMetric"),
    "log_sinks": ("get_sink", {"sink_name": "projects/p/sinks/s"},
                  "/google.logging.v2.ConfigServiceV2/GetSink"),
    "metrics": ("get_metric_descriptor", {"name": "projects/p/metricDescriptors/m"},
                "/google.monitoring.v3.MetricService/GetMetricDescriptor"),
    "quotas": ("get_quota_info", {"name": "projects/p/locations/global/services/s/quotaInfos/q"},
               "/google.api.cloudquotas.v1.CloudQuotas/GetQuotaInfo"),
    "publisher": ("get_topic", {"topic": "projects/p/topics/t"}, "/google.pubsub.v1.Publisher/GetTopic"),
    "subscriber": ("get_subscription", {"subscription": "projects/demo-project/subscriptions/s"},
                   "/google.pubsub.v1.Subscriber/GetSubscription"),
}  # fmt: skip

# The host of every client on Google Cloud; Cloud Build alone is asked in its region.
HOSTS = {
    **dict.fromkeys(("run", "revisions"), "run.googleapis.com"),
    **dict.fromkeys(("alerts", "dashboards", "metrics"), "monitoring.googleapis.com"),
    **dict.fromkeys(("logging", "log_metrics", "log_sinks"), "logging.googleapis.com"),
    **dict.fromkeys(("publisher", "subscriber"), "pubsub.googleapis.com"),
    "workflows": "workflows.googleapis.com",
    "executions": "workflowexecutions.googleapis.com",
    "eventarc": "eventarc.googleapis.com",
    "builds": "europe-west4-cloudbuild.googleapis.com",
    "registry": "artifactregistry.googleapis.com",
    "services": "serviceusage.googleapis.com",
    "projects": "cloudresourcemanager.googleapis.com",
    "iam": "iam.googleapis.com",
    "credentials": "iamcredentials.googleapis.com",
    "billing": "cloudbilling.googleapis.com",
    "budgets": "billingbudgets.googleapis.com",
    "orgpolicy": "orgpolicy.googleapis.com",
    "quotas": "cloudquotas.googleapis.com",
}


def test_these_tables_name_every_client() -> None:
    assert set(CALLS) == set(CLIENTS) == set(HOSTS)


class Recorder(grpc.GenericRpcHandler):  # type: ignore[type-arg]  # generic in the stubs only
    """A server that gives accounts' tokens and nothing else; remembers path and metadata of calls."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, str | bytes]]] = []
        self.asked: list[iam.GenerateAccessTokenRequest] = []

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        metadata = dict(handler_call_details.invocation_metadata)
        self.calls.append((handler_call_details.method, metadata))
        if handler_call_details.method != TOKENS:
            return None
        return grpc.unary_unary_rpc_method_handler(
            self._token,
            request_deserializer=iam.GenerateAccessTokenRequest.deserialize,
            response_serializer=iam.GenerateAccessTokenResponse.serialize,
        )

    def _token(
        self, request: iam.GenerateAccessTokenRequest, context: grpc.ServicerContext
    ) -> iam.GenerateAccessTokenResponse:
        self.asked.append(request)
        if EMAIL not in request.name:
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "you may not")
        return iam.GenerateAccessTokenResponse(access_token="accounts-token")


@pytest.fixture
def daemon(token_file: Path) -> Iterator[tuple[Recorder, Endpoint]]:
    """A gRPC server on a loopback port, and its address."""
    recorder = Recorder()
    server = grpc.server(ThreadPoolExecutor(2), handlers=[recorder])
    port = server.add_secure_port(
        "127.0.0.1:0", grpc.local_server_credentials(grpc.LocalConnectionType.LOCAL_TCP)
    )
    server.start()
    yield recorder, Endpoint(f"127.0.0.1:{port}", "http://127.0.0.1:9", token_file)
    server.stop(grace=None).wait()


@pytest.mark.parametrize("account", [None, EMAIL])
@pytest.mark.parametrize("api", sorted(CLIENTS))
def test_a_local_client_calls_the_daemon_with_a_token_of_the_daemon(
    api: str, account: str | None, daemon: tuple[Recorder, Endpoint], no_credentials: Path
) -> None:
    recorder, address = daemon
    method, request, path = CALLS[api]
    client = LocalClients(address, "gpupipe-local", impersonate=account).client(api)
    with pytest.raises(MethodNotImplemented):
        getattr(client, method)(request=request, retry=None, timeout=10)
    called, metadata = recorder.calls[-1]
    assert called == path
    assert metadata["authorization"] == f"Bearer {'accounts-token' if account else TOKEN}"
    assert "x-goog-user-project" not in metadata
    assert len(recorder.calls) == (2 if account else 1)


def test_a_local_account_acts_through_one_token_that_the_operator_asked_for(
    daemon: tuple[Recorder, Endpoint], no_credentials: Path
) -> None:
    recorder, address = daemon
    clients = LocalClients(address, "gpupipe-local", impersonate=EMAIL)
    storage = clients.storage()
    wire = wired(storage._http)
    assert list(storage.list_blobs("some-bucket", retry=None)) == []
    session, _ = clients.session("serviceusage")
    assert wire.requests[0].headers["authorization"] == "Bearer accounts-token"
    assert session.headers["Authorization"] == "Bearer accounts-token"
    [(called, metadata)] = recorder.calls
    assert called == TOKENS
    assert metadata["authorization"] == f"Bearer {TOKEN}"
    [asked] = recorder.asked
    assert asked.name == f"projects/-/serviceAccounts/{EMAIL}"
    assert list(asked.scope) == [SCOPE]


def test_a_local_account_that_one_may_not_act_as_is_refused(
    daemon: tuple[Recorder, Endpoint], no_credentials: Path
) -> None:
    clients = LocalClients(daemon[1], "gpupipe-local", impersonate="other@x.iam")
    with pytest.raises(CredentialsError, match="other@x") as caught:
        clients.client("run")
    assert caught.value.exit is Exit.CREDENTIALS
    assert "you may not" in (caught.value.details or "")
    assert "roles/iam.serviceAccountTokenCreator" in caught.value.resolution


def test_the_default_credentials_of_these_tests_cannot_be_read(no_credentials: Path) -> None:
    """Else the tests of the local clients would prove nothing."""
    with pytest.raises(DefaultCredentialsError):
        google.auth.default()


class Wire(requests.adapters.BaseAdapter):
    """Answers every HTTP request with 200 {} and remembers it."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[requests.PreparedRequest] = []

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        self.requests.append(request)
        response = requests.Response()
        response.status_code, response.request, response.url = 200, request, request.url or ""
        response.headers["Content-Type"] = "application/json"
        response._content = b'{"items": []}'
        return response

    def close(self) -> None:
        """Nothing to close."""


def wired(session: requests.Session) -> Wire:
    """Put a Wire under every address of a session."""
    wire = Wire()
    session.mount("http://", wire)
    session.mount("https://", wire)
    return wire


@pytest.fixture
def local(token_file: Path) -> LocalClients:
    return LocalClients(Endpoint("127.0.0.1:9", "http://127.0.0.1:8", token_file), "gpupipe-local")


def test_local_storage_talks_to_the_daemon_with_its_token(
    local: LocalClients, no_credentials: Path
) -> None:
    client = local.storage()
    wire = wired(client._http)
    assert list(client.list_blobs("some-bucket", retry=None)) == []
    [request] = wire.requests
    assert (request.url or "").startswith("http://127.0.0.1:8/storage/v1/b/some-bucket/o")
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert client.project == "gpupipe-local"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("STORAGE_EMULATOR_HOST", "http://198.51.100.7:1"),
        ("PUBSUB_EMULATOR_HOST", "198.51.100.7:1"),
        ("GOOGLE_CLOUD_PROJECT", "somebody-elses"),
        ("GOOGLE_CLOUD_QUOTA_PROJECT", "somebody-elses"),
        ("GOOGLE_CLOUD_UNIVERSE_DOMAIN", "example.com"),
        ("GOOGLE_API_USE_MTLS_ENDPOINT", "always"),
        ("HTTP_PROXY", "http://198.51.100.7:1"),
    ],
)
def test_no_variable_diverts_local_storage(
    local: LocalClients, no_credentials: Path, monkeypatch: pytest.MonkeyPatch,
    variable: str, value: str,
) -> None:  # fmt: skip
    monkeypatch.setenv(variable, value)
    client = local.storage()
    wire = wired(client._http)
    assert list(client.list_blobs("some-bucket", retry=None)) == []
    [request] = wire.requests
    assert (request.url or "").startswith("http://127.0.0.1:8/")
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert "x-goog-user-project" not in request.headers
    assert not client._http.trust_env


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PUBSUB_EMULATOR_HOST", "127.0.0.1:1"),
        ("GOOGLE_CLOUD_QUOTA_PROJECT", "somebody-elses"),
        ("GOOGLE_CLOUD_UNIVERSE_DOMAIN", "example.com"),
        ("GOOGLE_API_USE_MTLS_ENDPOINT", "always"),
        ("http_proxy", "http://127.0.0.1:1"),
        ("https_proxy", "http://127.0.0.1:1"),
    ],
)
def test_no_variable_diverts_a_local_call(
    daemon: tuple[Recorder, Endpoint], no_credentials: Path, monkeypatch: pytest.MonkeyPatch,
    variable: str, value: str,
) -> None:  # fmt: skip
    monkeypatch.setenv(variable, value)
    recorder, address = daemon
    clients = LocalClients(address, "gpupipe-local")
    for api in ("publisher", "run"):
        method, request, _ = CALLS[api]
        with pytest.raises(MethodNotImplemented):
            getattr(clients.client(api), method)(request=request, retry=None, timeout=10)
    assert [path for path, _ in recorder.calls] == [CALLS["publisher"][2], CALLS["run"][2]]


def test_a_local_session_carries_the_token_and_ignores_the_environment(
    local: LocalClients, no_credentials: Path
) -> None:
    session, before = local.session("serviceusage")
    wire = wired(session)
    session.get(f"{before}/v1beta1/projects/p/services", timeout=1)
    assert before == "http://127.0.0.1:8"
    assert wire.requests[0].headers["Authorization"] == f"Bearer {TOKEN}"
    assert not session.trust_env


def test_a_local_client_is_made_once_and_all_share_one_channel(
    daemon: tuple[Recorder, Endpoint],
) -> None:
    clients = LocalClients(daemon[1], "gpupipe-local")
    assert clients.client("run") is clients.client("run")
    assert clients.storage() is clients.storage()
    channels = {clients._one_channel() for _ in range(3)}
    assert len(channels) == 1


def test_a_local_token_is_read_when_the_first_call_is_made(tmp_path: Path) -> None:
    late = tmp_path / "late"
    clients = LocalClients(Endpoint("127.0.0.1:9", "http://127.0.0.1:8", late), "gpupipe-local")
    late.write_text("another-token", encoding="ascii")
    assert clients.session("serviceusage")[0].headers["Authorization"] == "Bearer another-token"


class Signed(CredentialsWithQuotaProject):
    """Google credentials of nobody."""

    def __init__(
        self, quota_project: str | None = None, refreshes: list[str] | None = None
    ) -> None:
        super().__init__()
        self._quota_project_id = quota_project
        self.refreshes = [] if refreshes is None else refreshes

    def _perform_refresh_token(self, request: Any) -> None:
        self.refreshes.append(self._quota_project_id or "")
        self.token = "google-token"

    refresh = _perform_refresh_token

    def with_quota_project(self, quota_project_id: str) -> "Signed":
        """Like that of a machine's credentials: the copy has no token."""
        return type(self)(quota_project_id, self.refreshes)


class IamCredentials:
    """What carries token requests: gives an account's token, and remembers what it was sent."""

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.requests: list[tuple[str, dict[str, str], dict[str, Any]]] = []

    def __call__(
        self, url: str, method: str, headers: dict[str, str], body: bytes, **_: Any
    ) -> SimpleNamespace:
        self.requests.append((url, headers, json.loads(body)))
        expires = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        answer = {"accessToken": "accounts-token", "expireTime": expires}
        data = json.dumps(answer if self.status == 200 else {"error": "no SECRET"})
        return SimpleNamespace(status=self.status, data=data.encode(), headers={})


def signed_in(account: str | None, request: IamCredentials | None = None) -> GoogleClients:
    return GoogleClients(
        "demo-project",
        "europe-west4",
        impersonate=account,
        credentials=Signed(),
        request=request or IamCredentials(),
    )


def header(client: Any, name: str) -> str | None:
    """A header that the credentials of a gRPC client put on every call."""
    headers: dict[str, str] = {}
    client.transport._credentials.apply(headers)
    return headers.get(name)


@pytest.mark.promise(118, 121)
@pytest.mark.parametrize("account", [None, EMAIL])
@pytest.mark.parametrize("api", sorted(CLIENTS))
@pytest.mark.parametrize("diversion", [None, "GOOGLE_API_USE_MTLS_ENDPOINT"])
def test_a_google_client_talks_to_googles_endpoint_and_charges_the_project(
    api: str, diversion: str | None, account: str | None, no_credentials: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    if diversion:
        monkeypatch.setenv(diversion, "always")
    clients = signed_in(account)
    client = clients.client(api)
    assert client.api_endpoint == HOSTS[api]
    assert client.transport.host == f"{HOSTS[api]}:443"
    assert client.transport.kind == "grpc"
    assert client.universe_domain == "googleapis.com"
    token = "accounts-token" if account else "google-token"
    assert header(client, "authorization") == f"Bearer {token}"
    assert header(client, "x-goog-user-project") == "demo-project"
    assert clients.client(api) is client


def test_an_account_of_google_acts_through_a_token_that_ones_own_credentials_asked_for(
    no_credentials: Path,
) -> None:
    iam = IamCredentials()
    signed_in(EMAIL, iam)
    [(url, headers, body)] = iam.requests
    path = f"/v1/projects/-/serviceAccounts/{EMAIL}:generateAccessToken"
    assert url == f"https://iamcredentials.googleapis.com{path}"
    assert headers["authorization"] == "Bearer google-token"
    assert body["scope"] == [SCOPE]


def test_an_account_of_google_that_one_may_not_act_as_is_refused(no_credentials: Path) -> None:
    with pytest.raises(CredentialsError, match=EMAIL) as caught:
        signed_in(EMAIL, IamCredentials(status=403))
    error = caught.value
    assert error.exit is Exit.CREDENTIALS
    assert "roles/iam.serviceAccountTokenCreator" in error.resolution
    assert "SECRET" not in f"{error.brief}{error.details}{error.resolution}"


@pytest.mark.promise(118, 121)
@pytest.mark.parametrize("account", [None, EMAIL])
@pytest.mark.parametrize("diversion", [None, "STORAGE_MTLS", "API_ENDPOINT_OVERRIDE"])
def test_google_storage_talks_to_google_and_charges_the_project(
    no_credentials: Path,
    monkeypatch: pytest.MonkeyPatch,
    diversion: str | None,
    account: str | None,
) -> None:
    if diversion == "STORAGE_MTLS":
        monkeypatch.setenv("GOOGLE_API_USE_MTLS_ENDPOINT", "always")
    elif diversion:
        monkeypatch.setenv(diversion, "http://198.51.100.7:1")
    client = signed_in(account).storage()
    wire = wired(client._http)
    assert list(client.list_blobs("some-bucket", retry=None)) == []
    [request] = wire.requests
    url = "https://storage.googleapis.com/storage/v1/b/some-bucket/o?"
    assert (request.url or "").startswith(url)
    token = "accounts-token" if account else "google-token"
    assert request.headers["authorization"] == f"Bearer {token}"
    assert request.headers["x-goog-user-project"] == "demo-project"
    assert client.project == "demo-project"


@pytest.mark.promise(118, 121)
@pytest.mark.parametrize("account", [None, EMAIL])
def test_a_google_session_signs_in_and_charges_the_project(
    account: str | None, no_credentials: Path
) -> None:
    session, before = signed_in(account).session("serviceusage")
    wire = wired(session)
    session.get(f"{before}/v1beta1/projects/p/services", timeout=1)
    assert before == "https://serviceusage.googleapis.com"
    token = "accounts-token" if account else "google-token"
    assert wire.requests[0].headers["authorization"] == f"Bearer {token}"
    assert wire.requests[0].headers["x-goog-user-project"] == "demo-project"


def test_google_credentials_are_refreshed_when_the_clients_are_made() -> None:
    signed = Signed()
    GoogleClients("demo-project", "europe-west4", credentials=signed)
    assert signed.refreshes == ["demo-project"]


class Expired(Signed):
    """Credentials that cannot be refreshed."""

    def refresh(self, request: Any) -> None:
        raise RefreshError("invalid_grant: Token has been expired or revoked. SECRET")


def test_credentials_that_cannot_be_refreshed_say_what_to_do() -> None:
    with pytest.raises(CredentialsError) as caught:
        GoogleClients("demo-project", "europe-west4", credentials=Expired())
    error = caught.value
    assert error.exit is Exit.CREDENTIALS
    assert "gcloud auth application-default login" in error.resolution
    assert error.doc == "reference/errors.md#credentials"
    assert "SECRET" not in f"{error.brief}{error.details}{error.resolution}"


def test_without_credentials_google_is_refused_and_local_is_offered(no_credentials: Path) -> None:
    with pytest.raises(CredentialsError) as caught:
        GoogleClients("demo-project", "europe-west4")
    assert caught.value.exit is Exit.CREDENTIALS
    assert "--local" in caught.value.resolution


@pytest.mark.parametrize(
    "variable", ["STORAGE_EMULATOR_HOST", "PUBSUB_EMULATOR_HOST", "ANYTHING_EMULATOR_HOST"]
)
def test_google_clients_are_not_made_while_an_emulator_is_set(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "127.0.0.1:1")
    signed = Signed()
    with pytest.raises(UsageError, match=variable) as caught:
        GoogleClients("demo-project", "europe-west4", credentials=signed)
    assert f"unset {variable}" in caught.value.resolution
    assert signed.refreshes == []
