"""Policies of services: who may invoke which."""

from typing import Any

from google.iam.v1 import iam_policy_pb2, policy_pb2

from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.services.run.services import Services
from gpupipe.localcloud.transport.rpc import Call


class ServicePolicies:
    """GetIamPolicy, SetIamPolicy, TestIamPermissions."""

    def __init__(self, kernel: Kernel, services: Services) -> None:
        self._kernel = kernel
        self._services = services

    def get(self, request: Any, _: Call) -> policy_pb2.Policy:
        """GetIamPolicy."""
        self._services.existing(request.resource)
        return self._kernel.policies.get(request.resource)

    def set(self, request: Any, _: Call) -> policy_pb2.Policy:
        """SetIamPolicy."""
        self._services.existing(request.resource)
        return self._kernel.policies.set(
            request.resource, request.policy, known_member=self._kernel.identity.knows
        )

    def test(self, request: Any, call: Call) -> iam_policy_pb2.TestIamPermissionsResponse:
        """TestIamPermissions."""
        self._services.existing(request.resource)
        allowed = self._kernel.authorizer.allowed
        return iam_policy_pb2.TestIamPermissionsResponse(
            permissions=[
                permission
                for permission in request.permissions
                if allowed(call.caller.member, permission, request.resource)
            ]
        )
