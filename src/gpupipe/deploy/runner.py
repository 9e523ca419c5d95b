"""Runs actions for deploy, rollback and destroy: what an API call waits for is told under its action."""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from contextvars import ContextVar

from gpupipe.cloud.call import Wait
from gpupipe.core.clock import Clock
from gpupipe.deploy.action import Action
from gpupipe.deploy.events import Report, Waiting
from gpupipe.deploy.executor import Executor, Outcome
from gpupipe.deploy.step import World

Progress = Callable[[Sequence[Action]], AbstractContextManager[Report]]
"""Shows the events of a run of these actions."""

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
    needs: Mapping[str, Sequence[str]],
    go_on: bool = False,
) -> Outcome:
    """Run actions; what the API calls wait for is reported under the action that waits.

    go_on: also what needs one that failed.
    """

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
        clock=clock,
        report=report,
        parallelism=parallelism,
        cancel=cancel,
        needs=needs,
        go_on=go_on,
    )
    return executor.run(actions, one)
