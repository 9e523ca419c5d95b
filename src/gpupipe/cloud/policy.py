"""IAM policies: which bindings are there, and changing only ours, with the etag that was read."""

from collections.abc import Callable, Collection
from typing import Any

from gpupipe.cloud.api import Binding
from gpupipe.cloud.call import Caller
from gpupipe.core.errors import GpupipeError

# Version 3, so that conditional bindings of others are neither lost nor misread.
VERSION = 3


def bindings_of(policy: Any) -> frozenset[Binding]:
    """The unconditional (role, member) pairs of a google.iam.v1 policy."""
    return frozenset(
        (str(binding.role), str(member))
        for binding in policy.bindings
        if not binding.condition.expression
        for member in binding.members
    )


def edit(
    caller: Caller,
    *,
    read: Callable[[], Any],
    write: Callable[[Any], Any],
    add: Collection[Binding],
    remove: Collection[Binding],
) -> None:
    """Read, change, write with the same etag; again from the start when somebody was faster."""

    def once() -> None:
        policy = read()
        present = bindings_of(policy)
        missing = set(add) - present
        surplus = set(remove) & present
        if not missing and not surplus:
            return
        for role, member in sorted(surplus):
            _remove(policy, role, member)
        for role, member in sorted(missing):
            _add(policy, role, member)
        policy.version = VERSION
        write(policy)

    caller.read_modify_write(once)


def _add(policy: Any, role: str, member: str) -> None:
    for binding in policy.bindings:
        if binding.role == role and not binding.condition.expression:
            binding.members.append(member)
            return
    policy.bindings.add(role=role, members=[member])


def _remove(policy: Any, role: str, member: str) -> None:
    for index, binding in reversed(list(enumerate(policy.bindings))):
        if binding.role == role and not binding.condition.expression and member in binding.members:
            binding.members.remove(member)
            if not binding.members:
                del policy.bindings[index]


def is_account_not_visible(error: GpupipeError) -> bool:
    """Whether a policy was refused because a new service account is not visible yet."""
    text = error.details or ""
    return "does not exist" in text and "ervice account" in text
