"""The front of the engine: plan and deploy.

A deploy runs exactly the plan that a dry run shows. It takes the lease only when there is something
to write, and plans again under it.
"""

import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from gpupipe.cloud.causes import API_USABLE
from gpupipe.cloud.cloud import Cloud
from gpupipe.cloud.storage import StorageApi
from gpupipe.core.clock import Clock, InterruptedWaitError
from gpupipe.deploy import canary, unproven
from gpupipe.deploy.action import OWNER, Action, Verb
from gpupipe.deploy.canary import CanaryError, Proof
from gpupipe.deploy.events import Report
from gpupipe.deploy.executor import Outcome
from gpupipe.deploy.facts import Facts
from gpupipe.deploy.history import NO_RESULT, record, run_of
from gpupipe.deploy.keys import key_notes
from gpupipe.deploy.lease import lease
from gpupipe.deploy.own_sources import check
from gpupipe.deploy.planner import Plan, plan
from gpupipe.deploy.releases import release_at, serving
from gpupipe.deploy.replace import ReplaceError, replaced
from gpupipe.deploy.rollback import after_canary, run_turns
from gpupipe.deploy.runner import Progress, run_actions
from gpupipe.deploy.spec import PipelineSpec
from gpupipe.deploy.step import Choices, Step, World
from gpupipe.deploy.steps import STEPS
from gpupipe.deploy.unproven import Unproven

BEFORE_LEASE = ("apis", "account:build", "bucket:staging")
"""What must exist before there can be a lease; a bucket is made by one of two deploys, never twice."""

_ON_A_FILES_WAY = frozenset({"image", "service", "bucket", "workflow", "trigger", "project grants"})

_UNPROVEN = "What was deployed last is not proved yet: no canary file has come out since."
_ONCE_MORE = (
    "See the execution's error with `gpupipe status`, mend what it names, and deploy again; the same "
    "thing again is only tried with --no-rollback."
)


