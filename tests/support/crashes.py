"""Clients that end in the middle of a deploy or destroy, and the small pipeline they work on.

Its images hold a server that answers every request, so that a deploy takes a second or two.
"""

import threading
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from gpupipe.cloud.call import Caller, Cause
from gpupipe.cloud.cloud import Cloud
from gpupipe.core.assets import SourceFile, build_context
from gpupipe.deploy import destroy
from gpupipe.deploy.executor import Outcome
from gpupipe.deploy.facts import Facts
from gpupipe.deploy.lease import LIFE_S
from gpupipe.deploy.leftovers import Leftover
from gpupipe.deploy.step import Step, World
from gpupipe.deploy.steps import STEPS
from gpupipe.deploy.steps.images import Image
from tests.support.localcloud import RunningCloud
from tests.support.pipeline import Deployer, FastClock, QuickImage

T = TypeVar("T")
_DOCKERFILE = b"""FROM python:3.11-slim-bookworm
WORKDIR /app
COPY server.py server.py
CMD ["python", "server.py"]
"""
_SERVER = b"""import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Answers(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()


ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Answers).serve_forever()
"""


@dataclass(frozen=True, slots=True)
class TinyImage(QuickImage):
    """The image of a service that is ready at once and does nothing."""

    def _files(self) -> list[SourceFile]:
        one, *_ = build_context(self.service)
        folder = self.service.replace("-", "_")
        return [
            replace(one, path=f"{folder}/Dockerfile", data=_DOCKERFILE),
            replace(one, path="server.py", data=_SERVER),
        ]


TINY_STEPS: tuple[Step, ...] = tuple(
    TinyImage(step.service) if isinstance(step, Image) else step for step in STEPS
)
NOTHING_KEPT: frozenset[str] = frozenset()


class Killed(BaseException):
    """The process of the client has ended: nobody catches this, and nothing is cleaned up."""


@dataclass
class Deaths:
    """Where clients have died: what the call was for, and on what. Each point is died at once."""

    points: list[tuple[str, str]] = field(default_factory=list)


@dataclass(slots=True)
class MortalCaller(Caller):
    """Calls as every other, until a write has been done at a point where nobody died before.

    The caller never hears the answer, and from then on nothing goes out of it.
    """

    cloud: RunningCloud | None = None
    deaths: Deaths = field(default_factory=Deaths)
    is_dead: bool = False

    def call(
        self,
        what: str,
        resource: str,
        attempt: Callable[[], T],
        *,
        idempotent: bool = True,
        causes: tuple[Cause, ...] = (),
    ) -> T:
        """As in `Caller`; raises Killed."""
        if self.is_dead:
            raise Killed
        assert self.cloud is not None
        log = self.cloud.cloud.pipeline.log
        before = log.latest()
        answer = Caller.call(self, what, resource, attempt, idempotent=idempotent, causes=causes)
        point = (what, _place(resource))
        wrote = any(row.writes for row in log.since(before))
        if wrote and point not in self.deaths.points:
            self.deaths.points.append(point)
            self.is_dead = True
            raise Killed
        return answer


def _place(resource: str) -> str:
    """Names of the lease's clock are made up anew for each holder."""
    return resource.partition("/clock/")[0]


def wait_out_lease(cloud: RunningCloud) -> None:
    """The holder was a part of this process, which lives: only time ends what it held."""
    cloud.control("POST", "clock", {"seconds": LIFE_S + 1})


def tiny_deployer(cloud: RunningCloud, project: str, **more: Any) -> Deployer:
    """Works on a project of its own."""
    return Deployer(cloud, FastClock(), project, steps=TINY_STEPS, **more)


def destroy_all(deployer: Deployer, cloud: Cloud) -> tuple[Outcome, tuple[Leftover, ...]]:
    """Destroy by names alone, one call after the other, and take the inventory."""
    world = World(cloud, deployer.spec, Facts())
    removal = destroy.plan_removal(world, keep=NOTHING_KEPT, parallelism=1)
    outcome = destroy.remove(
        world,
        removal,
        lambda _: nullcontext(lambda _: None),
        clock=deployer.clock,
        parallelism=1,
        cancel=threading.Event(),
        force=False,
    )
    return outcome, destroy.inventory(world, keep=NOTHING_KEPT, parallelism=1)
