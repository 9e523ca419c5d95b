"""Cloud KMS over REST: the policies of keys that the operator has added, and nothing else.

Its client library asks for policies at `google.iam.v1.IAMPolicy`, which other APIs have too; over
gRPC nothing tells them apart on one address.
"""

from collections.abc import Iterable

from starlette.routing import BaseRoute

from gpupipe.localcloud.kernel.faults import FaultPoint
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.transport import rest
from gpupipe.localcloud.transport.pipeline import Pipeline
from gpupipe.localcloud.transport.rest import Rule
from gpupipe.localcloud.transport.rows import PolicyMethods, Rows
from gpupipe.localcloud.transport.rpc import BaseSurface

_KEY = "/v1/{resource=projects/*/locations/*/keyRings/*/cryptoKeys/*}"
_RULES = (
    Rule("GET", f"{_KEY}:getIamPolicy", "GetIamPolicy"),
    Rule("POST", f"{_KEY}:setIamPolicy", "SetIamPolicy", "*"),
    Rule("POST", f"{_KEY}:testIamPermissions", "TestIamPermissions", "*"),
)


class CloudKms(BaseSurface):
    """The three methods of a key's policy."""

    def __init__(self, kernel: Kernel, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        policies = PolicyMethods(kernel, "cloudkms.cryptoKeys", kernel.outside.key_name)
        table = Rows("google.cloud.kms.v1.KeyManagementService", "cloudkms.googleapis.com")
        self._rows = tuple(policies.rows(table))

    def routes(self) -> Iterable[BaseRoute]:
        """They are REST only."""
        return rest.routes(self._pipeline, self._rows, _RULES)

    def fault_points(self) -> Iterable[FaultPoint]:
        """Those of the rows."""
        return (row.fault_point for row in self._rows)

    def permissions(self) -> Iterable[tuple[str, str]]:
        """Those of the rows."""
        return ((row.name, row.permission) for row in self._rows)


def build(kernel: Kernel, pipeline: Pipeline) -> CloudKms:
    """The factory for `registry.SERVICES`."""
    return CloudKms(kernel, pipeline)
