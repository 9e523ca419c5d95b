"""A small pipeline whose services refuse every file, so that a canary fails where one is sent."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from google.cloud import run_v2

from gpupipe.core.assets import SourceFile
from gpupipe.deploy.step import Step
from tests.support.crashes import TINY_STEPS, TinyImage
from tests.support.localcloud import RunningCloud, start_cloud
from tests.support.pipeline import Deployer, FastClock

_REFUSES = b"""import os
import socket

with socket.create_server((os.environ["HOST"], int(os.environ["PORT"]))) as server:
    while True:
        connection, _ = server.accept()
        with connection:
            asked = connection.recv(65536)
            status = b"200 OK" if asked.startswith(b"GET") else b"400 Bad Request"
            connection.sendall(b"HTTP/1.1 " + status + b"\\r\\nContent-Length: 0\\r\\nConnection: close\\r\\n\\r\\n")
"""


@dataclass(frozen=True, slots=True)
class RefusingImage(TinyImage):
    """Ready at once; every file is refused."""

    server: ClassVar[bytes] = _REFUSES

    def _files(self) -> Sequence[SourceFile]:
        dockerfile, _ = TinyImage._files(self)
        return [dockerfile, SourceFile("server.py", self.server)]


@dataclass(frozen=True, slots=True)
class BrokenImage(RefusingImage):
    """Its server ends at once."""

    server: ClassVar[bytes] = b"raise SystemExit('broken by this test')\n"


@dataclass(frozen=True, slots=True)
class LoudImage(RefusingImage):
    """Its build fails after sixty lines of log."""

    def _files(self) -> Sequence[SourceFile]:
        dockerfile, server = RefusingImage._files(self)
        script = b"print(*(f'line {n}' for n in range(60)), sep='\\n', flush=True); raise SystemExit(3)\n"
        run = b'\nCOPY fail.py fail.py\nRUN ["python", "fail.py"]\n'
        return [
            replace(dockerfile, data=dockerfile.data + run),
            server,
            SourceFile("fail.py", script),
        ]


def steps(kind: type[RefusingImage], *services: str) -> tuple[Step, ...]:
    """The table with images of this kind (of these services alone; of the others they refuse)."""
    return tuple(
        (kind if not services or step.service in services else RefusingImage)(step.service)
        if isinstance(step, TinyImage)
        else step
        for step in TINY_STEPS
    )


@contextmanager
def refusing_pipeline(folder: Path, project: str) -> Iterator[Deployer]:
    """Deployed, without a canary, in a cloud of its own."""
    clock = FastClock()
    cloud = start_cloud(folder / "cloud", clock=clock)
    deployer = Deployer(cloud, clock, project, steps=steps(RefusingImage))
    try:
        done = deployer.deploy(canary=False)
        assert not done.outcome.failed, done.outcome
        yield deployer
    finally:
        cloud.stop()


def latest(cloud: RunningCloud) -> int:
    return cloud.cloud.pipeline.log.latest()


def writes_since(cloud: RunningCloud, seq: int) -> list[str]:
    return [row.method for row in cloud.cloud.pipeline.log.since(seq, 100_000) if row.writes]


def service(pipeline: Deployer, name: str = "preprocess") -> Any:
    client = pipeline.cloud.client(run_v2.ServicesClient)
    return client.get_service(name=pipeline.spec.service_name(name))


def traffic(found: Any) -> list[tuple[str, int]]:
    """Revision and share, as the API tells of it; "" is the newest that is ready."""
    return [(one.revision, one.percent) for one in found.traffic_statuses]


def short(name: str) -> str:
    return name.rpartition("/")[2]
