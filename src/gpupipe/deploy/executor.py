"""Carries out a plan's actions: each as soon as what it needs is done, and decides nothing.

An independent action goes on when another fails; what needs the failed one is skipped with the
reason. When `cancel` is set nothing new is begun, and what runs is waited for.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from gpupipe.core.clock import Clock
from gpupipe.core.errors import Exit, GpupipeError
from gpupipe.deploy.action import Action
from gpupipe.deploy.events import Event, Failed, Finished, Report, Skipped, Started

Apply = Callable[[Action], None]
INTERRUPTED = "interrupted"


@dataclass(slots=True)
class Outcome:
    """What became of each action; `errors` are in the order in which they happened."""

    done: list[Action] = field(default_factory=list)
    skipped: list[tuple[Action, str]] = field(default_factory=list)
    errors: list[tuple[Action, GpupipeError]] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        """True when any action failed or was skipped."""
        return bool(self.errors or self.skipped)

    @property
    def exit(self) -> Exit:
        """DONE, or the code of the errors where they agree (a missing permission, say), or FAILED."""
        codes = {error.exit for _, error in self.errors}
        if len(codes) == 1:
            return codes.pop()
        return Exit.FAILED if self.failed else Exit.DONE

    def add(self, later: "Outcome") -> None:
        """Take in what a later run did."""
        self.done += later.done
        self.skipped += later.skipped
        self.errors += later.errors


@dataclass(slots=True)
class _Run:
    pending: list[Action]
    running: dict[Future[None], tuple[Action, float]] = field(default_factory=dict)
    lost: dict[str, str] = field(default_factory=dict)
    outcome: Outcome = field(default_factory=Outcome)


class Executor:
    """Runs actions over threads; one executor serves one run."""

    def __init__(
        self,
        *,
        clock: Clock,
        report: Report,
        parallelism: int,
        cancel: threading.Event,
        needs: Mapping[str, Sequence[str]],
        go_on: bool = False,
    ) -> None:
        """go_on: what needs a failed action is begun all the same, when that one has ended."""
        self._clock = clock
        self._report = report
        self._parallelism = parallelism
        self._cancel = cancel
        self._needs = needs
        self._go_on = go_on

    def run(self, actions: Sequence[Action], apply: Apply) -> Outcome:
        """Apply every action in an order that `needs` allows; the earlier in the plan goes first."""
        run = _Run(pending=list(actions))
        with ThreadPoolExecutor(self._parallelism, thread_name_prefix="step") as pool:
            while run.pending or run.running:
                self._skip(run)
                self._start(run, pool, apply)
                if run.running:
                    self._collect(run)
        return run.outcome

    def _skip(self, run: _Run) -> None:
        for action in list(run.pending):
            reason = INTERRUPTED if self._cancel.is_set() else self._blocked_by(action, run)
            if reason:
                run.pending.remove(action)
                run.lost[action.step] = reason
                run.outcome.skipped.append((action, reason))
                self._tell(Skipped(action, reason))

    def _blocked_by(self, action: Action, run: _Run) -> str:
        if self._go_on:
            return ""
        lost = [need for need in self._needs.get(action.step, ()) if need in run.lost]
        return f"it needs {lost[0]}, which was not done" if lost else ""

    def _start(self, run: _Run, pool: ThreadPoolExecutor, apply: Apply) -> None:
        for action in list(run.pending):
            if len(run.running) >= self._parallelism:
                return
            if self._waits(action, run):
                if self._parallelism == 1:
                    return
                continue
            run.pending.remove(action)
            self._tell(Started(action))
            run.running[pool.submit(apply, action)] = (action, self._clock.monotonic())

    def _waits(self, action: Action, run: _Run) -> bool:
        unfinished = {other.step for other in run.pending} | {
            other.step for other, _ in run.running.values()
        }
        return any(need in unfinished for need in self._needs.get(action.step, ()))

    def _collect(self, run: _Run) -> None:
        done, _ = wait(run.running, return_when=FIRST_COMPLETED)
        for future in done:
            action, began = run.running.pop(future)
            elapsed = self._clock.monotonic() - began
            try:
                future.result()
            except GpupipeError as error:
                run.lost[action.step] = error.brief
                run.outcome.errors.append((action, error))
                self._tell(Failed(action, elapsed, error))
            else:
                run.outcome.done.append(action)
                self._tell(Finished(action, elapsed))

    def _tell(self, event: Event) -> None:
        self._report(event)
