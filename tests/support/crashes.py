"""Clients that end in the middle of a deploy or destroy, and the small pipeline they work on.

Its images hold a server that answers every request, so that a deploy takes a second or two.
"""

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

from gpupipe.cloud.call import Caller, Cause
from gpupipe.cloud.cloud import Cloud
from gpupipe.core.assets import SourceFile
from gpupipe.deploy import destroy
from gpupipe.deploy.executor import Outcome
from gpupipe.deploy.facts import Facts
from gpupipe.deploy.given_buckets import remembered
from gpupipe.deploy.lease import LIFE_S
from gpupipe.deploy.lease import NAME as LEASE
from gpupipe.deploy.leftovers import Leftover
from gpupipe.deploy.step import Step, World
from gpupipe.deploy.steps import STEPS
from gpupipe.deploy.steps.images import Image
from gpupipe.localcloud.errors import ServiceError
from gpupipe.localcloud.kernel.faults import Fault, Kind
from tests.support.localcloud import RunningCloud
from tests.support.pipeline import Deployer, FastClock, QuickImage

T = TypeVar("T")
Point = tuple[str, str]
HURRY = 0.02
IN_FLIGHT_S = 60.0
_DOCKERFILE = b"""FROM python:3.11-slim-bookworm
WORKDIR /app
COPY server.py server.py
CMD ["python", "-I", "-S", "server.py"]
"""
_SERVER = b"""import os
import socket

with socket.create_server((os.environ["HOST"], int(os.environ["PORT"]))) as server:
    while True:
        connection, _ = server.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\nConnection: close\\r\\n\\r\\n")
"""


@dataclass(frozen=True, slots=True)
class TinyImage(QuickImage):
    """The image of a service that is ready at once and does nothing."""

    def _files(self) -> Sequence[SourceFile]:
        folder = self.service.replace("-", "_")
        return [SourceFile(f"{folder}/Dockerfile", _DOCKERFILE), SourceFile("server.py", _SERVER)]


TINY_STEPS: tuple[Step, ...] = tuple(
    TinyImage(step.service) if isinstance(step, Image) else step for step in STEPS
)
NOTHING_KEPT: frozenset[str] = frozenset()


class Killed(BaseException):
    """The process of the client has ended: nobody catches this, and nothing is cleaned up."""


class Moment(StrEnum):
    """When a client dies, seen from a write.

    A call is done or is not: its middle is that of the operation that it begins.
    """

    BEFORE = "before"
    DURING = "during"
    AFTER = "after"


@dataclass
class Deaths:
    """Where clients have died: what the call was for, and on what. Each point is died at once.

    writing: the method of each point that writes, for the moments that come before it is known.
    """

    moment: Moment = Moment.AFTER
    writing: Mapping[Point, str] = field(default_factory=dict)
    points: list[Point] = field(default_factory=list)


@dataclass(slots=True)
class MortalCaller(Caller):
    """Calls as every other, until it meets a write where nobody died before.

    The caller never hears the answer, and from then on nothing goes out of it. Without `deaths` it
    lives. writing: the method of each point that wrote, where one call is made at a time.
    """

    cloud: RunningCloud | None = None
    project: str = ""
    deaths: Deaths | None = None
    writing: dict[Point, str] = field(default_factory=dict)
    is_dead: bool = False

    def call(
        self,
        what: str,
        resource: str,
        attempt: Callable[[], T],
        *,
        idempotent: bool = True,
        causes: tuple[Cause, ...] = (),
        api: str = "",
    ) -> T:
        """As in `Caller`; raises Killed."""
        if self.is_dead:
            raise Killed
        point = (what, self._place(resource))
        deaths = self.deaths if self.deaths and point not in self.deaths.points else None
        if deaths and deaths.moment is Moment.BEFORE and point in deaths.writing:
            self._die(deaths, point)
        if deaths and deaths.moment is Moment.DURING and not self._slows_down(deaths, point):
            deaths = None
        assert self.cloud is not None
        log = self.cloud.cloud.pipeline.log
        before = log.latest()
        answer = Caller.call(
            self, what, resource, attempt, idempotent=idempotent, causes=causes, api=api
        )
        for row in log.since(before):
            if row.writes:
                self.writing[point] = row.method
        if deaths and deaths.moment is not Moment.BEFORE and point in self.writing:
            self._die(deaths, point)
        return answer

    def _slows_down(self, deaths: Deaths, point: Point) -> bool:
        """Let the operation that a point begins take long; False where it begins none."""
        assert self.cloud is not None
        faults = self.cloud.kernel.faults
        fault = Fault(deaths.writing.get(point, ""), Kind.SLOW, seconds=IN_FLIGHT_S)
        try:
            faults.check(fault)
        except ServiceError:
            return False
        faults.inject(fault)
        return True

    def _die(self, deaths: Deaths, point: Point) -> None:
        deaths.points.append(point)
        self.is_dead = True
        raise Killed

    def _place(self, resource: str) -> str:
        """The same in every project, and for names that are made up anew for each run."""
        place = resource.replace(self.project, "PROJECT")
        return place.partition("/clock/")[0].partition("/history/")[0]


def bury(deployer: Deployer) -> None:
    """Let the lease say of its holder what is true: the process of this client has ended.

    The holder was a part of this process, which lives.
    """
    storage = deployer.cloud.storage_client(project=deployer.project)
    bucket = storage.bucket(deployer.spec.names.bucket("staging"))
    lease = bucket.get_blob(LEASE) if bucket.exists() else None
    if lease is not None:
        content = json.loads(lease.download_as_bytes())
        content["process"]["started"] -= 1
        lease.upload_from_string(json.dumps(content))


def wait_out_lease(cloud: RunningCloud) -> None:
    """Only time ends what was held by another machine's client."""
    cloud.control("POST", "clock", {"seconds": LIFE_S + 1})


def tiny_deployer(cloud: RunningCloud, project: str, **more: Any) -> Deployer:
    """Works on a project of its own."""
    return Deployer(cloud, FastClock(), project, **{"steps": TINY_STEPS, "hurry": HURRY, **more})


def mortal(deployer: Deployer, deaths: Deaths | None = None) -> MortalCaller:
    """The caller of a client that dies where `deaths` says."""
    return MortalCaller(
        deployer.clock,
        hurry=deployer.hurry,
        cloud=deployer.cloud,
        project=deployer.project,
        deaths=deaths,
    )


def destroy_all(
    deployer: Deployer, cloud: Cloud, *, force: bool = False
) -> tuple[Outcome, tuple[Leftover, ...]]:
    """Destroy by names alone and take the inventory."""
    world = remembered(World(cloud, deployer.spec, Facts()))
    removal = destroy.plan_removal(world, keep=NOTHING_KEPT, parallelism=deployer.parallelism)

    def remove(removal: destroy.Removal) -> Outcome:
        return destroy.remove(
            world,
            removal,
            lambda _: nullcontext(lambda _: None),
            clock=deployer.clock,
            parallelism=deployer.parallelism,
            cancel=threading.Event(),
            force=force,
        )

    outcome = remove(removal)
    return outcome, destroy.prove(
        world, removal, outcome, remove, keep=NOTHING_KEPT, parallelism=deployer.parallelism
    )
