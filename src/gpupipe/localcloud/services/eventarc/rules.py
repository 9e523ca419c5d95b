"""What a trigger must be before it is kept, in the order in which it is refused."""

import json
import re
from typing import Any

from google.cloud import eventarc_v1 as pb

from gpupipe.localcloud.errors import (
    Code,
    ServiceError,
    failed_precondition,
    invalid_argument,
    unimplemented,
)
from gpupipe.localcloud.kernel import locations
from gpupipe.localcloud.kernel.act_as import account_to_act_as
from gpupipe.localcloud.kernel.caller import Caller
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.transport.rows import raw

Trigger = raw(pb.Trigger)
_ID = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
_TYPES = tuple(
    f"google.cloud.storage.object.v1.{kind}"
    for kind in ("finalized", "deleted", "archived", "metadataUpdated")
)
_BUCKET = "storage.bucket"
_AGENT_TEXT = (
    'Invalid resource state for "": Permission denied while using the Eventarc Service Agent. '
    "If you recently started to use Eventarc, it may take a few minutes before all necessary "
    "permissions are propagated to the Service Agent. Otherwise, verify that it has Eventarc "
    "Service Agent role."
)
_PUBLISHER_TEXT = (
    "The Cloud Storage service account for your bucket is unable to publish to Cloud Pub/Sub "
    "topics in the specified project.\nTo use GCS CloudEvent triggers, the GCS service account "
    "requires the Pub/Sub Publisher (roles/pubsub.publisher) IAM role in the specified project."
)


def check_id(trigger_id: str) -> None:
    """INVALID_ARGUMENT unless it can name a trigger."""
    if not _ID.fullmatch(trigger_id):
        raise invalid_argument(
            f"Invalid trigger id {trigger_id!r}: lower-case letters, digits and '-', "
            "beginning with a letter, at most 63.",
            "trigger_id",
        )


def filters(trigger: Any) -> dict[str, str]:
    """The attributes that a trigger matches exactly; INVALID_ARGUMENT for other filters."""
    found: dict[str, str] = {}
    for one in trigger.event_filters:
        if one.operator:
            raise invalid_argument(
                f"The operator {one.operator!r} is not allowed for {one.attribute!r}.",
                "trigger.event_filters",
            )
        if one.attribute in found:
            raise invalid_argument(
                f"The attribute {one.attribute!r} is given twice.", "trigger.event_filters"
            )
        found[one.attribute] = one.value
    return found


def check(kernel: Kernel, trigger: Any, caller: Caller) -> None:
    """Refuse what Eventarc refuses; the account and the workflow get their full names."""
    _, project, _, location, _, _ = trigger.name.split("/")
    _check_destination(kernel, trigger)
    account = account_to_act_as(kernel.identity, kernel.authorizer, caller, trigger.service_account)
    trigger.service_account = account.email
    _check_bucket(kernel, _checked_filters(trigger), location)
    _check_agents(kernel, project)
    member, permission = f"serviceAccount:{account.email}", "eventarc.events.receiveEvent"
    if not kernel.authorizer.allowed(member, permission, f"projects/{project}"):
        raise ServiceError(
            Code.PERMISSION_DENIED, f'Permission "{permission}" denied on "{account.email}"'
        )


def _checked_filters(trigger: Any) -> dict[str, str]:
    wanted = filters(trigger)
    if wanted.get("type") not in _TYPES:
        raise unimplemented(f"triggers of the type {wanted.get('type')!r}")
    if set(wanted) != {"type", "bucket"}:
        raise invalid_argument(
            "A trigger of Cloud Storage filters on type and bucket, and nothing else.",
            "trigger.event_filters",
        )
    return wanted


def _check_destination(kernel: Kernel, trigger: Any) -> None:
    if trigger.destination.WhichOneof("descriptor") != "workflow":
        raise unimplemented("destinations other than workflows")
    own = locations.below(kernel.projects, trigger.destination.workflow, "workflows")
    if own.split("/")[1] != trigger.name.split("/")[1]:
        raise invalid_argument(
            "The workflow must be in the trigger's project.", "trigger.destination.workflow"
        )
    kernel.workflow_runs.existing(own)
    trigger.destination.workflow = own


def _check_bucket(kernel: Kernel, wanted: dict[str, str], location: str) -> None:
    bucket = wanted["bucket"]
    record = kernel.resources.get(_BUCKET, f"projects/_/buckets/{bucket}")
    if record is None:
        raise invalid_argument(f'Bucket "{bucket}" does not exist.', "trigger.event_filters")
    place = str(json.loads(record.body)["location"]).lower()
    if place != location:
        raise invalid_argument(
            f'The request was invalid: Bucket "{bucket}" location "{place}" does not match '
            f'trigger location "{location}". Try again by creating the trigger in "{place}".',
            "trigger.name",
        )


def _check_agents(kernel: Kernel, project: str) -> None:
    agents, allowed = kernel.agents, kernel.authorizer.allowed
    eventarc = agents.agent_email("eventarc.googleapis.com", project)
    resource = f"projects/{project}"
    acts = allowed(f"serviceAccount:{eventarc}", "pubsub.topics.create", resource)
    if not (agents.exists(eventarc) and acts):
        raise failed_precondition(_AGENT_TEXT)
    storage = agents.agent_email("storage.googleapis.com", project)
    if not allowed(f"serviceAccount:{storage}", "pubsub.topics.publish", resource):
        raise failed_precondition(_PUBLISHER_TEXT)
