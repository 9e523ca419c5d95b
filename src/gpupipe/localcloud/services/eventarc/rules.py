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
from gpupipe.localcloud.kernel.labels import check_labels
from gpupipe.localcloud.transport.rows import raw

Trigger = raw(pb.Trigger)
KIND = "eventarc.trigger"
JSON = "application/json"
_MOST = 500
_ID = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
_STORAGE = "google.cloud.storage.object.v1."
TYPES = {
    f"{_STORAGE}finalized": "OBJECT_FINALIZE",
    f"{_STORAGE}deleted": "OBJECT_DELETE",
    f"{_STORAGE}archived": "OBJECT_ARCHIVE",
    f"{_STORAGE}metadataUpdated": "OBJECT_METADATA_UPDATE",
}
"""Event types, and what the notifications of buckets call them."""
_BUCKET = "storage.bucket"
_FILTERS = "trigger.event_filters"
PUBLISH = "pubsub.topics.publish"
_PUBSUB = "pubsub.googleapis.com"
_RECEIVE = "eventarc.events.receiveEvent"
# The texts: gcp-facts §5.
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


def check_new(kernel: Kernel, trigger: Any, trigger_id: str, caller: Caller) -> None:
    """Refuse what Eventarc refuses to create; account and workflow get their full names."""
    _check_id(trigger, trigger_id)
    _check_fields(trigger)
    _check_destination(kernel, trigger)
    _check_filters(trigger)
    email = _check_account(kernel, trigger, caller)
    _check_bucket(kernel, trigger)
    _check_agents(kernel, trigger)
    _check_receiver(kernel, trigger, email)


def check_changed(kernel: Kernel, old: Any, trigger: Any, caller: Caller) -> None:
    """Refuse what an update may not change or set; account and workflow get their full names."""
    if _pairs(old) != _pairs(trigger):
        # UNSURE whether Google lets filters change (gcp-facts §10).
        raise invalid_argument("The filters of a trigger cannot be changed.", _FILTERS)
    if old.transport.pubsub.topic != trigger.transport.pubsub.topic:
        raise invalid_argument("The transport cannot be changed.", "trigger.transport")
    _check_fields(trigger)
    _check_destination(kernel, trigger)
    _check_receiver(kernel, trigger, _check_account(kernel, trigger, caller))


def filters(trigger: Any) -> dict[str, str]:
    """The attributes that a trigger matches exactly."""
    return {one.attribute: one.value for one in trigger.event_filters}


def _pairs(trigger: Any) -> list[tuple[str, str, str]]:
    return sorted((one.attribute, one.value, one.operator) for one in trigger.event_filters)


def _check_id(trigger: Any, trigger_id: str) -> None:
    # UNSURE: the form is own knowledge.
    if not _ID.fullmatch(trigger_id):
        raise invalid_argument(
            f"Invalid trigger id {trigger_id!r}: lower-case letters, digits and '-', "
            "beginning with a letter, at most 63.",
            "trigger_id",
        )
    if trigger.name and trigger.name.rpartition("/triggers/")[2] != trigger_id:
        raise invalid_argument("The name does not end in the trigger's id.", "trigger.name")


def _check_fields(trigger: Any) -> None:
    if trigger.HasField("retry_policy"):
        raise invalid_argument(
            "retry_policy is only for Cloud Run destinations.", "trigger.retry_policy"
        )
    if trigger.event_data_content_type not in {"", JSON}:
        raise unimplemented(f"events whose data is {trigger.event_data_content_type!r}")
    check_labels(trigger.labels, "trigger.labels")


def check_number(kernel: Kernel, parent: str) -> None:
    """RESOURCE_EXHAUSTED where a location holds as many triggers as it may (gcp-facts §5)."""
    if len(kernel.resources.all(KIND, parent)) >= _MOST:
        raise ServiceError(Code.RESOURCE_EXHAUSTED, f"At most {_MOST} triggers in a location.")


