"""The proof at the end of a deploy: one small file goes through the whole pipeline, hop by hop.

Its object, its result and its work files are removed afterwards, whatever the outcome. An execution
that still works on it is cancelled first, for it could write a result later; what an earlier canary
has left all the same is removed with it.
"""

import base64
import hashlib
import uuid
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from gpupipe.cloud.cloud import Cloud
from gpupipe.core.clock import Clock
from gpupipe.core.errors import GpupipeError
from gpupipe.deploy.action import Action, Verb
from gpupipe.deploy.events import Failed, Finished, Report, Started, Waiting
from gpupipe.deploy.follow import DENIED, Outcome, Sent, follow, working_on
from gpupipe.deploy.models import takes_images
from gpupipe.deploy.phase import Phase
from gpupipe.deploy.spec import PipelineSpec

PREFIX = "gpupipe-canary/"
TIMEOUT_S = 900.0
# A new trigger may take two minutes to see its first event (gcp-facts 5); what came before is lost.
START_S = 60.0
HOPS = ("upload", "trigger", "preprocess", "inference", "postprocess", "result")
PASSED, BROKEN, NOT_REACHED = "passed", "failed", "not reached"
# Suffix, content type and content; the picture, for a model that takes such, is one white pixel.
_TEXT = (".txt", "text/plain", b"This pipeline works, and that is good news.")
_IMAGE = (
    ".png",
    "image/png",
    base64.b64decode(
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4//8/AAX+Av4N70a4AAAAAElFTkSuQmCC"
    ),
)


@dataclass(frozen=True, slots=True)
class Hop:
    """One part of the way and its verdict; seconds: None where that is not known."""

    name: str
    verdict: str
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Proof:
    """What the canary showed. waited_s: until trigger and grants were effective, 0 where at once."""

    outcome: Outcome
    hops: tuple[Hop, ...]
    waited_s: float = 0.0


class CanaryError(GpupipeError):
    """The file did not come out: the pipeline itself failed, not what looks at it.

    state: the file's, as `Outcome` has it.
    """

    state: str = ""


class EarlyCanaryError(CanaryError):
    """An account was not allowed to do its part, or nothing began: what is new may need its time.

    waits_for: what that is, in words.
    """

    waits_for: str = ""


def action(spec: PipelineSpec) -> Action:
    """The canary as something that a run's progress shows."""
    place = f"gs://{spec.names.bucket('input')}/{PREFIX}"
    return Action("canary", Phase.MONITORING_AND_VALIDATION, "canary file in", place, Verb.CREATE,
                  "it proves that a file comes out")  # fmt: skip


def run(cloud: Cloud, spec: PipelineSpec, clock: Clock, report: Report) -> Proof:
    """Send the canary and wait for its result. CanaryError when it does not come."""
    began, shown = clock.monotonic(), action(spec)
    report(Started(shown))
    cloud.caller.on_wait = lambda wait: report(
        Waiting(shown, wait.what, wait.elapsed_s, wait.deadline_s)
    )
    tries: list[float] = []

    def once() -> Proof:
        tries.append(clock.monotonic())
        return _send(cloud, spec, clock, waited_s=tries[-1] - tries[0])

    try:
        # Grants and trigger may be a minute old.
        proof = cloud.caller.until_effective(once, _early)
    except GpupipeError as error:
        report(Failed(shown, clock.monotonic() - began, error))
        raise
    report(Finished(shown, clock.monotonic() - began))
    return proof


def _early(error: GpupipeError) -> str:
    return error.waits_for if isinstance(error, EarlyCanaryError) else ""


def _send(cloud: Cloud, spec: PipelineSpec, clock: Clock, *, waited_s: float) -> Proof:
    names = spec.names
    suffix, content_type, data = content(cloud, spec)
    name = f"{PREFIX}{uuid.uuid4().hex}{suffix}"
    began = clock.monotonic()
    uploaded = cloud.storage.upload(
        names.bucket("input"), name, data, content_type=content_type, only_if_generation=0
    )
    sent, ended = Sent(name, uploaded, clock.monotonic() - began), False
    try:
        (outcome,) = follow(
            cloud,
            spec.workflow_name,
            names.bucket("output"),
            [sent],
            clock=clock,
            timeout_s=TIMEOUT_S,
            start_s=START_S,
        )
        ended = outcome.state != "waiting"
    finally:
        if not ended:
            _cancel(cloud, spec, sent)
        clean(cloud, spec, name)
        _sweep(cloud, spec, uploaded.created)
    hops = _hops(outcome, clock.monotonic() - began)
    if outcome.state != "succeeded":
        raise _failed(outcome, hops)
    return Proof(outcome, hops, waited_s)


