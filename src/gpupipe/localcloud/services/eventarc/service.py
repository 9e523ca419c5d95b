"""google.cloud.eventarc.v1.Eventarc: triggers."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

from google.cloud import eventarc_v1 as pb
from google.longrunning.operations_pb2 import Operation
from google.protobuf.message import Message

from gpupipe.localcloud.errors import Code, ServiceError, already_exists
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.services.eventarc import carriers, rules
from gpupipe.localcloud.services.eventarc.rules import KIND, Trigger
from gpupipe.localcloud.transport.collection import Collection
from gpupipe.localcloud.transport.rpc import Call
from gpupipe.localcloud.transport.updates import WithoutMask, merged

_SET = tuple(
    f"trigger.{path}"
    for path in ("name", "event_filters", "service_account", "labels", "event_data_content_type",
                 "destination.workflow", "destination.cloud_function", "retry_policy")
)  # fmt: skip
FIELDS = {
    "get": ("name",),
    "list": ("parent", "page_size", "page_token"),
    # Callers may send back what they have read; the etag of a new trigger is the server's.
    "create": ("parent", "trigger_id", "validate_only", "trigger.etag", *_SET),
    "update": ("update_mask", "validate_only", "trigger.transport", "trigger.etag", *_SET),
    "delete": ("name", "etag", "allow_missing", "validate_only"),
}


def triggers_of(kernel: Kernel) -> Collection:
    """The stored triggers."""
    return Collection(kernel, pb, "Trigger", KIND)


class Triggers:
    """Create, get, list, update, delete. `forget` drops the events that wait for a trigger."""

    def __init__(self, kernel: Kernel, forget: Callable[[str], None]) -> None:
        self._kernel = kernel
        self._triggers = triggers_of(kernel)
        self._forget = forget

    def get(self, request: Any, _: Call) -> Message:
        """GetTrigger."""
        found: Message = self._triggers.existing(request.name)
        return found

    def policy_name(self, resource: str) -> str:
        """The name that a trigger's policy is kept under."""
        return str(self._triggers.existing(resource).name)

    def list(self, request: Any, _: Call) -> Message:
        """ListTriggers."""
        return self._triggers.page(request)

    def create(self, request: Any, call: Call) -> Operation:
        """CreateTrigger, with what carries its events."""
        trigger = Trigger()
        trigger.CopyFrom(request.trigger)
        trigger.name = self._triggers.name(request.parent, request.trigger_id)
        rules.check_new(self._kernel, trigger, request.trigger_id, call.caller)
        with self._kernel.database.transaction():
            if self._triggers.find(trigger.name) is not None:
                raise already_exists(f"Trigger {trigger.name!r} already exists.")  # own words
            rules.check_number(self._kernel, trigger.name.rpartition("/triggers/")[0])
            self._complete(trigger)
            if not request.validate_only:
                carriers.make(self._kernel, trigger)
                self._triggers.put(trigger)
                self._kernel.delays.begin(KIND, trigger.name)
            return self._triggers.operation(trigger.name, "create", trigger)

    def update(self, request: Any, call: Call) -> Operation:
        """UpdateTrigger: account, destination and labels."""
        with self._kernel.database.transaction():
            old = self._triggers.existing(request.trigger.name)
            _check_etag(old, request.trigger.etag)
            trigger = merged(
                old,
                request.trigger,
                request.update_mask,
                path="trigger",
                without_mask=WithoutMask.GIVEN,
                keep=("name",),
            )
            rules.check_changed(self._kernel, old, trigger, call.caller)
            # a request has no subscription: only the server sets it
            trigger.transport.CopyFrom(old.transport)
            trigger.event_data_content_type = rules.JSON
            trigger.update_time.FromDatetime(self._kernel.clock.now())
            trigger.etag = uuid4().hex
            if not request.validate_only:
                self._triggers.put(trigger)
            return self._triggers.operation(trigger.name, "update", trigger)

    def delete(self, request: Any, _: Call) -> Operation:
        """DeleteTrigger, with what carries its events and those that wait."""
        with self._kernel.database.transaction():
            if request.allow_missing and self._triggers.find(request.name) is None:
                gone = Trigger(name=request.name)
                return self._triggers.operation(request.name, "delete", gone)
            trigger = self._triggers.existing(request.name)
            _check_etag(trigger, request.etag)
            if not request.validate_only:
                self._triggers.delete(trigger)
                self._kernel.policies.delete(trigger.name)
                self._kernel.delays.end(KIND, trigger.name)
                carriers.remove(self._kernel, trigger)
                self._forget(trigger.name)
            return self._triggers.operation(trigger.name, "delete", trigger)

    def _complete(self, trigger: Any) -> None:
        trigger.event_data_content_type = rules.JSON
        trigger.uid, trigger.etag = str(uuid4()), uuid4().hex
        now = self._kernel.clock.now()
        trigger.create_time.FromDatetime(now)
        trigger.update_time.FromDatetime(now)


def _check_etag(trigger: Any, etag: str) -> None:
    if etag and etag != trigger.etag:
        raise ServiceError(Code.ABORTED, "The etag does not match: the trigger has changed.")
