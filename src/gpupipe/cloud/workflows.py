"""Workflows: the workflow with its source, account and variables."""

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
    WORKFLOWS_AGENT,
)
from gpupipe.cloud.operations import CREATE_S, DELETE_S, UPDATE_S

_FIELDS = (
    "source_contents", "service_account", "user_env_vars", "labels", "description",
    "call_log_level", "crypto_key_name",
)  # fmt: skip
_UNSPECIFIED = "CALL_LOG_LEVEL_UNSPECIFIED"


@dataclass(frozen=True, slots=True)
class Workflow:
    """A workflow. name: "projects/P/locations/R/workflows/W"; account: e-mail.

    call_log_level: Google's word, "" where Workflows' own default holds.
    """

    name: str
    source: str
    account: str
    variables: Mapping[str, str]
    labels: Mapping[str, str]
    description: str
    call_log_level: str = ""
    kms_key: str = ""
    state: str = ""
    revision: str = ""
    updated: datetime | None = None


class WorkflowsApi(Api):
    """The calls that gpupipe needs of Workflows."""

    def get(self, name: str) -> Workflow | None:
        """The workflow, or None."""
        found = none_if_missing(
            lambda: self._unary(
                "Reading the workflow", name, self._client.get_workflow, {"name": name}
            )
        )
        return None if found is None else _workflow(found)

    def labelled(self, parent: str, labels: Mapping[str, str]) -> tuple[Workflow, ...]:
        """The workflows of a location that carry all these labels."""
        found = none_if_missing(
            lambda: self._all(
                "Listing workflows", parent, self._client.list_workflows, {"parent": parent}
            )
        )
        return tuple(
            _workflow(one) for one in found or () if labels.items() <= dict(one.labels).items()
        )

    def create(self, wanted: Workflow) -> None:
        """Make the workflow and wait for it."""
        parent, _, workflow_id = wanted.name.partition("/workflows/")
        self._operate(
            "Creating the workflow",
            wanted.name,
            self._client.create_workflow,
            {"parent": parent, "workflow_id": workflow_id, "workflow": _message(wanted)},
            CREATE_S,
            causes=(API_USABLE, WORKFLOWS_AGENT, ACCOUNT_VISIBLE, ACT_AS_VISIBLE, BEING_DELETED),
        )

    def update(self, wanted: Workflow) -> None:
        """Set the owned fields; a changed source makes a new revision."""
        self._operate(
            "Updating the workflow",
            wanted.name,
            self._client.update_workflow,
            {"workflow": _message(wanted), "update_mask": {"paths": list(_FIELDS)}},
            UPDATE_S,
            causes=(ACCOUNT_VISIBLE, ACT_AS_VISIBLE),
        )

    def delete(self, name: str) -> None:
        """Delete the workflow, which ends its executions; one that is gone already is fine."""
        none_if_missing(
            lambda: self._operate(
                "Deleting the workflow",
                name,
                self._client.delete_workflow,
                {"name": name},
                DELETE_S,
            )
        )

    @property
    def _client(self) -> Any:
        return self._clients.client("workflows")


def _message(wanted: Workflow) -> dict[str, Any]:
    return {
        "name": wanted.name,
        "source_contents": wanted.source,
        "service_account": wanted.account,
        "user_env_vars": dict(wanted.variables),
        "labels": dict(wanted.labels),
        "description": wanted.description,
        "call_log_level": wanted.call_log_level or _UNSPECIFIED,
        "crypto_key_name": wanted.kms_key,
    }


def _workflow(found: Any) -> Workflow:
    return Workflow(
        name=str(found.name),
        source=str(found.source_contents),
        # The API may answer with projects/P/serviceAccounts/EMAIL.
        account=str(found.service_account).rpartition("/")[2],
        variables=dict(found.user_env_vars),
        labels=dict(found.labels),
        description=str(found.description),
        call_log_level=str(found.call_log_level.name).replace(_UNSPECIFIED, ""),
        kms_key=str(found.crypto_key_name),
        state=str(found.state.name),
        revision=str(found.revision_id),
        updated=found.update_time,
    )
