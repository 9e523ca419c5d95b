"""Releases of the services, and which of them was rejected. Both are remembered by the cloud alone.

Each deploy that rolls out a service names itself in the label RELEASE of the new revision. One that
does not prove itself loses the traffic again: the service's label REJECTED then names its release
and why, and as long as the same thing is wanted, a deploy leaves the older revision where it is.
"""

from dataclasses import dataclass
from datetime import datetime

from gpupipe.cloud.run import NEWEST, Observed, RunApi, Traffic

RELEASE = "gpupipe-release"
REJECTED = "gpupipe-rejected"
PROBE, CANARY, ASKED = "probe", "canary", "asked"
_WHY = {
    PROBE: "its revision did not start or failed its startup probe",
    CANARY: "the canary file did not come out of the pipeline",
    ASKED: "somebody rolled it back",
}


def release_at(now: datetime) -> str:
    """The name of a release that is made now; a label's value, and sorted by time."""
    return f"{now:%Y%m%d-%H%M%S}"


def release_of(found: Observed) -> str:
    """The release that made the service's template, "" where no deploy of ours did."""
    return found.service.revision_labels.get(RELEASE, "")


@dataclass(frozen=True, slots=True)
class Rejection:
    """A service's newest release, which has no traffic. why: PROBE, CANARY or ASKED."""

    release: str
    why: str

    def __str__(self) -> str:
        """As people read it."""
        return f"release {self.release} was rejected: {_WHY.get(self.why, self.why)}"


def rejection(found: Observed) -> Rejection | None:
    """What became of the newest release, where it was rejected and older revisions have the traffic."""
    release, _, why = found.service.labels.get(REJECTED, "").partition("_")
    if not release or release != release_of(found) or any(not one for one, _ in found.traffic):
        return None
    return Rejection(release, why)


def serving(found: Observed) -> Traffic:
    """The traffic with the newest ready revision named; empty where none has ever been ready."""
    if not found.latest_ready_revision:
        return ()
    return tuple((name or found.latest_ready_revision, share) for name, share in found.traffic)


def reject(run: RunApi, name: str, traffic: Traffic, release: str, why: str) -> None:
    """Give the traffic back, and remember that the newest release is not to have it."""
    run.route(name, traffic, label=REJECTED, value=f"{release}_{why}")


def accept(run: RunApi, name: str) -> Observed | None:
    """Give the traffic to the newest ready revision, and forget what was rejected."""
    return run.route(name, NEWEST, label=REJECTED)


def told(traffic: Traffic) -> str:
    """Traffic as people read it."""
    return ", ".join(
        f"{share} % to {name or 'the newest ready revision'}" for name, share in traffic
    )
