"""Gives the traffic of services back to older revisions: after a canary that failed, or when asked.

Nothing is built or rolled out: the older revisions are still there, and only the traffic moves.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from gpupipe.cloud import run
from gpupipe.core.clock import Clock, InterruptedWaitError
from gpupipe.core.errors import GpupipeError, UsageError
from gpupipe.core.names import SERVICES
from gpupipe.deploy import canary, releases, unproven
from gpupipe.deploy.action import Action, Change, Verb
from gpupipe.deploy.canary import CanaryError, Proof
from gpupipe.deploy.events import Report
from gpupipe.deploy.executor import Outcome
from gpupipe.deploy.history import NO_RESULT, record, run_of
from gpupipe.deploy.lease import lease
from gpupipe.deploy.ownership import check_labels
from gpupipe.deploy.phase import Phase
from gpupipe.deploy.runner import Progress, run_actions
from gpupipe.deploy.step import World
from gpupipe.deploy.unproven import Unproven

_DOC = "reference/errors.md#rollback"
_TURNED = (
    "The traffic is with the release {0}. See `gpupipe status`; `gpupipe deploy` sends the canary file "
    "again, and `gpupipe rollback --to RELEASE` goes to another release."
)


@dataclass(frozen=True, slots=True)
class Release:
    """What one deploy rolled out: which services got a new revision, and which of these has traffic."""

    name: str
    made: datetime
    services: tuple[str, ...]
    serving: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Turn:
    """One service's traffic, turned to a revision; `rejected`: the release that has lost it, or ""."""

    action: Action
    name: str
    traffic: run.Traffic
    rejected: str = ""
    why: str = ""

    @property
    def traffic_told(self) -> str:
        """Where the traffic goes, as people read it."""
        return releases.told(self.traffic)

    def carry_out(self, api: run.RunApi) -> None:
        """Turn it."""
        if self.rejected:
            releases.reject(api, self.name, self.traffic, self.rejected, self.why)
        else:
            releases.accept(api, self.name)


@dataclass(frozen=True, slots=True)
class Rollback:
    """What a rollback does: to which release, and which services' traffic it turns."""

    to: str
    turns: tuple[Turn, ...]
    known: tuple[Release, ...]


@dataclass(frozen=True, slots=True)
class RolledBack:
    """What a rollback did, and what its canary proved."""

    rollback: Rollback
    outcome: Outcome
    proof: Proof | None


@dataclass(frozen=True, slots=True)
class _Service:
    found: run.Observed
    revisions: tuple[run.Revision, ...]

    @property
    def serving(self) -> frozenset[str]:
        return frozenset(name for name, _ in releases.serving(self.found))

    def at(self, to: Release) -> run.Revision | None:
        """The revision that a rollback takes: the newest of that time that can serve.

        One that was rejected is only taken where its own release is asked for.
        """
        spoilt = releases.rejection(self.found)
        avoided = "" if spoilt is None or spoilt.release == to.name else spoilt.release
        able = [one for one in self.revisions if one.ready]
        then = [
            one
            for one in able
            if one.created <= to.made and not (avoided and _release(one) == avoided)
        ]
        # A service that came later than the others goes back as far as it can.
        return next(iter(then), able[-1] if able else None)


def after_canary(world: World, before: Mapping[str, run.Traffic]) -> tuple[Turn, ...]:
    """The services whose traffic is another than before, back to that."""
    turns = []
    for name, traffic in before.items():
        found = world.cloud.run.get(name)
        if found is not None and releases.serving(found) != traffic:
            turns.append(_turn(found, traffic, releases.CANARY, "the canary failed"))
    return tuple(turns)


def run_turns(
    world: World, turns: Sequence[Turn], clock: Clock, report: Report, *, parallelism: int
) -> Outcome:
    """Turn the traffic of each service."""
    by_step = {one.action.step: one for one in turns}
    return run_actions(
        [one.action for one in turns],
        apply=lambda action: by_step[action.step].carry_out(world.cloud.run),
        world=world,
        clock=clock,
        report=report,
        parallelism=parallelism,
        # Begun is done: half of the services rolled back would be worse than none.
        cancel=threading.Event(),
        needs={},
    )


