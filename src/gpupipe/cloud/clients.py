"""Builds the official clients for a target: gRPC for every API but Storage, on both targets.

Google: Application Default Credentials, refreshed before anything else, and explicit endpoints.
Local: one loopback channel that carries the token of the daemon's 0600 file.

Google's modules are imported here, when a client is first asked for, under one lock: importing them
from several threads deadlocks. `gpupipe --help` imports none.
"""

import importlib
import os
import threading
from pathlib import Path
from typing import Any, Protocol

from gpupipe.cloud.call import Caller
from gpupipe.cloud.endpoints import endpoint, refuse_emulators
from gpupipe.cloud.errors import ApiError
from gpupipe.cloud.target import Endpoint
from gpupipe.core.clock import SystemClock
from gpupipe.core.errors import CredentialsError

_SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
_IMPORTS = threading.RLock()
_CONNECTIONS = 32
_LOCAL_OPTIONS = (
    # A proxy of the shell must not get loopback calls, and a restarted daemon is found at once.
    ("grpc.enable_http_proxy", 0),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 500),
)

# API -> (short name of its service, module, client class)
CLIENTS: dict[str, tuple[str, str, str]] = {
    "run": ("run", "google.cloud.run_v2", "ServicesClient"),
    "revisions": ("run", "google.cloud.run_v2", "RevisionsClient"),
    "workflows": ("workflows", "google.cloud.workflows_v1", "WorkflowsClient"),
    "executions": ("workflowexecutions", "google.cloud.workflows.executions_v1", "ExecutionsClient"),
    "eventarc": ("eventarc", "google.cloud.eventarc_v1", "EventarcClient"),
    "builds": ("cloudbuild", "google.cloud.devtools.cloudbuild_v1", "CloudBuildClient"),
    "registry": ("artifactregistry", "google.cloud.artifactregistry_v1", "ArtifactRegistryClient"),
    "services": ("serviceusage", "google.cloud.service_usage_v1", "ServiceUsageClient"),
    "projects": ("cloudresourcemanager", "google.cloud.resourcemanager_v3", "ProjectsClient"),
    "iam": ("iam", "google.cloud.iam_admin_v1", "IAMClient"),
    "credentials": ("iamcredentials", "google.cloud.iam_credentials_v1", "IAMCredentialsClient"),
    "logging": ("logging", "google.cloud.logging_v2.services.logging_service_v2",
                "LoggingServiceV2Client"),
    "billing": ("cloudbilling", "google.cloud.billing_v1", "CloudBillingClient"),
    "alerts": ("monitoring", "google.cloud.monitoring_v3", "AlertPolicyServiceClient"),
    "budgets": ("billingbudgets", "google.cloud.billing.budgets_v1", "BudgetServiceClient"),
    "orgpolicy": ("orgpolicy", "google.cloud.orgpolicy_v2", "OrgPolicyClient"),
    "dashboards": ("monitoring", "google.cloud.monitoring_dashboard_v1", "DashboardsServiceClient"),
    "log_metrics": ("logging", "google.cloud.logging_v2.services.metrics_service_v2",
                    "MetricsServiceV2Client"),
    "log_sinks": ("logging", "google.cloud.logging_v2.services.config_service_v2",
                  "ConfigServiceV2Client"),
    "metrics": ("monitoring", "google.cloud.monitoring_v3", "MetricServiceClient"),
    "quotas": ("cloudquotas", "google.cloud.cloudquotas_v1", "CloudQuotasClient"),
    "publisher": ("pubsub", "google.pubsub_v1", "PublisherClient"),
    "subscriber": ("pubsub", "google.pubsub_v1", "SubscriberClient"),
}  # fmt: skip


class Clients(Protocol):
    """What the facades get their clients from."""

    def client(self, api: str) -> Any:
        """The client of an API of `CLIENTS`; always the same one."""

    def storage(self) -> Any:
        """The Storage client."""

    def session(self, api: str) -> tuple[Any, str]:
        """An HTTP session that signs in, and the address of an API by the short name of its service."""

    def identity(self) -> str:
        """Who calls, as an e-mail where the credentials tell it; else what they are."""

    @property
    def console(self) -> str:
        """The address at which people see the cloud; "" of one that has none."""


