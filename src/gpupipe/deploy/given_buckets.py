"""A bucket that the user names: it must be there, gets roles for our accounts, and is never deleted.

What is observed of it is the set of our accounts' bindings on it, as with the project's policy.
"""

from dataclasses import replace

from gpupipe.cloud.api import Binding
from gpupipe.core.errors import GpupipeError
from gpupipe.core.names import SERVICES
from gpupipe.deploy.action import Action, Verb
from gpupipe.deploy.step import Step, World, action, role_changes

_VARIABLES = {"input": "INPUT_BUCKET", "models": "MODEL_BUCKET", "output": "OUTPUT_BUCKET"}


def remembered(world: World) -> World:
    """The world with the user's buckets of the last deploy, for who comes without its configuration.

    A service's environment names them. Where no service is left, a destroy has taken our accounts'
    roles on them away before.
    """
    spec = world.spec
    for service in SERVICES:
        found = world.cloud.run.get(spec.service_name(service))
        if found is None or not spec.identity.items() <= found.service.labels.items():
            continue
        named = {role: found.service.environment.get(key) for role, key in _VARIABLES.items()}
        given = {
            role: name for role, name in named.items() if name and name != spec.names.bucket(role)
        }
        names = replace(spec.names, given={**given, **spec.names.given})
        return replace(world, spec=replace(spec, names=names))
    return world


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