def plan_rollback(world: World, to: str | None) -> Rollback:
    """To a release, or to the newest one that differs from what serves. GpupipeError where there is none."""
    services = _services(world)
    known = _known(services)
    if to is not None:
        chosen = next((one for one in known if one.name == to), None)
        if chosen is None:
            raise UsageError(
                f"There is no release {to}.",
                details="Releases: " + (", ".join(one.name for one in known) or "none") + ".",
                resolution="Give one of these with --to; `gpupipe rollback --dry-run` shows them.",
                doc=_DOC,
            )
        return Rollback(chosen.name, _turns(services, chosen), known)
    serving = max((one.made for one in known if one.serving), default=None)
    for one in known:
        turns = _turns(services, one) if serving is not None and one.made < serving else ()
        if turns:
            return Rollback(one.name, turns, known)
    raise GpupipeError(
        "There is no earlier release to go back to.",
        resource=world.spec.names.location,
        resolution="Deploy what you want instead; a release is made by a deploy that rolls out a service.",
        doc=_DOC,
    )


def roll_back(
    world: World, to: str | None, clock: Clock, progress: Progress, *, send_canary: bool
) -> RolledBack:
    """Plan under the lease, turn the traffic, prove it, leave a record. GpupipeError as of these.

    One that is killed leaves the proof to the next deploy; what was not proved before has lost.
    """
    storage, staging = world.cloud.storage, world.spec.names.bucket("staging")
    with lease(storage, staging, "rollback"):
        rollback, began, proof, state = plan_rollback(world, to), clock.now(), None, ""
        actions = [one.action for one in rollback.turns]
        shown = [*actions, *([canary.action(world.spec)] if send_canary else [])]
        with progress(shown) as report:
            if send_canary:
                unproven.write(storage, staging, Unproven())
            outcome = run_turns(world, rollback.turns, clock, report, parallelism=len(SERVICES))
            try:
                if send_canary and not outcome.failed:
                    state = NO_RESULT
                    proof = canary.run(world.cloud, world.spec, clock, report)
                    state = proof.outcome.state
                if not outcome.failed:
                    unproven.settle(storage, staging)
            except (CanaryError, InterruptedWaitError) as error:
                # The same command would go back by one more.
                error.resolution = _TURNED.format(rollback.to)
                raise
            finally:
                done = run_of("rollback", outcome, began, clock.now(), canary=state)
                record(storage, staging, done)
    return RolledBack(rollback, outcome, proof)


def _services(world: World) -> dict[str, _Service]:
    api, found = world.cloud.run, {}
    for service in SERVICES:
        name = world.spec.service_name(service)
        seen = api.get(name)
        if seen is None:
            raise GpupipeError(
                f"There is no service {world.spec.names.service(service)}.",
                resource=name,
                resolution="Deploy first: gpupipe deploy.",
                doc=_DOC,
            )
        check_labels("service", name, seen.service.labels, world.spec)
        found[service] = _Service(seen, api.revisions(name))
    return found


def _known(services: Mapping[str, _Service]) -> tuple[Release, ...]:
    """The releases, newest first; one moment each: when the last of its revisions was made."""
    by_name: dict[str, list[tuple[str, run.Revision]]] = {}
    for service, one in services.items():
        for revision in one.revisions:
            by_name.setdefault(_release(revision), []).append((service, revision))
    by_name.pop("", None)
    found = [
        Release(
            name,
            max(revision.created for _, revision in made),
            tuple(service for service, _ in made),
            tuple(service for service, one in made if one.name in services[service].serving),
        )
        for name, made in by_name.items()
    ]
    return tuple(sorted(found, key=lambda one: one.made, reverse=True))


def _release(revision: run.Revision) -> str:
    return revision.labels.get(releases.RELEASE, "")


def _turns(services: Mapping[str, _Service], to: Release) -> tuple[Turn, ...]:
    turns = []
    for one in services.values():
        revision = one.at(to)
        if revision is None or one.serving == {revision.name}:
            continue
        newest = {one.found.latest_created_revision, one.found.latest_ready_revision}
        traffic = run.NEWEST if newest == {revision.name} else ((revision.name, 100),)
        turns.append(_turn(one.found, traffic, releases.ASKED, f"back to the release {to.name}"))
    return tuple(turns)


def _turn(found: run.Observed, traffic: run.Traffic, why: str, reason: str) -> Turn:
    name = found.service.name
    service = name.rpartition("/")[2]
    old = releases.told(releases.serving(found))
    change = Change("traffic", old, releases.told(traffic))
    action = Action(
        f"traffic:{service}", Phase.SERVICES, "traffic of", service, Verb.UPDATE, reason, (change,)
    )
    rejected = "" if traffic == run.NEWEST else releases.release_of(found)
    return Turn(action, name, traffic, rejected, why)