def _check_destination(kernel: Kernel, trigger: Any) -> None:
    path = "trigger.destination"
    if trigger.destination.WhichOneof("descriptor") != "workflow":
        # Destination.cloud_function: to set it is an error
        raise invalid_argument("A trigger needs a destination that can be set.", path)
    own = locations.below(kernel.projects, trigger.destination.workflow, "workflows")
    if own.split("/")[1] != trigger.name.split("/")[1]:
        raise invalid_argument("The workflow must be in the trigger's project.", f"{path}.workflow")
    kernel.workflow_runs.existing(own)
    trigger.destination.workflow = own


def _check_filters(trigger: Any) -> None:
    seen: set[str] = set()
    for one in trigger.event_filters:
        if one.operator:
            raise invalid_argument(
                f"The operator {one.operator!r} is not allowed for {one.attribute!r}.", _FILTERS
            )
        if one.attribute in seen:
            raise invalid_argument(f"The attribute {one.attribute!r} is given twice.", _FILTERS)
        seen.add(one.attribute)
    kind = filters(trigger).get("type", "")
    if kind not in TYPES:
        if kind and not kind.startswith(_STORAGE):
            raise unimplemented(f"triggers of the type {kind!r}")
        raise invalid_argument(f"There are no events of the type {kind!r}.", _FILTERS)
    if seen != {"type", "bucket"}:
        raise invalid_argument(
            "A trigger of Cloud Storage filters on type and bucket, and nothing else.", _FILTERS
        )


def _check_account(kernel: Kernel, trigger: Any, caller: Caller) -> str:
    named = trigger.service_account
    if not named:
        # UNSURE: the API says "optional", and not what a workflow is started as then.
        raise invalid_argument("The trigger needs a service account.", "trigger.service_account")
    account = account_to_act_as(kernel.identity, kernel.authorizer, caller, named)
    trigger.service_account = account.email
    return account.email


def _check_receiver(kernel: Kernel, trigger: Any, email: str) -> None:
    project = "/".join(trigger.name.split("/")[:2])
    if not kernel.authorizer.allowed(f"serviceAccount:{email}", _RECEIVE, project):
        # gcp-facts §5 has the words up to "denied"
        raise ServiceError(Code.PERMISSION_DENIED, f'Permission "{_RECEIVE}" denied on "{email}"')


def _check_bucket(kernel: Kernel, trigger: Any) -> None:
    location, bucket = trigger.name.split("/")[3], filters(trigger)["bucket"]
    record = kernel.resources.get(_BUCKET, f"projects/_/buckets/{bucket}")
    if record is None:
        raise invalid_argument(f'Bucket "{bucket}" does not exist.', _FILTERS)
    if record.parent != "/".join(trigger.name.split("/")[:2]):
        # UNSURE: own knowledge
        raise invalid_argument(f'Bucket "{bucket}" is not in the trigger\'s project.', _FILTERS)
    body = json.loads(record.body)
    if body["locationType"] == "dual-region":
        # UNSURE whether Eventarc takes them (gcp-facts §5).
        raise invalid_argument(
            f'Bucket "{bucket}" is in two regions: use one in a region, or in us or eu.', _FILTERS
        )
    place = str(body["location"]).lower()
    if place != location:
        raise invalid_argument(  # gcp-facts §5
            f'The request was invalid: Bucket "{bucket}" location "{place}" does not match '
            f'trigger location "{location}". Try again by creating the trigger in "{place}".',
            "trigger.name",
        )


def _check_agents(kernel: Kernel, trigger: Any) -> None:
    project = trigger.name.split("/")[1]
    if not kernel.projects.is_enabled(project, _PUBSUB):
        # UNSURE how it is said: a quickstart lists the API among those that are needed.
        raise failed_precondition(f"{_PUBSUB} is not enabled: it carries the trigger's events.")
    agents, allowed = kernel.agents, kernel.authorizer.allowed
    eventarc = agents.agent_email("eventarc.googleapis.com", project)
    resource = f"projects/{project}"
    acts = allowed(f"serviceAccount:{eventarc}", "pubsub.topics.create", resource)
    if not (agents.exists(eventarc) and acts):
        raise failed_precondition(_AGENT_TEXT)
    storage = agents.agent_email("storage.googleapis.com", project)
    if not allowed(f"serviceAccount:{storage}", PUBLISH, resource):
        raise failed_precondition(_PUBLISHER_TEXT)
