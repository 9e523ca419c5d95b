"""A bucket that the user names: it must be there, gets roles for our accounts, and is never deleted.

What is observed of it is the set of our accounts' bindings on it, as with the project's policy.
"""

from gpupipe.cloud.api import Binding
from gpupipe.core.errors import GpupipeError
from gpupipe.deploy.action import Action, Verb
from gpupipe.deploy.step import Step, World, action, role_changes


def observe(world: World, name: str) -> frozenset[Binding] | None:
    """The bindings of our accounts, deleted ones too; None where there is no bucket."""
    if world.cloud.storage.get(name) is None:
        return None
    bindings = world.cloud.storage.bindings(name)
    return frozenset(one for one in bindings if world.spec.is_ours(one[1]))


def diff(step: Step, world: World, role: str, bindings: frozenset[Binding] | None) -> Action:
    """Compare the roles. GpupipeError where there is no such bucket."""
    name = step.name(world)
    if bindings is None:
        raise GpupipeError(
            f"There is no bucket {name}, which the configuration names.",
            resource=f"gs://{name}",
            resolution=f"Make the bucket, or take buckets.{role}.name out of the configuration: "
            "then gpupipe makes one of its own.",
            doc="reference/configuration.md#buckets-of-your-own",
        )
    changes = role_changes(world.spec.bucket_roles(role), bindings, world.spec.members)
    if changes:
        return action(step, world, Verb.UPDATE, "it is yours, and our accounts need roles", changes)
    return action(step, world, Verb.KEEP, "it is yours, and the roles are as they should be")
