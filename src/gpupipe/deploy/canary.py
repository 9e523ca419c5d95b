"""The proof at the end of a deploy: one small file goes through the whole pipeline.

Its object, its result and its work files are removed afterwards, whatever the outcome.
"""

import hashlib
import uuid

from gpupipe.cloud.cloud import Cloud
from gpupipe.core.clock import Clock
from gpupipe.core.errors import GpupipeError
from gpupipe.deploy.action import Action, Verb
from gpupipe.deploy.events import Failed, Finished, Report, Started, Waiting
from gpupipe.deploy.follow import DENIED, Outcome, Sent, follow
from gpupipe.deploy.phase import Phase
from gpupipe.deploy.spec import PipelineSpec

PREFIX = "gpupipe-canary/"
TIMEOUT_S = 900.0
# A new trigger may take two minutes to see its first event (gcp-facts 5); what came before is lost.
START_S = 60.0
_TEXT = b"This pipeline works, and that is good news."


class EarlyCanaryError(GpupipeError):
    """An account was not allowed to do its part, or nothing began: what is new may need its time."""


def action(spec: PipelineSpec) -> Action:
    """The canary as something that a run's progress shows."""
    place = f"gs://{spec.names.bucket('input')}/{PREFIX}"
    return Action("canary", Phase.MONITORING_AND_VALIDATION, "canary file in", place, Verb.CREATE,
                  "it proves that a file comes out")  # fmt: skip


def run(cloud: Cloud, spec: PipelineSpec, clock: Clock, report: Report) -> Outcome:
    """Send the canary and wait for its result. GpupipeError when it does not come."""
    began, shown = clock.monotonic(), action(spec)
    report(Started(shown))
    report(Waiting(shown, "its result", 0.0, TIMEOUT_S))
    cloud.caller.on_wait = lambda wait: report(
        Waiting(shown, wait.what, wait.elapsed_s, wait.deadline_s)
    )
    try:
        # Grants and trigger may be a minute old.
        outcome = cloud.caller.until_effective(lambda: _send(cloud, spec, clock), _is_early)
    except GpupipeError as error:
        report(Failed(shown, clock.monotonic() - began, error))
        raise
    report(Finished(shown, clock.monotonic() - began))
    return outcome


def _is_early(error: GpupipeError) -> bool:
    return isinstance(error, EarlyCanaryError)


def _send(cloud: Cloud, spec: PipelineSpec, clock: Clock) -> Outcome:
    names = spec.names
    name = f"{PREFIX}{uuid.uuid4().hex}.txt"
    began = clock.monotonic()
    uploaded = cloud.storage.upload(
        names.bucket("input"), name, _TEXT, content_type="text/plain", only_if_generation=0
    )
    sent = Sent(name, uploaded, clock.monotonic() - began)
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
    finally:
        _clean(cloud, spec, name)
    if outcome.state != "succeeded":
        never_began = outcome.state == "waiting" and not outcome.execution
        early = never_began or outcome.error_code in DENIED
        kind = EarlyCanaryError if early else GpupipeError
        raise kind(
            f"The canary file did not come out of the pipeline: {outcome.state}.",
            resource=f"gs://{uploaded.bucket}/{name}",
            details=outcome.reason or None,
            resolution="See the execution's error with `gpupipe status`, mend what it names, and run "
            "the same command again.",
            doc="reference/errors.md#canary",
        )
    return outcome


def _clean(cloud: Cloud, spec: PipelineSpec, name: str) -> None:
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
