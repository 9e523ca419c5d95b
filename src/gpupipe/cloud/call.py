"""The only way to an API method: an explicit timeout, retries by cause, errors mapped once.

The client libraries' own retries are off (`retry=None`): they would multiply with ours. Causes:

- nobody listens: the connection was refused, so nothing was sent and any call may be repeated; for
  as long as the target's `Presence` says.
- a rate limit: nothing was done, so any call may be repeated. All calls of that API pause with it.
- transient: the API could not answer, or was busy with another change of the same thing (ABORTED);
  retried for up to five minutes when repeating does no harm (`idempotent`).
- propagation: what was just made is not visible everywhere; retried until the cause's deadline.
- anything else is final, and the error says what to do.

Creating does no harm twice where the caller chose the name. If an earlier attempt was done and only
its answer was lost, the next one is told ALREADY_EXISTS, as it would be for what was there before;
who asked reads it and adopts it if it is ours (`deploy/steps`). In the same way NOT_FOUND ends a
deletion well. Where the server chooses the name (builds, executions) nothing tells a repetition from
a second one, so such calls are not `idempotent`; a build is looked for by its source instead.

A write that carries an etag is never `idempotent`: ABORTED then says that somebody was faster, the
same etag would be refused again, and only a fresh read keeps what the other one wrote. So it goes to
`read_modify_write` at once, also when its answer was lost: the fresh read shows whether it was done.
Without an etag nothing was read that could be stale, and ABORTED only asks for another try.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import tenacity

from gpupipe.cloud.errors import ApiError, Refusal, translated
from gpupipe.core.clock import Clock
from gpupipe.core.errors import GpupipeError

T = TypeVar("T")
TIMEOUT_S = 60.0
TRANSIENT = frozenset({"UNAVAILABLE", "INTERNAL", "DEADLINE_EXCEEDED", "ABORTED"})
TRANSIENT_DEADLINE_S = 300.0
CONFLICT_ATTEMPTS = 8
# Google names 2 minutes as typical and 7 or more as possible (gcp-facts 6).
GRANT_S = 420.0
GRANT_PAUSE_S = 15.0


@dataclass(frozen=True, slots=True)
class Wait:
    """What is being waited for: words for people, seconds so far and at most."""

    what: str
    elapsed_s: float
    deadline_s: float


@dataclass(frozen=True, slots=True)
class Cause:
    """A known error that time heals: which refusals, in what words, for how long (seconds)."""

    what: str
    deadline_s: float
    matches: Callable[[Refusal], bool]


@dataclass(frozen=True, slots=True)
class Presence:
    """What it means that nobody listens: for how long (seconds) that may last, and what is said then.

    gone: the error of a server that has ended for good; None leaves the API's.
    """

    deadline_s: float = TRANSIENT_DEADLINE_S
    gone: Callable[[], GpupipeError] | None = None


@dataclass(slots=True)
class Caller:
    """Carries out calls. `on_wait` hears of every pause; `hurry` scales pauses (1 on Google).

    on_call: hears of every attempt that ended: what for, on what, after how many seconds.

    always: causes that every call has from now on, such as APIs that were enabled a moment ago.
    """

    clock: Clock
    on_wait: Callable[[Wait], None] = lambda _: None
    hurry: float = 1.0
    presence: Presence = Presence()
    always: tuple[Cause, ...] = ()
    on_call: Callable[[str, str, float], None] = lambda _what, _resource, _seconds: None
    _random: random.Random = field(default_factory=random.Random)
    _quiet: dict[str, float] = field(default_factory=dict)

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
        """Run `attempt` (one API call with retry=None and a timeout) until it answers or is final.

        what: "Creating the bucket"; resource: its full name; api: whose calls share a rate limit
        with this one, "" for none. Raises ApiError, or what `presence`
        says where nobody listens.
        """
        transient = (_TRANSIENT_CAUSE,) if idempotent else ()
        causes = (self._absence(), *causes, *self.always, _RATE_LIMIT_CAUSE, *transient)
        policy = _Policy(self, causes, api)
        retrying = tenacity.Retrying(
            sleep=self.clock.sleep,
            retry=tenacity.retry_if_exception(policy.retries),
            wait=policy.pause,
            before_sleep=policy.tell,
            stop=tenacity.stop_never,
            reraise=True,
        )

        def once() -> T:
            self._keep_quiet(api)
            start = self.clock.monotonic()
            try:
                with translated(what, resource):
                    return attempt()
            finally:
                self.on_call(what, resource, self.clock.monotonic() - start)

        try:
            return retrying(once)
        except ApiError as error:
            if error.refusal.nobody_listens and self.presence.gone is not None:
                raise self.presence.gone() from error
            policy.tell_of_waiting(error)
            raise

    def pause_all(self, api: str, seconds: float) -> None:
        """An API takes no more calls for so many seconds; those of other threads need not find out."""
        if api:
            until = self.clock.monotonic() + seconds
            self._quiet[api] = max(self._quiet.get(api, 0.0), until)

    def _keep_quiet(self, api: str) -> None:
        began = self.clock.monotonic()
        while (left := self._quiet.get(api, 0.0) - self.clock.monotonic()) > 0:
            elapsed = self.clock.monotonic() - began
            self.on_wait(Wait(_RATE_LIMIT_CAUSE.what, elapsed, TRANSIENT_DEADLINE_S))
            self.clock.sleep(left)

    def _absence(self) -> Cause:
        return Cause(
            "the API to be reachable",
            self.presence.deadline_s,
            lambda refusal: refusal.nobody_listens,
        )

    def until_effective(self, attempt: Callable[[], T], early: Callable[[GpupipeError], str]) -> T:
        """Run `attempt` again while it fails because something new has no effect yet.

        early: what an error waits for, in words; "" where time would not heal it.

        For what an account does on its own and not in a call of ours. An account that will never
        be allowed is told apart from one that will by time alone: `GRANT_S`.
        """
        began = self.clock.monotonic()
        while True:
            try:
                return attempt()
            except GpupipeError as error:
                elapsed = self.clock.monotonic() - began
                what = early(error)
                if not what or elapsed >= GRANT_S:
                    raise
            self.on_wait(Wait(what, elapsed, GRANT_S))
            self.clock.sleep(GRANT_PAUSE_S * self.hurry)

    def spread(self) -> float:
        """A factor around 1, so that callers that failed together do not come back together."""
        return self._random.uniform(0.75, 1.25)

    def read_modify_write(self, once: Callable[[], T]) -> T:
        """Run `once` (read, change, write with etag) again while somebody else was faster.

        Also when the write got no answer: what it did, the next read sees.
        """
        began = self.clock.monotonic()
        for attempt in range(CONFLICT_ATTEMPTS):
            try:
                return once()
            except ApiError as error:
                # A read has been repeated before it comes here: then there is no time left.
                late = self.clock.monotonic() - began >= TRANSIENT_DEADLINE_S
                if attempt == CONFLICT_ATTEMPTS - 1 or late or not _asks_for_a_read(error.refusal):
                    raise
            self.clock.sleep(self._random.uniform(0.1, 0.3) * 2**attempt * self.hurry)
        raise AssertionError("unreachable")


def is_transient(refusal: Refusal) -> bool:
    """The API could not answer now. A quota that is used up is not transient, a rate limit is."""
    return refusal.rate_limit or refusal.code in TRANSIENT


def _asks_for_a_read(refusal: Refusal) -> bool:
    return refusal.reason == "conflict" or refusal.code in TRANSIENT


_RATE_LIMIT_CAUSE = Cause(
    "the API to take more calls", TRANSIENT_DEADLINE_S, lambda refusal: refusal.rate_limit
)
_TRANSIENT_CAUSE = Cause("the API to answer", TRANSIENT_DEADLINE_S, is_transient)


class _Policy:
    """Decides for one call whether an error is retried, and how long to pause.

    The time of each cause runs from when it was met first: one that comes after another has its own.
    """

    def __init__(self, caller: Caller, causes: tuple[Cause, ...], api: str) -> None:
        self._caller = caller
        self._api = api
        self._causes = causes
        self._began = caller.clock.monotonic()
        self._met: dict[str, float] = {}

    def retries(self, error: BaseException) -> bool:
        cause = self._cause(error)
        if cause is None or not isinstance(error, ApiError):
            return False
        # The first attempt has taken time too.
        self._met.setdefault(cause.what, self._now() if self._met else self._began)
        # An API that asks for a longer pause than there is time says that waiting is of no use.
        return self._elapsed(cause) + (error.refusal.retry_after_s or 0.0) < cause.deadline_s

    def pause(self, state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        ceiling = min(2.0 ** min(state.attempt_number - 1, 4), 15.0)
        seconds = float(ceiling * self._caller.hurry * self._caller.spread())
        if not isinstance(error, ApiError):
            return seconds
        if error.refusal.retry_after_s is not None:
            seconds = error.refusal.retry_after_s
        if error.refusal.rate_limit:
            self._caller.pause_all(self._api, seconds)
        return seconds

    def tell(self, state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        cause = self._cause(error) if error else None
        if cause is not None:
            self._caller.on_wait(Wait(cause.what, self._elapsed(cause), cause.deadline_s))

    def tell_of_waiting(self, error: ApiError) -> None:
        """Say in an error that ends the call for how long time did not heal it."""
        cause = self._cause(error)
        waited = 0.0 if cause is None else self._elapsed(cause)
        if cause is not None and waited >= 1.0:
            told = f"Waited {waited:.0f} s for {cause.what}."
            error.details = "\n".join(part for part in (error.details, told) if part)

    def _cause(self, error: BaseException) -> Cause | None:
        if not isinstance(error, ApiError):
            return None
        return next((cause for cause in self._causes if cause.matches(error.refusal)), None)

    def _elapsed(self, cause: Cause) -> float:
        return self._now() - self._met.get(cause.what, self._began)

    def _now(self) -> float:
        return self._caller.clock.monotonic()


def none_if_missing(read: Callable[[], T]) -> T | None:
    """The resource, or None where it, its parent or its API is not there yet."""
    try:
        return read()
    except ApiError as error:
        if error.refusal.code == "NOT_FOUND" or error.refusal.reason == "SERVICE_DISABLED":
            return None
        raise


def poll(
    caller: Caller,
    what: str,
    ready: Callable[[], T | None],
    *,
    deadline_s: float,
    error: Callable[[], GpupipeError],
    interval_s: float = 1.0,
) -> T:
    """Ask `ready` until it answers something; `error` when the deadline passes."""
    began = caller.clock.monotonic()
    while True:
        found = ready()
        if found is not None:
            return found
        elapsed = caller.clock.monotonic() - began
        if elapsed >= deadline_s:
            raise error()
        caller.on_wait(Wait(what, elapsed, deadline_s))
        caller.clock.sleep(interval_s * caller.hurry)
