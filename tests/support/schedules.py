"""Schedules: commands one after the other that are killed, and calls that fail, stall or are slow.

A schedule is data that prints as it would be written, so that hypothesis shrinks a failure to a case
that a person can read: `Schedule(acts=(Act(Command.DEPLOY, killed_after=3),))`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeVar

from google.cloud.devtools import cloudbuild_v1
from hypothesis import strategies as st

from gpupipe.cloud.call import Caller, Cause
from gpupipe.core.errors import GpupipeError
from gpupipe.deploy.executor import Outcome
from gpupipe.localcloud.errors import Code
from gpupipe.localcloud.kernel.faults import Fault, Kind
from tests.support.crashes import Killed, bury, destroy_all, tiny_deployer
from tests.support.localcloud import RunningCloud
from tests.support.pipeline import Deployer
from tests.support.proofs import check_complete, check_gone, foreign

T = TypeVar("T")
IMAGES = 3
MOST_WRITES = 45
_HURRY = 0.1
OPERATIONS = (
    "artifactregistry.repositories.create",
    "artifactregistry.repositories.delete",
    "eventarc.triggers.create",
    "eventarc.triggers.delete",
    "run.services.create",
    "run.services.delete",
    "serviceusage.services.batchEnable",
    "workflows.workflows.create",
    "workflows.workflows.delete",
)
WRITES = (
    *OPERATIONS,
    "artifactregistry.repositories.setIamPolicy",
    "cloudbuild.builds.create",
    "cloudresourcemanager.projects.setIamPolicy",
    "iam.serviceAccounts.create",
    "iam.serviceAccounts.delete",
    "run.services.setIamPolicy",
    "serviceusage.services.generateServiceIdentity",
    "storage.buckets.delete",
    "storage.buckets.insert",
    "storage.buckets.setIamPolicy",
    "storage.objects.delete",
    "storage.objects.insert",
)
READS = (
    "artifactregistry.repositories.get",
    "artifactregistry.tags.get",
    "cloudbuild.builds.get",
    "cloudbuild.builds.list",
    "cloudquotas.quotaInfos.get",
    "cloudresourcemanager.projects.getIamPolicy",
    "eventarc.triggers.get",
    "iam.serviceAccounts.get",
    "longrunning.operations.get",
    "run.services.get",
    "run.services.getIamPolicy",
    "serviceusage.services.list",
    "storage.buckets.get",
    "storage.buckets.getIamPolicy",
    "storage.objects.get",
    "storage.objects.list",
    "workflows.workflows.get",
)


class Command(Enum):
    """What is run."""

    DEPLOY = "deploy"
    DESTROY = "destroy"

    def __repr__(self) -> str:
        return f"Command.{self.name}"


class Woe(Enum):
    """What goes wrong with calls; all but DENIED passes by itself."""

    BUSY = Fault("", Kind.ERROR, times=2, code=Code.UNAVAILABLE)
    LIMITED = Fault("", Kind.ERROR, code=Code.RESOURCE_EXHAUSTED, retry_after_s=1)
    RESET = Fault("", Kind.RESET)
    STALLED = Fault("", Kind.STALL, seconds=3)
    LOST = Fault("", Kind.LOST, times=2)
    SLOW = Fault("", Kind.SLOW, seconds=15)
    FAILED = Fault("", Kind.OPERATION, code=Code.UNAVAILABLE)
    DENIED = Fault("", Kind.ERROR, code=Code.FAILED_PRECONDITION)

    def __repr__(self) -> str:
        return f"Woe.{self.name}"

    def of(self, method: str) -> Fault:
        """This for the next calls of a method."""
        one = self.value
        return Fault(
            method, one.kind, one.times, one.code, one.seconds, retry_after_s=one.retry_after_s
        )


_OF_READS = (Woe.BUSY, Woe.LIMITED, Woe.RESET, Woe.STALLED)
_OF_WRITES = (*_OF_READS, Woe.LOST, Woe.DENIED)
_OF_OPERATIONS = (*_OF_WRITES, Woe.SLOW, Woe.FAILED)


@dataclass(frozen=True)
class Trouble:
    """The next calls of a method have this woe."""

    method: str
    woe: Woe


@dataclass(frozen=True)
class Act:
    """A command that meets its troubles, and is killed once so many of its calls have written."""

    command: Command
    killed_after: int | None = None
    troubles: tuple[Trouble, ...] = ()

    @property
    def may_fail(self) -> bool:
        """Whether it meets what does not pass by itself."""
        return any(one.woe is Woe.DENIED for one in self.troubles)


@dataclass(frozen=True)
class Schedule:
    """What happens before the last deploy and destroy.

    latency: factor of the typical durations; propagation_s: until what is new has effect.
    """

    acts: tuple[Act, ...]
    parallelism: int = 1
    latency: float = 0.0
    propagation_s: float = 0.0


def schedules(*commands: Command) -> st.SearchStrategy[Schedule]:
    """Schedules of these commands."""
    troubles = st.one_of(
        st.builds(Trouble, st.sampled_from(READS), st.sampled_from(_OF_READS)),
        st.builds(Trouble, st.sampled_from(WRITES), st.sampled_from(_OF_WRITES)),
        st.builds(Trouble, st.sampled_from(OPERATIONS), st.sampled_from(_OF_OPERATIONS)),
    )
    by_method: Callable[[Trouble], str] = lambda one: one.method  # noqa: E731
    acts = st.builds(
        Act,
        st.sampled_from(commands),
        st.none() | st.integers(1, MOST_WRITES),
        st.lists(troubles, max_size=4, unique_by=by_method).map(tuple),
    )
    return st.builds(
        Schedule,
        st.lists(acts, min_size=1, max_size=3).map(tuple),
        parallelism=st.sampled_from((1, 8)),
        latency=st.sampled_from((0.0, 0.05)),
        propagation_s=st.sampled_from((0.0, 5.0)),
    )


@dataclass(slots=True)
class DoomedCaller(Caller):
    """Calls as every other until so many writes were done; from then on nothing goes out of it."""

    cloud: RunningCloud | None = None
    killed_after: int | None = None
    written: int = field(default=0)

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
        self._die_in_time()
        assert self.cloud is not None
        log = self.cloud.cloud.pipeline.log
        before = log.latest()
        answer = Caller.call(
            self, what, resource, attempt, idempotent=idempotent, causes=causes, api=api
        )
        self.written += any(row.writes for row in log.since(before))
        self._die_in_time()
        return answer

    def _die_in_time(self) -> None:
        if self.killed_after is not None and self.written >= self.killed_after:
            raise Killed


def play(cloud: RunningCloud, project: str, schedule: Schedule, prefix: str | None = None) -> None:
    """Carry out a schedule, then deploy, deploy again and destroy in peace, and check what must hold."""
    parallelism, behaviour = schedule.parallelism, cloud.kernel.behaviour
    deployer = tiny_deployer(cloud, project, parallelism=parallelism, hurry=_HURRY, prefix=prefix)
    theirs = foreign(deployer)
    behaviour.latency_factor = schedule.latency
    behaviour.propagation_s = schedule.propagation_s
    try:
        for act in schedule.acts:
            _play(deployer, act)
    finally:
        behaviour.latency_factor = behaviour.propagation_s = 0.0
    done = deployer.deploy(canary=False)
    assert not done.outcome.failed, _problem(done.outcome)
    if (
        prefix is None
        and not schedule.propagation_s
        and all(one.command is Command.DEPLOY for one in schedule.acts)
    ):
        assert len(_builds(deployer)) == IMAGES
    check_complete(deployer)
    check_gone(deployer)
    assert foreign(deployer) == theirs


def _play(deployer: Deployer, act: Act) -> None:
    cloud = deployer.cloud
    faults = cloud.kernel.faults
    for trouble in act.troubles:
        faults.inject(trouble.woe.of(trouble.method))
    caller = DoomedCaller(
        deployer.clock, hurry=deployer.hurry, cloud=cloud, killed_after=act.killed_after
    )
    try:
        problem = _run(deployer, act.command, caller)
    except Killed:
        bury(deployer)
    except GpupipeError:
        if not act.may_fail:
            raise
    else:
        assert act.may_fail or not problem, problem
    finally:
        faults.clear()


def _run(deployer: Deployer, command: Command, caller: Caller) -> str:
    """Run a command; what went wrong."""
    if command is Command.DEPLOY:
        done = deployer.deploy(canary=False, caller=caller)
        return _problem(done.outcome)
    outcome, leftovers = destroy_all(deployer, deployer.connect(caller))
    return _problem(outcome) + "".join(f"\nleft: {one.kind} {one.name}" for one in leftovers)


def _problem(outcome: Outcome) -> str:
    return "\n".join(
        [f"{one.step}: {error} {error.details or ''}" for one, error in outcome.errors]
        + [f"{one.step}: {reason}" for one, reason in outcome.skipped]
    )


def _builds(deployer: Deployer) -> list[str]:
    client = deployer.cloud.client(cloudbuild_v1.CloudBuildClient)
    parent = f"projects/{deployer.project}/locations/us-central1"
    request = {"parent": parent, "project_id": deployer.project}
    return [str(one.tags[0]) for one in client.list_builds(request=request)]
