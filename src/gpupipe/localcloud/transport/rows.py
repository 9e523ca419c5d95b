"""Rows of one gRPC service, one short call each, and the methods that every policy has."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from google.iam.v1 import iam_policy_pb2, policy_pb2

from gpupipe.localcloud.errors import Code, ServiceError, unimplemented
from gpupipe.localcloud.kernel import policy_rules
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.transport.fields import ALL
from gpupipe.localcloud.transport.rpc import Call, Rpc

Resource = str | Callable[[Any], str]


def raw(wrapper: Any) -> Any:
    """The protobuf class behind a proto-plus class; a protobuf class stays what it is."""
    return type(wrapper.pb(wrapper())) if hasattr(wrapper, "pb") else wrapper


@dataclass(frozen=True, slots=True)
class Rows:
    """service: the full name of the gRPC service; api: what must be enabled ("" for none)."""

    service: str
    api: str

    def row(
        self,
        method: str,
        types: tuple[Any, Any],
        handler: Callable[[Any, Call], Any],
        permission: str,
        resource: Resource,
        *,
        writes: bool = False,
        fields: tuple[str, ...] = ALL,
    ) -> Rpc:
        """One method; `resource` is a field's dotted path in the request, or a function of it."""
        request, response = types
        of = resource if callable(resource) else _field(resource)
        path = f"/{self.service}/{method}"
        types = raw(request), raw(response)
        return Rpc(path, *types, handler, self.api, permission, of, writes, fields)


def _field(path: str) -> Callable[[Any], str]:
    def of(request: Any) -> str:
        for name in path.split("."):
            request = getattr(request, name)
        return str(request)

    return of


class PolicyMethods:
    """GetIamPolicy, SetIamPolicy and TestIamPermissions of one kind of resource.

    existing: the name under which a resource's policy is kept, NOT_FOUND if the resource is not
    there. permission: the part before the verb, "artifactregistry.repositories". resource: as in
    `Rows.row`, where the name in the request is not the one that permissions are checked on.
    """

    def __init__(
        self,
        kernel: Kernel,
        permission: str,
        existing: Callable[[str], str],
        *,
        resource: Resource = "resource",
    ) -> None:
        self._kernel = kernel
        self._permission = permission
        self._existing = existing
        self._resource = resource

    def rows(self, table: Rows) -> Iterator[Rpc]:
        """The three methods."""
        pb, policy = iam_policy_pb2, policy_pb2.Policy
        name = self._permission
        yield table.row(
            "GetIamPolicy",
            (pb.GetIamPolicyRequest, policy),
            self.get,
            f"{name}.getIamPolicy",
            self._resource,
        )
        yield table.row(
            "SetIamPolicy",
            (pb.SetIamPolicyRequest, policy),
            self.set,
            f"{name}.setIamPolicy",
            self._resource,
            writes=True,
        )
        types = (pb.TestIamPermissionsRequest, pb.TestIamPermissionsResponse)
        yield table.row("TestIamPermissions", types, self.test, "", self._resource)

    def get(self, request: Any, _: Call) -> policy_pb2.Policy:
        """GetIamPolicy."""
        policy_rules.check_requested_version(request.options.requested_policy_version)
        return self._kernel.policies.get(self._existing(request.resource))

    def set(self, request: Any, _: Call) -> policy_pb2.Policy:
        """SetIamPolicy, of the fields of the update mask."""
        fields = frozenset(request.update_mask.paths) or policy_rules.BINDINGS
        if fields - policy_rules.MASKABLE:
            raise unimplemented("an update mask of SetIamPolicy with other fields")
        return self._kernel.policies.set(
            self._existing(request.resource),
            request.policy,
            known_member=self._kernel.identity.knows,
            fields=fields,
        )

    def test(self, request: Any, call: Call) -> iam_policy_pb2.TestIamPermissionsResponse:
        """TestIamPermissions: those that the caller holds; none where there is no resource."""
        policy_rules.check_tested(request.permissions)
        try:
            resource = self._existing(request.resource)
        except ServiceError as error:
            if error.code is not Code.NOT_FOUND:
                raise
            return iam_policy_pb2.TestIamPermissionsResponse()
        allowed = self._kernel.authorizer.allowed
        held = [name for name in request.permissions if allowed(call.caller.member, name, resource)]
        return iam_policy_pb2.TestIamPermissionsResponse(permissions=held)
