"""Whether a principal holds a permission on a resource.

A permission may come from the policy of the resource itself, of anything above it in its name
(`.../repositories/R` above `.../repositories/R/dockerImages/I`), and of its project. Policies of
storage buckets say who owns a project as `projectOwner:ID`; that is the project's `roles/owner`.
"""

from collections.abc import Callable, Iterator

from google.iam.v1 import policy_pb2

from gpupipe.localcloud.errors import Code, Details, ServiceError
from gpupipe.localcloud.kernel.caller import OPERATOR, Caller
from gpupipe.localcloud.kernel.denials import Denials
from gpupipe.localcloud.kernel.policies import Policies
from gpupipe.localcloud.kernel.projects import Projects
from gpupipe.localcloud.kernel.roles import grants

_BASIC = {
    "projectOwner": "roles/owner",
    "projectEditor": "roles/editor",
    "projectViewer": "roles/viewer",
}
ANONYMOUS = "allUsers"


class Authorizer:
    """Answers from the policies; `register_parent` adds names that do not contain their project."""

    def __init__(self, policies: Policies, projects: Projects, denials: Denials) -> None:
        self._policies = policies
        self._projects = projects
        self._denials = denials
        self._parents: dict[str, Callable[[str], str | None]] = {}

    def register_parent(self, prefix: str, parent: Callable[[str], str | None]) -> None:
        """Tell the project ("projects/P", None when gone) of resources whose names begin so."""
        self._parents[prefix] = parent

    def allowed(self, member: str, permission: str, resource: str) -> bool:
        """Whether a member ("user:…", "serviceAccount:…", "allUsers") holds the permission."""
        if member == OPERATOR.member and self._denied(permission, resource):
            return False
        return any(
            self._granted(member, permission, self._policies.effective(name))
            for name in self._lineage(resource)
        )

    def check(self, caller: Caller, permission: str, resource: str) -> None:
        """PERMISSION_DENIED unless the caller holds the permission, also if nothing is there."""
        if not self.allowed(caller.member, permission, resource):
            raise denied(permission, resource)

    def project_of(self, resource: str) -> str | None:
        """The id or number of the project that a resource name lies in, as the name has it."""
        for prefix, parent in self._parents.items():
            if resource.startswith(prefix):
                found = parent(resource)
                return None if found is None else found.removeprefix("projects/")
        parts = resource.split("/")
        if parts[0] != "projects" or len(parts) < 2 or parts[1] in {"", "-", "_"}:  # noqa: PLR2004
            return None
        return parts[1]

    def _denied(self, permission: str, resource: str) -> bool:
        """Whether the permission was taken from the operator by hand."""
        named = self.project_of(resource)
        project = self._projects.get(named) if named else None
        return self._denials.denies(permission, project.id if project else "")

    def _lineage(self, resource: str) -> Iterator[str]:
        named = self.project_of(resource)
        project = self._projects.get(named) if named else None
        parts = resource.split("/")
        if project is not None and parts[1] == named:
            parts[1] = project.id
        while len(parts) > 2:  # noqa: PLR2004  # "projects/P" has two
            yield "/".join(parts)
            parts = parts[: -1 if len(parts) % 2 else -2]
        if project is not None:
            yield project.name

    def _granted(self, member: str, permission: str, policy: policy_pb2.Policy) -> bool:
        return any(
            grants(binding.role, permission) and self._includes(binding.members, member)
            for binding in policy.bindings
        )

    def _includes(self, members: list[str], member: str) -> bool:
        signed_in = member != ANONYMOUS
        return (
            member in members
            or "allUsers" in members
            or (signed_in and "allAuthenticatedUsers" in members)
            or any(self._has_basic_role(member, group) for group in members)
        )

    def _has_basic_role(self, member: str, group: str) -> bool:
        kind, _, project = group.partition(":")
        role = _BASIC.get(kind)
        return role is not None and any(
            binding.role == role and member in binding.members
            for binding in self._policies.effective(f"projects/{project}").bindings
        )


def denied(permission: str, resource: str) -> ServiceError:
    """The refusal in IAM's words, with the reason that clients branch on."""
    return ServiceError(
        Code.PERMISSION_DENIED,
        f"Permission '{permission}' denied on resource '{resource}' (or it may not exist).",
        Details(
            reason="IAM_PERMISSION_DENIED",
            domain="iam.googleapis.com",
            metadata={"permission": permission, "resource": resource},
        ),
    )
