"""What a workflow must be before it is kept, in the order in which it is refused."""

import re
from collections.abc import Mapping
from typing import Any

from gpupipe.localcloud.errors import failed_precondition, invalid_argument, not_found
from gpupipe.localcloud.kernel.act_as import account_to_act_as
from gpupipe.localcloud.kernel.caller import Caller
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.kernel.labels import check_labels
from gpupipe.localcloud.kernel.regions import REGIONS
from gpupipe.workflows.errors import SourceError
from gpupipe.workflows.program import load

_ID = re.compile(r"[A-Za-z]([A-Za-z0-9_-]{0,62}[A-Za-z0-9])?")
# Workflow.user_env_vars: no empty keys, and none that begin so.
_RESERVED = ("GOOGLE", "WORKFLOWS")
_MOST_VARIABLES = 20
_VARIABLE_BYTES = 4096
_DESCRIPTION_CHARACTERS = 1000


def check_place(kernel: Kernel, name: str, workflow_id: str) -> None:
    """Refuse a name that cannot be, and a project without the service agent."""
    _, project, _, location, _, _ = name.split("/", 5)
    if location not in REGIONS:
        raise not_found(
            f"Location 'projects/{project}/locations/{location}' does not exist."
        )  # own
    if not _ID.fullmatch(workflow_id):
        raise invalid_argument(
            f"Invalid workflow id {workflow_id!r}: letters, digits, '-' and '_', "
            "beginning with a letter, ending with a letter or a digit, at most 64.",
            "workflow_id",
        )
    agents = kernel.agents
    if not agents.exists(agents.agent_email("workflows.googleapis.com", project)):
        raise failed_precondition("Workflows service agent does not exist")  # gcp-facts §4


def check(kernel: Kernel, workflow: Any, caller: Caller) -> None:
    """Refuse what Workflows refuses to deploy; the account gets its full name."""
    _check_account(kernel, workflow, caller)
    if len(workflow.description) > _DESCRIPTION_CHARACTERS:
        raise invalid_argument("The description is too long.", "workflow.description")
    _check_variables(workflow.user_env_vars)
    _check_key(kernel, workflow)
    check_labels(workflow.labels, "workflow.labels")
    try:
        load(workflow.source_contents)
    except SourceError as error:
        # The words before the faults are not documented.
        raise invalid_argument(f"failed to build: {error}", "workflow.source_contents") from error


def _check_account(kernel: Kernel, workflow: Any, caller: Caller) -> None:
    project = kernel.projects.ensure(workflow.name.split("/")[1])
    named = workflow.service_account or f"{project.number}-compute@developer.gserviceaccount.com"
    if kernel.identity.account(named.rpartition("/")[2]) is None:
        # gcp-facts §4
        raise invalid_argument(
            f'the referenced service account "{named}" is invalid, please verify the '
            "correctness of the service account name",
            "workflow.service_account",
        )
    account = account_to_act_as(kernel.identity, kernel.authorizer, caller, named)
    workflow.service_account = account.name


def _check_key(kernel: Kernel, workflow: Any) -> None:
    if not workflow.crypto_key_name:
        return
    _, project, _, location, *_ = workflow.name.split("/")
    kernel.outside.check_key(
        workflow.crypto_key_name,
        project=project,
        location=location,
        api="workflows.googleapis.com",
        path="workflow.crypto_key_name",
    )


def _check_variables(variables: Mapping[str, str]) -> None:
    path = "workflow.user_env_vars"
    if len(variables) > _MOST_VARIABLES:
        raise invalid_argument(f"At most {_MOST_VARIABLES} variables.", path)
    for name, value in variables.items():
        if not name or name.startswith(_RESERVED):
            raise invalid_argument(f"Invalid variable {name!r}.", path)
        if max(len(name.encode()), len(value.encode())) > _VARIABLE_BYTES:
            raise invalid_argument(f"The variable {name[:64]!r} is larger than 4 KiB.", path)
