"""A local cloud in the test's own process, over real loopback, with official clients at hand.

Fixtures: `local_cloud` (one per test), `module_cloud` (one per module; use projects of your own
names when state must not mix). `local_cloud_factory` builds one over a given folder.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import grpc
import httpx
import pytest
from google.cloud import storage
from google.oauth2.credentials import Credentials
from grpc import Channel

from gpupipe.core.clock import Clock, SystemClock
from gpupipe.localcloud.cloud import LocalCloud
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.kernel.topics import Topic
from gpupipe.localcloud.registry import SERVICES, Factory
from gpupipe.localcloud.settings import Settings

T = TypeVar("T")
_PATIENCE_S = 600.0
_CHANNEL_OPTIONS = (
    ("grpc.enable_http_proxy", 0),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 500),
)


@dataclass
class RunningCloud:
    """A started local cloud as a client sees it; `kernel` looks behind the wire."""

    cloud: LocalCloud
    home: Path
    stop_asked: threading.Event = field(default_factory=threading.Event)
    _open: ExitStack = field(default_factory=ExitStack)

    @property
    def kernel(self) -> Kernel:
        return self.cloud.kernel

    @property
    def project(self) -> str:
        """The id of the project that it starts with."""
        return self.cloud.project.id

    @property
    def project_number(self) -> int:
        return self.cloud.project.number

    @property
    def token(self) -> str:
        """The operator's token."""
        return self.kernel.identity.operator_token

    @property
    def http(self) -> str:
        """ "http://127.0.0.1:PORT"."""
        return self.cloud.http

    @property
    def grpc(self) -> str:
        """ "127.0.0.1:PORT"."""
        return self.cloud.grpc

    def grpc_channel(self, token: str | None = None) -> Channel:
        """A channel with a bearer token (the operator's by default); '' sends none."""
        if token == "":
            channel = grpc.insecure_channel(self.grpc, options=_CHANNEL_OPTIONS)
        else:
            credentials = grpc.composite_channel_credentials(
                grpc.local_channel_credentials(grpc.LocalConnectionType.LOCAL_TCP),
                grpc.access_token_call_credentials(token or self.token),
            )
            channel = grpc.secure_channel(self.grpc, credentials, options=_CHANNEL_OPTIONS)
        self._open.callback(channel.close)
        return channel

    def client(self, kind: type[T], token: str | None = None) -> T:
        """An official gRPC client: `cloud.client(run_v2.ServicesClient)`."""
        made: Any = kind  # the clients share no base class that says how they are made
        transport = made.get_transport_class("grpc")(channel=self.grpc_channel(token))
        client: T = made(transport=transport)
        return client

    def storage_client(self, project: str | None = None, token: str | None = None) -> Any:
        """The official Storage client."""
        client = storage.Client(
            project=project or self.project,
            credentials=Credentials(token or self.token),
            client_options={"api_endpoint": self.http},
        )
        client._http.trust_env = False
        self._open.callback(client.close)
        return client

    def http_client(self, token: str | None = None) -> httpx.Client:
        """A plain HTTP client with a bearer token (the operator's by default); '' sends none."""
        headers = {} if token == "" else {"authorization": f"Bearer {token or self.token}"}
        client = httpx.Client(base_url=self.http, headers=headers, trust_env=False)
        self._open.callback(client.close)
        return client

    def enable(self, *apis: str, project: str | None = None) -> None:
        """Enable APIs ("run.googleapis.com") behind the wire."""
        for api in apis:
            self.kernel.projects.set_enabled(project or self.project, api, enabled=True)

    def topic(self, name: str, project: str | None = None) -> str:
        """A topic that Cloud Storage of the first project may publish to; its full name."""
        owner = project or self.project
        self.kernel.projects.ensure(owner)
        agent = self.kernel.agents.create("storage.googleapis.com", self.project)
        role, member = "roles/pubsub.publisher", f"serviceAccount:{agent}"
        self.kernel.policies.grant(f"projects/{owner}", role, member)
        full = f"projects/{owner}/topics/{name}"
        self.kernel.topics.put_topic(Topic(name=full))
        return full

    def account_token(self, account_id: str, project: str | None = None) -> str:
        """An access token of a (new) service account of a project."""
        identity, owner = self.kernel.identity, project or self.project
        email = f"{account_id}@{owner}.iam.gserviceaccount.com"
        if identity.account(email) is None:
            identity.create_account(owner, account_id)
        return identity.access_token(email)[0]

    def requests(self, since: int = 0) -> list[dict[str, Any]]:
        """The request log, over the control surface."""
        with httpx.Client(trust_env=False) as client:
            answer = client.get(
                f"{self.http}/control/requests",
                params={"since": since},
                headers={"authorization": f"Bearer {self.token}"},
            )
        rows: list[dict[str, Any]] = answer.raise_for_status().json()["requests"]
        return rows

    def inject(self, method: str, code: str, times: int = 1, kind: str = "error") -> None:
        """Make the next calls of a method fail ("error": before the work, "lost": after it)."""
        self.control(
            "POST", "faults", {"kind": kind, "method": method, "code": code, "times": times}
        )

    def control(self, verb: str, name: str, body: Any = None) -> Any:
        """One call of the control surface; an error status raises."""
        with httpx.Client(trust_env=False, timeout=_PATIENCE_S) as client:
            answer = client.request(
                verb,
                f"{self.http}/control/{name}",
                json=body,
                headers={"authorization": f"Bearer {self.token}"},
            )
        return answer.raise_for_status().json()

    def stop(self) -> None:
        """Close the clients and stop the cloud."""
        self._open.close()
        self.cloud.stop()


CloudFactory = Callable[..., RunningCloud]


def start_cloud(
    home: Path, *, clock: Clock | None = None, services: Iterable[Factory] = SERVICES
) -> RunningCloud:
    """Start a local cloud over a folder; the caller stops it."""
    asked = threading.Event()
    cloud = LocalCloud(Settings(home), clock or SystemClock(), services=services, on_stop=asked.set)
    cloud.start()
    return RunningCloud(cloud, home, asked)


@pytest.fixture
def local_cloud_factory(tmp_path: Path) -> Iterator[CloudFactory]:
    """`local_cloud_factory(home=..., clock=..., services=...)`; all are stopped at the end."""
    with ExitStack() as stack:

        def build(home: Path | None = None, **options: Any) -> RunningCloud:
            running = start_cloud(home or tmp_path / "cloud", **options)
            stack.callback(running.stop)
            return running

        yield build


@pytest.fixture
def local_cloud(local_cloud_factory: CloudFactory) -> RunningCloud:
    """A fresh local cloud with all services."""
    return local_cloud_factory()


@pytest.fixture(scope="module")
def module_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    """A local cloud that the tests of a module share."""
    running = start_cloud(tmp_path_factory.mktemp("module-cloud") / "cloud")
    yield running
    running.stop()


@pytest.fixture(scope="session")
def session_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    """A local cloud that all tests share: only for tests that change nothing others see."""
    running = start_cloud(tmp_path_factory.mktemp("session-cloud") / "cloud")
    yield running
    running.stop()
