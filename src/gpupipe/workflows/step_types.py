"""What kind each step is, as the step entries of the Executions API have it."""

from collections.abc import Mapping
from dataclasses import dataclass

from gpupipe.workflows.steps import nodes


@dataclass(frozen=True, slots=True)
class Part:
    """What an entry is of: its StepType, and its number among its like."""

    kind: str
    number: int | None = None


BRANCH = "STEP_PARALLEL_BRANCH_ENTRY"
_KINDS: Mapping[type, str] = {
    nodes.Assign: "STEP_ASSIGN",
    nodes.Switch: "STEP_SWITCH",
    nodes.For: "STEP_FOR",
    nodes.Try: "STEP_TRY_RETRY_EXCEPT",
    nodes.Raise: "STEP_RAISE",
    nodes.Return: "STEP_RETURN",
    nodes.Block: "STEP_TYPE_UNSPECIFIED",
    type(None): "STEP_GOTO",
}


def kind_of(action: nodes.Action | None, program: nodes.Program) -> str:
    """The StepType of a step."""
    if isinstance(action, nodes.Call):
        name = action.function.text
        if name in program.routines:
            return "STEP_SUBWORKFLOW_CALL"
        return "STEP_CONNECTOR_CALL" if name.startswith("googleapis.") else "STEP_STD_LIB_CALL"
    if isinstance(action, nodes.Parallel):
        return "STEP_PARALLEL_BRANCH" if action.loop is None else "STEP_PARALLEL_FOR"
    return _KINDS[type(action)]
