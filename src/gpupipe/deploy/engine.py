"""The front of the engine: plan and deploy.

A deploy runs exactly the plan that a dry run shows. It takes the lease only when there is something
to write, and plans again under it.
"""

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from contextvars import ContextVar
from dataclasses import dataclass

from gpupipe.cloud.call import Wait
from gpupipe.cloud.cloud import Cloud
from gpupipe.core.clock import Clock, InterruptedWaitError
from gpupipe.deploy import canary
from gpupipe.deploy.action import Action
from gpupipe.deploy.events import Report, Waiting
from gpupipe.deploy.executor import Executor, Outcome
from gpupipe.deploy.facts import Facts
from gpupipe.deploy.follow import Outcome as FileOutcome
from gpupipe.deploy.history import record, run_of
from gpupipe.deploy.lease import lease
from gpupipe.deploy.planner import Plan, plan
from gpupipe.deploy.replace import ReplaceError, replaced
from gpupipe.deploy.spec import PipelineSpec
from gpupipe.deploy.step import Step, World
from gpupipe.deploy.steps import STEPS

Progress = Callable[[Sequence[Action]], AbstractContextManager[Report]]
"""Shows the events of a run of these actions."""

BEFORE_LEASE = ("apis", "account:build", "bucket:staging")
"""What must exist before there can be a lease; a bucket is made by one of two deploys, never twice."""

_ON_A_FILES_WAY = frozenset({"image", "service", "bucket", "workflow", "trigger", "project grants"})


@dataclass(frozen=True, slots=True)
class Deployed:
    """What a deploy did: the plan that it carried out, the outcome, and the canary's result."""

    plan: Plan
    outcome: Outcome
    canary: FileOutcome | None
    facts: Facts


class Engine:
    """Works on one pipeline of one target."""

    def __init__(
        self,
        cloud: Cloud,
        spec: PipelineSpec,
        clock: Clock,
        *,
        parallelism: int = 8,
        cancel: threading.Event | None = None,
        allow_replace: bool = False,
        steps: Sequence[Step] = STEPS,
    ) -> None:
        self._world = World(cloud, spec, Facts())
        self._clock = clock
        self._parallelism = parallelism
        self._cancel = cancel or threading.Event()
        self._allow_replace = allow_replace
        self._steps = {step.key: step for step in steps}

    @property
    def world(self) -> World:
        """What the steps see."""
        return self._world

    def plan(self) -> Plan:
        """What a deploy would do now. Writes nothing."""
        return plan(self._world, tuple(self._steps.values()), parallelism=self._parallelism)

    def sends_canary(self, plan: Plan, *, send_canary: bool, verify: bool) -> bool:
        """Whether a deploy of this plan ends with a canary file."""
        return send_canary and (verify or any(one.kind in _ON_A_FILES_WAY for one in plan.writes))

    def deploy(
        self, first: Plan, progress: Progress, *, send_canary: bool, verify: bool
    ) -> Deployed:
        """Carry out what `first` says; without writes only a canary that is asked for is sent.

        Raises InterruptedWaitError when `cancel` is set between its parts, and ReplaceError before
        anything is written where something would be replaced and that was not allowed.
        """
        self._check_replaced(first)
        wanted = self.sends_canary(first, send_canary=send_canary, verify=verify)
        shown = [*first.writes, *([canary.action(self._world.spec)] if wanted else [])]
        if not shown:
            return Deployed(first, Outcome(), None, self._world.facts)
        with progress(shown) as report:
            if not first.writes:
                return Deployed(first, Outcome(), self._canary(report), self._world.facts)
            before = [action for action in first.writes if action.step in BEFORE_LEASE]
            outcome = self._run_all(before, report)
            if outcome.failed:
                return Deployed(first, outcome, None, self._world.facts)
            self._may_begin()
            storage, staging = self._world.cloud.storage, self._world.spec.names.bucket("staging")
            with lease(storage, staging, "deploy"):
                again = self.plan()
                self._check_replaced(again)
                wanted = self.sends_canary(again, send_canary=send_canary, verify=verify)
                outcome, proof = self._carry_out(again, report, prove=wanted)
        return Deployed(again, outcome, proof, self._world.facts)

    def refused_notes(self, plan: Plan) -> tuple[str, ...]:
        """What of a plan a deploy would refuse, in words."""
        if self._allow_replace:
            return ()
        return tuple(
            f"Replacing the {one.kind} {one.name} needs --allow-replace." for one in replaced(plan)
        )

    def _check_replaced(self, plan: Plan) -> None:
        if not self._allow_replace:
            for one in replaced(plan):
                raise ReplaceError(one)

    def _carry_out(
        self, what: Plan, report: Report, *, prove: bool
    ) -> tuple[Outcome, FileOutcome | None]:
        """Run a plan's actions and the canary, and leave a record, also of what failed."""
        began, proof, ended_well = self._clock.now(), None, False
        outcome = self._run_all(what.writes, report)
        try:
            proof = self._canary(report) if prove and not outcome.failed else None
            ended_well = True
        finally:
            run = run_of("deploy", outcome, began, self._clock.now(), ok=ended_well,
                         canary=proof.state if proof else "")  # fmt: skip
            names = self._world.spec.names
            record(self._world.cloud.storage, names.bucket("staging"), run)
        return outcome, proof

    def _run_all(self, actions: Sequence[Action], report: Report) -> Outcome:
        return run_actions(
            actions,
            apply=lambda one: self._steps[one.step].apply(self._world, one),
            world=self._world,
            clock=self._clock,
            report=report,
            parallelism=self._parallelism,
            cancel=self._cancel,
            needs={key: step.needs for key, step in self._steps.items()},
        )

    def _may_begin(self) -> None:
        if self._cancel.is_set():
            raise InterruptedWaitError

    def _canary(self, report: Report) -> FileOutcome:
        self._may_begin()
        return canary.run(self._world.cloud, self._world.spec, self._clock, report)


_current: ContextVar[Action | None] = ContextVar("current action", default=None)


def run_actions(
    actions: Sequence[Action],
    *,
    apply: Callable[[Action], None],
    world: World,
    clock: Clock,
    report: Report,
    parallelism: int,
    cancel: threading.Event,
    needs: dict[str, tuple[str, ...]],
) -> Outcome:
    """Run actions; what the API calls wait for is reported under the action that waits."""

    def waiting(wait: Wait) -> None:
        action = _current.get()
        if action is not None:
            report(Waiting(action, wait.what, wait.elapsed_s, wait.deadline_s))

    def one(action: Action) -> None:
        token = _current.set(action)
        try:
            apply(action)
        finally:
            _current.reset(token)

    world.cloud.caller.on_wait = waiting
    executor = Executor(
        clock=clock, report=report, parallelism=parallelism, cancel=cancel, needs=needs
    )
    return executor.run(actions, one)
