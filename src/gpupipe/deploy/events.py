"""What the executor tells while it works; the renderers turn these into a live view or lines."""

from collections.abc import Callable
from dataclasses import dataclass

from gpupipe.core.errors import GpupipeError
from gpupipe.deploy.action import Action


@dataclass(frozen=True, slots=True)
class Started:
    """A step has begun."""

    action: Action


@dataclass(frozen=True, slots=True)
class Waiting:
    """A running step waits for something; seconds waited so far and at most."""

    action: Action
    what: str
    elapsed_s: float
    deadline_s: float


@dataclass(frozen=True, slots=True)
class Finished:
    """A step is done, after so many seconds."""

    action: Action
    elapsed_s: float


@dataclass(frozen=True, slots=True)
class Failed:
    """A step failed; steps that do not need it go on."""

    action: Action
    elapsed_s: float
    error: GpupipeError


@dataclass(frozen=True, slots=True)
class Skipped:
    """A step was not begun, and why."""

    action: Action
    reason: str


Event = Started | Waiting | Finished | Failed | Skipped
Report = Callable[[Event], None]
