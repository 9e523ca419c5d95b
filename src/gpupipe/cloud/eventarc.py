"""Eventarc: the trigger that starts the workflow for each object of a bucket."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gpupipe.cloud.api import Api
from gpupipe.cloud.call import none_if_missing
from gpupipe.cloud.causes import (
    ACCOUNT_VISIBLE,
    ACT_AS_VISIBLE,
    API_USABLE,
    BEING_DELETED,
    EVENTARC_AGENT,
    EVENTARC_GRANTS,
)
from gpupipe.cloud.operations import CREATE_S, DELETE_S, UPDATE_S


@dataclass(frozen=True, slots=True)
class Trigger:
    """A trigger. name: "projects/P/locations/L/triggers/T"; filters: attribute -> value."""

    name: str
    filters: Mapping[str, str]
    workflow: str
    account: str
    labels: Mapping[str, str]
    topic: str = ""
    subscription: str = ""
    updated: datetime | None = None
    uid: str = ""


class EventarcApi(Api):
    """The calls that gpupipe needs of Eventarc."""

    def get(self, name: str) -> Trigger | None:
        """The trigger, or None."""
        found = none_if_missing(
            lambda: self._unary(
                "Reading the trigger", name, self._client.get_trigger, {"name": name}
            )
        )
        return None if found is None else _trigger(found)

    def labelled(self, parent: str, labels: Mapping[str, str]) -> tuple[Trigger, ...]:
        """The triggers of a location that carry all these labels."""
        found = none_if_missing(
            lambda: self._all(
                "Listing triggers", parent, self._client.list_triggers, {"parent": parent}
            )
        )
        return tuple(
            _trigger(one) for one in found or () if labels.items() <= dict(one.labels).items()
        )

    def create(self, wanted: Trigger) -> None:
        """Make the trigger, waiting for Google's agents to get their roles."""
        parent, _, trigger_id = wanted.name.partition("/triggers/")
        self._operate(
            "Creating the trigger",
            wanted.name,
            self._client.create_trigger,
            {"parent": parent, "trigger_id": trigger_id, "trigger": _message(wanted)},
            CREATE_S,
            causes=(
                API_USABLE,
                EVENTARC_AGENT,
                EVENTARC_GRANTS,
                ACCOUNT_VISIBLE,
                ACT_AS_VISIBLE,
                BEING_DELETED,
            ),
        )

    def update(self, wanted: Trigger) -> None:
        """Set account, destination and labels; filters cannot be changed, only replaced."""
        self._operate(
            "Updating the trigger",
            wanted.name,
            self._client.update_trigger,
            {
                "trigger": _message(wanted),
                "update_mask": {"paths": ["service_account", "destination", "labels"]},
            },
            UPDATE_S,
            causes=(ACT_AS_VISIBLE,),
        )

    def delete(self, name: str) -> None:
        """Delete the trigger with its topic and subscription; one that is gone is fine."""
        none_if_missing(
            lambda: self._operate(
                "Deleting the trigger", name, self._client.delete_trigger, {"name": name}, DELETE_S
            )
        )

    @property
    def _client(self) -> Any:
        return self._clients.client("eventarc")


def _message(wanted: Trigger) -> dict[str, Any]:
    return {
        "name": wanted.name,
        "event_filters": [
            {"attribute": attribute, "value": value}
            for attribute, value in sorted(wanted.filters.items())
        ],
        "destination": {"workflow": wanted.workflow},
        "service_account": wanted.account,
        "labels": dict(wanted.labels),
    }


def _trigger(found: Any) -> Trigger:
    return Trigger(
        name=str(found.name),
        filters={str(one.attribute): str(one.value) for one in found.event_filters},
        workflow=str(found.destination.workflow),
        account=str(found.service_account).rpartition("/")[2],
        labels=dict(found.labels),
        topic=str(found.transport.pubsub.topic),
        subscription=str(found.transport.pubsub.subscription),
        updated=found.update_time,
        uid=str(found.uid),
    )
