"""Resource Manager: the project's number, and the bindings of its policy."""

from collections.abc import Collection
from typing import Any

from gpupipe.cloud.api import Api, Binding
from gpupipe.cloud.causes import ACCOUNT_VISIBLE
from gpupipe.cloud.policy import VERSION, bindings_of, edit


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
