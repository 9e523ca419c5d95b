"""google.cloud.eventarc.v1.Eventarc: triggers."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

from google.cloud import eventarc_v1 as pb
from google.longrunning.operations_pb2 import Operation
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from gpupipe.localcloud.errors import (
    Code,
    ServiceError,
    already_exists,
    invalid_argument,
    not_found,
    unimplemented,
)
from gpupipe.localcloud.kernel import locations
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.services.eventarc import rules
from gpupipe.localcloud.services.eventarc.rules import Trigger
from gpupipe.localcloud.transport.rows import raw
from gpupipe.localcloud.transport.rpc import Call

KIND = "eventarc.trigger"
_CHANGEABLE = ("service_account", "destination", "labels")
_GIVEN = (*_CHANGEABLE, "event_filters", "event_data_content_type")


class Triggers:
    """Create, get, list, update, delete. `forget` drops the events that wait for a trigger."""

    def __init__(self, kernel: Kernel, forget: Callable[[str], None]) -> None:
        self._kernel = kernel
        self._forget = forget

    def get(self, request: Any, _: Call) -> Message:
        """GetTrigger."""
        found: Message = self._existing(request.name)
        return found

    def list(self, request: Any, _: Call) -> Message:
        """ListTriggers."""
        if request.filter or request.order_by:
            raise unimplemented("filters and orders in lists of triggers")
        parent = locations.location(self._kernel.projects, request.parent)
        page = self._kernel.resources.page(
            KIND, parent, size=request.page_size, token=request.page_token
        )
        answer: Message = raw(pb.ListTriggersResponse)(
            triggers=[Trigger.FromString(record.body) for record in page.records],
            next_page_token=page.next_token,
        )
        return answer

    def create(self, request: Any, call: Call) -> Operation:
        """CreateTrigger, with the topic and subscription that carry its events."""
        parent = locations.location(self._kernel.projects, request.parent)
        rules.check_id(request.trigger_id)
        if request.trigger.HasField("retry_policy"):
            raise invalid_argument(
                "retry_policy is only for Cloud Run destinations.", "trigger.retry_policy"
            )
        trigger = Trigger()
        FieldMask(paths=list(_GIVEN)).MergeMessage(request.trigger, trigger)
        trigger.name = f"{parent}/triggers/{request.trigger_id}"
        rules.check(self._kernel, trigger, call.caller)
        self._complete(trigger)
        with self._kernel.database.transaction():
            if self._kernel.resources.get(KIND, trigger.name) is not None:
                raise already_exists(f"Trigger {trigger.name!r} already exists.")  # own words
            if not request.validate_only:
                self._put(trigger)
            return self._operation(trigger, "create")

    def update(self, request: Any, call: Call) -> Operation:
        """UpdateTrigger; whether Google lets filters change is UNSURE, so they are refused."""
        if request.allow_missing:
            raise unimplemented("updates that create a missing trigger")
        paths = _paths(request)
        with self._kernel.database.transaction():
            trigger = self._existing(request.trigger.name)
            _check_etag(trigger, request.trigger.etag)
            for path in paths:
                trigger.ClearField(path)
                FieldMask(paths=[path]).MergeMessage(request.trigger, trigger)
            rules.check(self._kernel, trigger, call.caller)
            trigger.update_time.FromDatetime(self._kernel.clock.now())
            trigger.etag = uuid4().hex
            if not request.validate_only:
                self._put(trigger)
            return self._operation(trigger, "update")

    def delete(self, request: Any, _: Call) -> Operation:
        """DeleteTrigger, with the events that wait for it."""
        with self._kernel.database.transaction():
            if request.allow_missing and self._find(request.name) is None:
                return self._operation(Trigger(name=request.name), "delete")
            trigger = self._existing(request.name)
            _check_etag(trigger, request.etag)
            if not request.validate_only:
                self._kernel.resources.delete(KIND, trigger.name)
                self._forget(trigger.name)
            return self._operation(trigger, "delete")

    def _find(self, name: str) -> Any:
        own = locations.below(self._kernel.projects, name, "triggers")
        record = self._kernel.resources.get(KIND, own)
        return None if record is None else Trigger.FromString(record.body)

    def _existing(self, name: str) -> Any:
        trigger = self._find(name)
        if trigger is None:
            raise not_found(f"Resource '{name}' was not found.")  # own words
        return trigger

    def _complete(self, trigger: Any) -> None:
        _, project, _, location, _, trigger_id = trigger.name.split("/")
        carrier = f"eventarc-{location}-{trigger_id}"
        number = uuid4().int % 1000
        trigger.transport.pubsub.topic = f"projects/{project}/topics/{carrier}-{number:03d}"
        subscription = f"{carrier}-sub-{number:03d}"
        trigger.transport.pubsub.subscription = f"projects/{project}/subscriptions/{subscription}"
        trigger.event_data_content_type = trigger.event_data_content_type or "application/json"
        trigger.uid, trigger.etag = str(uuid4()), uuid4().hex
        now = self._kernel.clock.now()
        trigger.create_time.FromDatetime(now)
        trigger.update_time.FromDatetime(now)

    def _put(self, trigger: Any) -> None:
        parent = trigger.name.rpartition("/triggers/")[0]
        self._kernel.resources.put(KIND, trigger.name, parent, trigger.SerializeToString())

    def _operation(self, trigger: Any, verb: str) -> Operation:
        parent = trigger.name.rpartition("/triggers/")[0]
        metadata = raw(pb.OperationMetadata)(target=trigger.name, verb=verb, api_version="v1")
        metadata.create_time.FromDatetime(self._kernel.clock.now())
        return self._kernel.operations.run(
            f"{parent}/operations/operation-{uuid4()}",
            metadata=metadata,
            work=lambda _: trigger,
            resource=trigger.name,
        )


def _paths(request: Any) -> list[str]:
    """What an update changes: without a mask what is given, with '*' all that can be changed."""
    paths = list(request.update_mask.paths)
    if not paths:
        given = {field.name for field, _ in request.trigger.ListFields()}
        return [path for path in _CHANGEABLE if path in given]
    if paths == ["*"]:
        return list(_CHANGEABLE)
    for path in paths:
        if path not in _CHANGEABLE:
            raise invalid_argument(f"The field {path!r} cannot be changed.", "update_mask")
    return paths


def _check_etag(trigger: Any, etag: str) -> None:
    if etag and etag != trigger.etag:
        raise ServiceError(Code.ABORTED, "The etag does not match: the trigger has changed.")
