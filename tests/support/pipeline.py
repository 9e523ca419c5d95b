"""The whole pipeline in the test's own process: the engine against a local cloud, on a fast clock.

`quick_pipeline` is one for all tests, deployed as an account with exactly the documented roles; the
last test of `test_operator_roles` destroys it. Images come from Cloud Build as always, but from
Dockerfiles that install nothing: the services run with the packages of the test's own environment.
So a deploy takes seconds.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import onnxruntime
import pytest

from gpupipe.cloud.call import Caller
from gpupipe.cloud.clients import LocalClients
from gpupipe.cloud.cloud import Cloud, connect
from gpupipe.cloud.permissions import ROLES
from gpupipe.cloud.target import Endpoint
from gpupipe.core.assets import SourceFile, build_context
from gpupipe.core.config import Config, load
from gpupipe.core.flags import Flags
from gpupipe.deploy.engine import Deployed, Engine
from gpupipe.deploy.events import Event
from gpupipe.deploy.spec import PipelineSpec
from gpupipe.deploy.step import Choices, Step
from gpupipe.deploy.steps import STEPS
from gpupipe.deploy.steps.images import Image
from gpupipe.localcloud.kernel.caller import OPERATOR
from tests.support.localcloud import RunningCloud, start_cloud

_PACKAGES = Path(onnxruntime.__file__).parents[1]
_DOCKERFILE = """FROM python:3.11-slim-bookworm
ENV PYTHONPATH={packages}
ENV PYTHONUNBUFFERED=1
ENV DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA=true
WORKDIR /app
COPY common/ common/
COPY {folder}/ {folder}/
CMD ["python", "-m", "{folder}"]
"""


class FastClock:
    """Runs so many times as fast as the machine's, for waiting and for telling the time."""

    def __init__(self, factor: float = 20.0) -> None:
        self._factor = factor
        self._began = time.monotonic()
        self._start = datetime.now(UTC)
        self._never = threading.Event()

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return (time.monotonic() - self._began) * self._factor

    def sleep(self, seconds: float) -> None:
        self._never.wait(seconds / self._factor)


@dataclass(frozen=True, slots=True)
class QuickImage(Image):
    """The image of a service, built in no time."""

    def _files(self) -> Sequence[SourceFile]:
        return quick_context(self.service)


def quick_context(service: str) -> list[SourceFile]:
    """The service's files with a Dockerfile that installs nothing."""
    folder = service.replace("-", "_")
    text = _DOCKERFILE.format(packages=_PACKAGES, folder=folder)
    return [
        replace(file, data=text.encode()) if file.path == f"{folder}/Dockerfile" else file
        for file in build_context(service)
    ]


QUICK_STEPS: tuple[Step, ...] = tuple(
    QuickImage(step.service) if isinstance(step, Image) else step for step in STEPS
)


@dataclass
class Deployer:
    """Deploys as the operator, or as an account of the project."""

    cloud: RunningCloud
    clock: FastClock
    project: str
    account: str | None = None
    hurry: float = 0.3
    steps: tuple[Step, ...] = QUICK_STEPS
    parallelism: int = 8
    prefix: str | None = None
    region: str | None = None
    file: Path | None = None
    allow_replace: bool = False
    choices: Choices = Choices()  # noqa: RUF009  # frozen

    @property
    def spec(self) -> PipelineSpec:
        flags = Flags(
            local=True,
            project=self.project,
            region=self.region,
            prefix=self.prefix,
            config=self.file,
        )
        config: Config = load(flags, {}, self.cloud.home)
        return PipelineSpec(config.names(self.project), config)

    def connect(self, caller: Caller | None = None) -> Cloud:
        """The client side, over the wire."""
        address = Endpoint(self.cloud.grpc, self.cloud.http, self.cloud.kernel.settings.token)
        clients = LocalClients(address, self.project, impersonate=self.account)
        return connect(clients, caller or Caller(self.clock, hurry=self.hurry))

    def engine(self, caller: Caller | None = None) -> Engine:
        return Engine(
            self.connect(caller),
            self.spec,
            self.clock,
            steps=self.steps,
            parallelism=self.parallelism,
            allow_replace=self.allow_replace,
            choices=self.choices,
        )

    def deploy(
        self,
        *,
        canary: bool = True,
        report: Callable[[Event], None] = lambda _: None,
        caller: Caller | None = None,
    ) -> Deployed:
        """Plan and deploy."""
        engine = self.engine(caller)
        return engine.deploy(
            engine.plan(), lambda _: nullcontext(report), send_canary=canary, verify=False
        )


PROJECT = "quick-project"
ACCOUNT = f"deployer@{PROJECT}.iam.gserviceaccount.com"


@dataclass(frozen=True)
class QuickPipeline:
    """A deployed pipeline: `deployer` works as the account, `operator` as the owner."""

    deployer: Deployer
    operator: Deployer
    deployed: Deployed

    @property
    def cloud(self) -> RunningCloud:
        return self.deployer.cloud

    @property
    def clock(self) -> FastClock:
        return self.deployer.clock

    @property
    def spec(self) -> PipelineSpec:
        return self.deployer.spec


@pytest.fixture(scope="session")
def quick_pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[QuickPipeline]:
    """Deployed once, with its canary."""
    clock = FastClock()
    running = start_cloud(tmp_path_factory.mktemp("quick") / "cloud", clock=clock)
    kernel, project = running.kernel, running.kernel.projects.ensure(PROJECT)
    account = kernel.identity.create_account(PROJECT, "deployer")
    kernel.policies.grant(account.name, "roles/iam.serviceAccountTokenCreator", OPERATOR.member)
    running.enable("iamcredentials.googleapis.com", project=PROJECT)
    for role in ROLES:
        if role.needed:
            kernel.policies.grant(project.name, role.name, f"serviceAccount:{ACCOUNT}")
    deployer = Deployer(running, clock, PROJECT, account=ACCOUNT)
    try:
        yield QuickPipeline(deployer, Deployer(running, clock, PROJECT), deployer.deploy())
    finally:
        running.stop()