def _hops(outcome: Outcome, total_s: float) -> tuple[Hop, ...]:
    """Each hop with its verdict. The result's time is what the others leave of the whole."""
    seconds = dict(outcome.seconds)
    seconds["trigger"] = seconds.pop("queue", 0.0)
    if outcome.state == "succeeded":
        seconds["result"] = max(0.0, total_s - sum(seconds.values()))
        return tuple(Hop(name, PASSED, seconds.get(name)) for name in HOPS)
    broken = HOPS.index(_broken_at(outcome))
    return tuple(
        Hop(name, PASSED, seconds.get(name) or None)
        if index < broken
        else Hop(name, BROKEN if index == broken else NOT_REACHED)
        for index, name in enumerate(HOPS)
    )


def _broken_at(outcome: Outcome) -> str:
    if not outcome.execution:
        return "trigger"
    return outcome.stage if outcome.stage in HOPS else "result"


def _failed(outcome: Outcome, hops: tuple[Hop, ...]) -> CanaryError:
    never_began = outcome.state == "waiting" and not outcome.execution
    early = never_began or outcome.error_code in DENIED
    kind = EarlyCanaryError if early else CanaryError
    way = ", ".join(f"{one.name} {one.verdict}" for one in hops)
    error = kind(
        f"The canary file did not come out of the pipeline: {outcome.state}.",
        resource=f"gs://{outcome.sent.object.bucket}/{outcome.sent.object.name}",
        details="\n".join(part for part in (outcome.reason, f"Its way: {way}.") if part),
        resolution="See the execution's error with `gpupipe status`, mend what it names, and run "
        "the same command again.",
        doc="reference/errors.md#canary",
    )
    error.state = outcome.state
    if isinstance(error, EarlyCanaryError):
        error.waits_for = (
            "the new trigger to be effective" if never_began else "new grants to take effect"
        )
    return error


def _cancel(cloud: Cloud, spec: PipelineSpec, sent: Sent) -> None:
    """End what still works on it; where that cannot be done, `_sweep` of the next canary tidies up."""
    with suppress(GpupipeError):
        for execution in working_on(cloud, spec.workflow_name, sent):
            cloud.executions.cancel(execution.name)


def content(cloud: Cloud, spec: PipelineSpec) -> tuple[str, str, bytes]:
    """Suffix, content type and content of a file that the model can read."""
    return _IMAGE if takes_images(cloud, spec) else _TEXT


def clean(cloud: Cloud, spec: PipelineSpec, name: str) -> None:
    """Remove a file below PREFIX, what came out of it, and its work files."""
    folder = hashlib.sha256(name.encode()).hexdigest()[:16]
    places = (
        ("input", name),
        ("output", f"results/{name}"),
        ("output", f"errors/{name}"),
        ("work", f"chunks/{folder}"),
        ("work", f"scores/{folder}"),
    )
    for role, prefix in places:
        bucket = spec.names.bucket(role)
        for found in cloud.storage.objects(bucket, prefix, versions=True):
            cloud.storage.remove(bucket, found.name, found.generation)


def _sweep(cloud: Cloud, spec: PipelineSpec, now: datetime | None) -> None:
    """Remove what canaries left that were cut off; one that is younger may still be under way."""
    if now is None:
        return
    old = now - timedelta(seconds=TIMEOUT_S)
    for role, prefix in (("input", ""), ("output", "results/"), ("output", "errors/")):
        bucket = spec.names.bucket(role)
        for found in cloud.storage.objects(bucket, prefix + PREFIX):
            if found.created is not None and found.created < old:
                cloud.storage.remove(bucket, found.name, found.generation)
