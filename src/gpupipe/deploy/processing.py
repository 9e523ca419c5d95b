"""Starts executions for objects that lie in the input bucket without an outcome.

Such were there before the trigger, or their execution was lost. What has an outcome, or an execution
that still works on it, is left alone, so it can be run again at any time; and were an object started
twice all the same, its generation would have one outcome.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice

from gpupipe.cloud.cloud import Cloud
from gpupipe.cloud.storage import Object
from gpupipe.core.clock import Clock
from gpupipe.core.errors import UsageError
from gpupipe.deploy.canary import PREFIX as CANARY
from gpupipe.deploy.follow import Follower, Key, Outcome, Sent, pause_s
from gpupipe.deploy.spec import PipelineSpec
from gpupipe.deploy.standing import State, states

AT_A_TIME = 500
"""How many executions of ours may be under way; Workflows has a quota for all."""
_PARALLEL = 8
_DOC = "reference/cli.md#process"


@dataclass(slots=True)
class Found:
    """Objects that were looked at, in numbers."""

    done: int = 0
    failed: int = 0
    running: int = 0
    ignored: int = 0


@dataclass(slots=True)
class Backlog:
    """The objects below a prefix that need an execution, found as they are asked for.

    retry_failed: those with an error record too. Only pages are held, however many there are.
    """

    cloud: Cloud
    spec: PipelineSpec
    prefix: str
    retry_failed: bool = False
    found: Found = field(default_factory=Found)

    def __iter__(self) -> Iterator[Object]:
        running = self._running()
        for one, state in states(self.cloud, self.spec, self._inputs(running)):
            if state is State.DONE:
                self.found.done += 1
            elif state is State.FAILED and not self.retry_failed:
                self.found.failed += 1
            else:
                yield one

    def _inputs(self, running: frozenset[Key]) -> Iterator[Object]:
        for one in self.cloud.storage.each_object(self.spec.names.bucket("input"), self.prefix):
            if one.name.startswith(("_", CANARY)) or one.name.endswith("/"):
                self.found.ignored += 1
            elif (one.bucket, one.name, str(one.generation)) in running:
                self.found.running += 1
            else:
                yield one

    def _running(self) -> frozenset[Key]:
        active = self.cloud.executions.active(self.spec.workflow_name)
        return frozenset(key for one in active if (key := one.input()))


def prefix_of(spec: PipelineSpec, address: str) -> str:
    """The prefix of a gs://BUCKET/PREFIX of the input bucket. UsageError for every other."""
    bucket, _, prefix = address.removeprefix("gs://").partition("/")
    ours = spec.names.bucket("input")
    if not address.startswith("gs://") or not bucket:
        raise UsageError(
            f"{address} is no address in Cloud Storage.",
            resolution=f"Give one such as gs://{ours}/mails/.",
            doc=_DOC,
        )
    if bucket != ours:
        raise UsageError(
            f"The pipeline takes objects of its own input bucket only, not of {bucket}.",
            resource=address,
            resolution=f"Copy them: gcloud storage cp -r {address} gs://{ours}/",
            doc=_DOC,
        )
    return prefix


def start(
    backlog: Iterator[Object], cloud: Cloud, spec: PipelineSpec, limit: int | None
) -> Iterator[Sent]:
    """Start an execution for each, `_PARALLEL` at a time; at most `limit` in all."""

    def one(found: Object) -> Sent:
        argument = {
            "input_file": found.name,
            "bucket": found.bucket,
            "generation": str(found.generation),
        }
        began = cloud.executions.start(spec.workflow_name, argument)
        # It waits from now on, however long it has been there; earlier executions do not count.
        waits = replace(found, created=began.started)
        return Sent(f"gs://{found.bucket}/{found.name}", waits, 0.0, began.execution_id)

    rest = islice(backlog, limit)
    with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="start") as pool:
        while some := list(islice(rest, _PARALLEL)):
            yield from pool.map(one, some)


def start_and_follow(
    coming: Iterator[Sent], follower: Follower, cloud: Cloud, clock: Clock, *, patience_s: float
) -> Iterator[Sent | Outcome]:
    """As `start`, with an Outcome for each; no more than AT_A_TIME are under way.

    When `patience_s` have passed without news, no more are started, and the rest is `waiting`.
    """
    last, more = clock.monotonic(), True
    while more or follower.waiting:
        began = clock.monotonic()
        room = AT_A_TIME - follower.waiting if more else 0
        some = list(islice(coming, room))
        more = more and len(some) == room
        for sent in some:
            follower.add(sent)
            yield sent
        news = bool(some)
        for outcome in follower.look():
            news = True
            yield outcome
        if news:
            last = clock.monotonic()
        elif clock.monotonic() - last > patience_s:
            break
        if follower.waiting:
            clock.sleep(max(pause_s(cloud), clock.monotonic() - began))
    yield from follower.give_up(f"{patience_s:.0f} s")
