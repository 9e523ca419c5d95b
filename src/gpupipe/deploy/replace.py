"""What can only be changed by deleting it and making it anew: never done unless it was asked for."""

from gpupipe.core.errors import GpupipeError
from gpupipe.deploy.action import Action, Verb
from gpupipe.deploy.planner import Plan


class ReplaceError(GpupipeError):
    """A plan would replace something, and `--allow-replace` was not given."""

    def __init__(self, action: Action) -> None:
        super().__init__(
            f"The {action.kind} cannot be changed where it is: {action.reason}.",
            resource=action.name,
            details="\n".join(map(str, action.changes)),
            resolution="Deploy with --allow-replace: it is deleted and made anew. Files that arrive "
            "in between, and while a new trigger is not effective yet, start no run.",
            doc="reference/errors.md#replace",
        )


def replaced(plan: Plan) -> tuple[Action, ...]:
    """The actions that delete a resource and make it anew."""
    return tuple(one for one in plan.actions if one.verb is Verb.REPLACE)
