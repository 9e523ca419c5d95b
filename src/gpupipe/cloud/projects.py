"""Resource Manager: the project's number, and the bindings of its policy."""

from collections.abc import Collection, Sequence
from typing import Any

from gpupipe.cloud.api import Api, Binding
from gpupipe.cloud.causes import ACCOUNT_VISIBLE
from gpupipe.cloud.errors import ApiError
from gpupipe.cloud.policy import VERSION, bindings_of, edit

_BATCH = 100  # TestIamPermissions takes no more at once (UNSURE of the number)


class ProjectsApi(Api):
    """The calls that gpupipe needs of Resource Manager."""

    def number(self, project: str) -> int:
        """The project's number. ApiError where the project is missing or not ours to see."""
        found = self._unary(
            "Reading the project",
            f"projects/{project}",
            self._client.get_project,
            {"name": f"projects/{project}"},
        )
        return int(found.name.rpartition("/")[2])

    def identity(self) -> str:
        """Who calls."""
        return self._clients.identity()

    def active(self, project: str) -> bool:
        """Whether the project is there and not being deleted."""
        name = f"projects/{project}"
        found = self._unary("Reading the project", name, self._client.get_project, {"name": name})
        return str(found.state.name) == "ACTIVE"

    def held(self, project: str, permissions: Sequence[str]) -> frozenset[str]:
        """Those of these permissions that the caller holds on the project.

        One that the API does not know counts as held: it says nothing about the caller.
        """
        name, held = f"projects/{project}", set[str]()
        for start in range(0, len(permissions), _BATCH):
            batch = list(permissions[start : start + _BATCH])
            try:
                held.update(self._tested(name, batch))
            except ApiError as error:
                if error.refusal.code != "INVALID_ARGUMENT":
                    raise
                for one in batch:
                    held.update(self._tested_alone(name, one))
        return frozenset(held)

    def _tested_alone(self, name: str, permission: str) -> Sequence[str]:
        try:
            return self._tested(name, [permission])
        except ApiError as error:
            if error.refusal.code != "INVALID_ARGUMENT":
                raise
            return [permission]

    def _tested(self, name: str, permissions: list[str]) -> Sequence[str]:
        answer = self._unary(
            "Asking which permissions you have",
            name,
            self._client.test_iam_permissions,
            {"resource": name, "permissions": permissions},
        )
        return list(answer.permissions)

    def bindings(self, project: str) -> frozenset[Binding]:
        """The unconditional bindings of the project's policy."""
        return bindings_of(self._policy(project))

    def edit_bindings(
        self, project: str, *, add: Collection[Binding] = (), remove: Collection[Binding] = ()
    ) -> None:
        """Add and remove bindings in one read-modify-write; all others stay."""
        edit(
            self._caller,
            read=lambda: self._policy(project),
            write=lambda policy: self._unary(
                "Changing the project's policy",
                f"projects/{project}",
                self._client.set_iam_policy,
                {"resource": f"projects/{project}", "policy": policy},
                idempotent=False,
                causes=(ACCOUNT_VISIBLE,),
            ),
            add=add,
            remove=remove,
        )

    def _policy(self, project: str) -> Any:
        return self._unary(
            "Reading the project's policy",
            f"projects/{project}",
            self._client.get_iam_policy,
            {
                "resource": f"projects/{project}",
                "options": {"requested_policy_version": VERSION},
            },
        )

    @property
    def _client(self) -> Any:
        return self._clients.client("projects")