def module(name: str) -> Any:
    """A Google module, imported under the one lock."""
    with _IMPORTS:
        return importlib.import_module(name)


def _storage_module() -> Any:
    """The Storage library, kept to the calls and the address that it is given."""
    # Else it reads each bucket it meets once more, in a thread of its own.
    os.environ["DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA"] = "true"
    # Else "always" sends calls to storage.mtls.googleapis.com, whatever endpoint was given.
    os.environ["GOOGLE_API_USE_MTLS_ENDPOINT"] = "never"
    return module("google.cloud.storage")


def _for_threads(session: Any) -> Any:
    """The session with room for a connection for each thread; what finds none is opened and thrown away."""
    adapter = module("requests.adapters").HTTPAdapter(pool_maxsize=_CONNECTIONS)
    for scheme in ("https://", "http://"):
        session.mount(scheme, adapter)
    return session


class _Cache:
    """Clients by API, each built once."""

    def __init__(self) -> None:
        self._clients: dict[str, Any] = {}
        self._guard = threading.RLock()

    def once(self, key: str, build: Any) -> Any:
        with self._guard:
            if key not in self._clients:
                self._clients[key] = build()
            return self._clients[key]


class LocalClients:
    """Clients of a local cloud, which act as its operator or as a service account of it."""

    def __init__(self, address: Endpoint, project: str, *, impersonate: str | None = None) -> None:
        self._address = address
        self._project = project
        self._cache = _Cache()
        self._impersonate = impersonate

    def client(self, api: str) -> Any:
        """The client of an API over the one loopback channel."""
        return self._cache.once(api, lambda: self._build(api))

    def storage(self) -> Any:
        """The Storage client, which speaks HTTP."""
        return self._cache.once("storage", self._build_storage)

    def session(self, api: str) -> tuple[Any, str]:  # noqa: ARG002  # one address for all
        """A session with the token, and the HTTP listener's address."""
        requests = module("requests")
        session = requests.Session()
        session.trust_env = False
        session.headers["Authorization"] = f"Bearer {self._token()}"
        return session, self._address.http

    @property
    def console(self) -> str:
        """None."""
        return ""

    def identity(self) -> str:
        """The account that is acted as, or the operator."""
        return self._impersonate or "the operator of the local cloud"

    def _build(self, api: str) -> Any:
        _, name, class_name = CLIENTS[api]
        kind = getattr(module(name), class_name)
        return kind(transport=kind.get_transport_class("grpc")(channel=self._one_channel()))

    def _one_channel(self) -> Any:
        return self._cache.once("channel", lambda: self._open(self._token()))

    def _open(self, token: str) -> Any:
        grpc = module("grpc")
        credentials = grpc.composite_channel_credentials(
            grpc.local_channel_credentials(grpc.LocalConnectionType.LOCAL_TCP),
            grpc.access_token_call_credentials(token),
        )
        return grpc.secure_channel(self._address.grpc, credentials, options=list(_LOCAL_OPTIONS))

    def _build_storage(self) -> Any:
        storage = _storage_module()
        http = module("google.auth.transport.requests").AuthorizedSession(self._static())
        # A proxy or a .netrc of the user must not get a hand in a loopback call.
        http.trust_env = False
        return storage.Client(
            project=self._project,
            credentials=self._static(),
            client_options={"api_endpoint": self._address.http},
            _http=_for_threads(http),
        )

    def _static(self) -> Any:
        return module("google.oauth2.credentials").Credentials(self._token())

    def _token(self) -> str:
        if self._impersonate is None:
            return self._operators_token()
        return str(self._cache.once("token", lambda: self._token_of(str(self._impersonate))))

    def _operators_token(self) -> str:
        return Path(self._address.token_file).read_text(encoding="ascii").strip()

    def _token_of(self, account: str) -> str:
        """An account's token from IAM Credentials, asked for once: it outlives a command."""
        kind = module("google.cloud.iam_credentials_v1").IAMCredentialsClient
        request = {"name": f"projects/-/serviceAccounts/{account}", "scope": _SCOPES}
        with self._open(self._operators_token()) as channel:
            client = kind(transport=kind.get_transport_class("grpc")(channel=channel))
            try:
                answer = Caller(SystemClock()).call(
                    "Asking for a token of the service account",
                    account,
                    lambda: client.generate_access_token(request=request, retry=None, timeout=30),
                )
            except ApiError as error:
                raise _may_not_act_as(account, error.refusal.message) from error
        return str(answer.access_token)