@dataclass(frozen=True, slots=True)
class Deployed:
    """What a deploy did: the plan that it carried out, the outcome, and the canary's result."""

    plan: Plan
    outcome: Outcome
    canary: Proof | None
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
        choices: Choices = Choices(),  # noqa: B008  # frozen
        steps: Sequence[Step] = STEPS,
    ) -> None:
        self._world = World(cloud, spec, Facts(), choices, overlaps=parallelism > 1)
        self._clock = clock
        self._parallelism = parallelism
        self._cancel = cancel or threading.Event()
        self._allow_replace = allow_replace
        self._steps = {step.key: step for step in steps}

    @property
    def world(self) -> World:
        """What the steps see."""
        return self._world

    @property
    def _staging(self) -> tuple[StorageApi, str]:
        return self._world.cloud.storage, self._world.spec.names.bucket("staging")

    def plan(self) -> Plan:
        """What a deploy would do now. Writes nothing; UsageError where own sources are wrong."""
        check(self._world.spec.config)
        owed = self._world.meanwhile(lambda: unproven.read(*self._staging))
        found = plan(self._world, tuple(self._steps.values()), parallelism=self._parallelism)
        return replace(found, unproven=owed())

    def sends_canary(self, plan: Plan, *, send_canary: bool, verify: bool) -> bool:
        """Whether a deploy of this plan ends with a canary file."""
        owed = plan.unproven is not None
        changed = any(one.kind in _ON_A_FILES_WAY for one in plan.writes)
        return send_canary and (verify or owed or changed)

    def deploy(
        self, first: Plan, progress: Progress, *, send_canary: bool, verify: bool
    ) -> Deployed:
        """Carry out what `first` says; without writes only a canary that is asked for is sent.

        Raises InterruptedWaitError when `cancel` is set between its parts, ReplaceError before
        anything is written where something would be replaced and that was not allowed, and
        CanaryError, after services that were rolled out have lost their traffic to what had it.
        """
        self._check_replaced(first)
        wanted = self.sends_canary(first, send_canary=send_canary, verify=verify)
        shown = [*first.writes, *([canary.action(self._world.spec)] if wanted else [])]
        if not shown:
            return Deployed(first, Outcome(), None, self._world.facts)
        began = self._clock.now()
        self._world.facts.release = release_at(began)
        with progress(shown) as report:
            if not first.writes and first.unproven is None:
                return Deployed(first, Outcome(), self._canary(report), self._world.facts)
            before = [action for action in first.writes if action.step in BEFORE_LEASE]
            if not any(action.step == "apis" for action in before):
                # They may have been enabled a moment ago, by a deploy that was killed.
                self._world.cloud.caller.always = (API_USABLE,)
            outcome = self._run_all(before, report)
            if outcome.failed:
                return Deployed(first, outcome, None, self._world.facts)
            self._may_begin()
            with lease(*self._staging, "deploy"):
                again = self.plan()
                self._check_replaced(again)
                wanted = self.sends_canary(again, send_canary=send_canary, verify=verify)
                proof = self._carry_out(again, outcome, began, report, prove=wanted)
        return Deployed(again, outcome, proof, self._world.facts)

    def notes(self, plan: Plan) -> tuple[str, ...]:
        """What a person should know of a plan: what its steps say, is refused, is taken over."""
        refused = () if self._allow_replace else replaced(plan)
        return (
            *self._world.facts.notes.values(),
            *key_notes(self._world.spec, plan),
            *((_UNPROVEN,) if plan.unproven is not None else ()),
            *(f"Replacing the {one.kind} {one.name} needs --allow-replace." for one in refused),
            *(
                f"Taking over the {one.kind} {one.name}: from now on a destroy removes it."
                for one in plan.writes
                if any(change.field == OWNER for change in one.changes)
            ),
        )

    def _check_replaced(self, plan: Plan) -> None:
        if not self._allow_replace:
            for one in replaced(plan):
                raise ReplaceError(one)

    def _carry_out(
        self, what: Plan, outcome: Outcome, began: datetime, report: Report, *, prove: bool
    ) -> Proof | None:
        """Run a plan's actions and the canary, and leave a record, also of what failed.

        outcome: of what was done before, to which all of this is added.
        """
        proof, state, owed = None, "", self._owe(what, prove=prove)
        outcome.add(self._run_all(what.writes, report))
        try:
            if prove and not outcome.failed:
                state = NO_RESULT
                proof = self._canary(report)
                state = proof.outcome.state
                unproven.settle(*self._staging)
        except CanaryError as error:
            state = error.state
            self._give_back(owed, outcome, error, report)
            raise
        finally:
            run = run_of("deploy", outcome, began, self._clock.now(), canary=state)
            record(*self._staging, run)
        return proof

    def _owe(self, what: Plan, *, prove: bool) -> Unproven:
        """Remember that what follows is to be proved, and which traffic was proved before it."""
        known = what.unproven
        if not prove:
            if known is not None:
                unproven.settle(*self._staging)
            return Unproven()
        seen = [what.observed[key] for key in self._steps if key.startswith("service:")]
        before = {one[0].service.name: serving(one[0]) for one in seen if one and serving(one[0])}
        owed = Unproven({**before, **(known.traffic if known else {})})
        if owed != known:
            unproven.write(*self._staging, owed)
        return owed

    def _give_back(
        self, owed: Unproven, outcome: Outcome, error: CanaryError, report: Report
    ) -> None:
        """The traffic that services had when they were proved last; the error tells it."""
        if not self._world.choices.rollback:
            return
        turns = after_canary(self._world, owed.traffic)
        done = run_turns(self._world, turns, self._clock, report, parallelism=self._parallelism)
        outcome.add(done)
        told = [f"Rolled back: {one.action.name}, {one.traffic_told}." for one in turns
                if one.action in done.done]  # fmt: skip
        told += [f"Not rolled back: {one.name}: {why.brief}" for one, why in done.errors]
        error.details = "\n".join([*(error.details or "").splitlines(), *told])
        if turns:
            error.resolution = _ONCE_MORE

    def _run_all(self, actions: Sequence[Action], report: Report) -> Outcome:
        return run_actions(
            actions,
            apply=self._apply,
            world=self._world,
            clock=self._clock,
            report=report,
            parallelism=self._parallelism,
            cancel=self._cancel,
            needs=self._needs({one.step for one in actions if one.verb is Verb.DELETE}),
        )

    def _apply(self, one: Action) -> None:
        step = self._steps[one.step]
        if one.verb is Verb.DELETE:
            step.remove(self._world)
        else:
            step.apply(self._world, one)

    def _needs(self, deleted: Collection[str]) -> dict[str, tuple[str, ...]]:
        """What is deleted waits for all that needs it, which must not wait for it."""
        needs = {
            key: tuple(need for need in step.needs if need not in deleted)
            for key, step in self._steps.items()
        }
        for gone in deleted:
            needs[gone] = tuple(key for key, step in self._steps.items() if gone in step.needs)
        return needs

    def _may_begin(self) -> None:
        if self._cancel.is_set():
            raise InterruptedWaitError

    def _canary(self, report: Report) -> Proof:
        self._may_begin()
        return canary.run(self._world.cloud, self._world.spec, self._clock, report)
