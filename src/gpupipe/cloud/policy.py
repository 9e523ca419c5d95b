"""IAM policies: which bindings are there, and changing only ours, with the etag that was read."""

from abc import abstractmethod
from collections.abc import Callable, Collection
from typing import Any, ClassVar

from gpupipe.cloud.api import Api, Binding
from gpupipe.cloud.call import Caller, none_if_missing
from gpupipe.cloud.causes import ACCOUNT_VISIBLE

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


class PolicyApi(Api):
    """A facade whose client reads and writes the policy of each of its resources."""

    _who: ClassVar[str]
    """Whom a policy names, as errors say it: "who may call the service"."""

    @property
    @abstractmethod
    def _client(self) -> Any:
        """The client that has `get_iam_policy` and `set_iam_policy`."""

    def bindings(self, name: str) -> frozenset[Binding]:
        """The resource's unconditional bindings; empty where there is none."""
        policy = none_if_missing(lambda: self._policy(name))
        return frozenset() if policy is None else bindings_of(policy)

    def edit_bindings(
        self, name: str, *, add: Collection[Binding] = (), remove: Collection[Binding] = ()
    ) -> None:
        """Add and remove bindings; all others stay."""
        edit(
            self._caller,
            read=lambda: self._policy(name),
            write=lambda policy: self._unary(
                f"Changing {self._who}",
                name,
                self._client.set_iam_policy,
                {"resource": name, "policy": policy},
                idempotent=False,
                causes=(ACCOUNT_VISIBLE,),
            ),
            add=add,
            remove=remove,
        )

    def _policy(self, name: str) -> Any:
        return self._unary(
            f"Reading {self._who}",
            name,
            self._client.get_iam_policy,
            {"resource": name, "options": {"requested_policy_version": VERSION}},
        )