class GoogleClients:
    """Clients of Google Cloud. Credentials are found and refreshed when this is made."""

    def __init__(
        self,
        project: str,
        region: str,
        *,
        impersonate: str | None = None,
        credentials: Any = None,
        request: Any = None,
    ) -> None:
        """`credentials` and `request`, which carries the refresh of tokens, replace the machine's."""
        refuse_emulators()
        self._project = project
        self._region = region
        self._cache = _Cache()
        credentials = credentials or _application_default()
        if impersonate:
            credentials = module("google.auth.impersonated_credentials").Credentials(
                source_credentials=credentials,
                target_principal=impersonate,
                target_scopes=list(_SCOPES),
            )
        # Here and not by each client: that would work on a copy, which may have no token yet.
        self._credentials = credentials.with_quota_project(project)
        _refresh(self._credentials, request, impersonate)

    def client(self, api: str) -> Any:
        """The client of an API at its own endpoint."""
        return self._cache.once(api, lambda: self._build(api))

    def storage(self) -> Any:
        """The Storage client."""
        return self._cache.once("storage", self._build_storage)

    def session(self, api: str) -> tuple[Any, str]:
        """A session that signs in, and the API's address."""
        requests = module("google.auth.transport.requests")
        session = requests.AuthorizedSession(self._credentials)
        return session, f"https://{endpoint(api, self._region)}"

    @property
    def console(self) -> str:
        """Google's."""
        return "https://console.cloud.google.com"

    def identity(self) -> str:
        """The account of the credentials."""
        for name in ("service_account_email", "account"):
            if found := getattr(self._credentials, name, ""):
                return str(found)
        return "a user whom the credentials do not name"

    def _build(self, api: str) -> Any:
        service, name, class_name = CLIENTS[api]
        return getattr(module(name), class_name)(
            credentials=self._credentials, client_options=self._options(service)
        )

    def _build_storage(self) -> Any:
        storage = _storage_module()
        http = module("google.auth.transport.requests").AuthorizedSession(self._credentials)
        return storage.Client(
            project=self._project,
            credentials=self._credentials,
            client_options=self._options("storage", scheme="https://"),
            _http=_for_threads(http),
        )

    def _options(self, service: str, scheme: str = "") -> Any:
        options = module("google.api_core.client_options").ClientOptions
        return options(
            api_endpoint=scheme + endpoint(service, self._region),
            universe_domain="googleapis.com",
        )


def _application_default() -> Any:
    auth = module("google.auth")
    errors = module("google.auth.exceptions")
    try:
        credentials, _ = auth.default(scopes=list(_SCOPES))
    except errors.DefaultCredentialsError as error:
        raise CredentialsError(
            "There are no Google credentials on this machine.",
            resolution="Run: gcloud auth application-default login   (or try --local, which needs none)",
        ) from error
    return credentials


def _refresh(credentials: Any, request: Any, impersonate: str | None) -> None:
    """Over gRPC an expired credential looks like an outage; so it is refreshed first, once."""
    errors = module("google.auth.exceptions")
    request = request or module("google.auth.transport.requests").Request()
    try:
        credentials.refresh(request)
    except errors.GoogleAuthError as error:
        if impersonate:
            raise _may_not_act_as(impersonate, type(error).__name__) from error
        raise CredentialsError(
            "The Google credentials could not be refreshed.",
            details=type(error).__name__,
            resolution="Run: gcloud auth application-default login",
        ) from error


def _may_not_act_as(account: str, details: str) -> CredentialsError:
    return CredentialsError(
        f"There is no token of the service account {account}.",
        details=details,
        resolution="Check its name, your own credentials, that the IAM Credentials API is enabled, and "
        "that you have roles/iam.serviceAccountTokenCreator on it.",
    )
