"""Cloud KMS over REST: the policies of keys that the operator has added, and nothing else.

Over gRPC its client asks for policies at `google.iam.v1.IAMPolicy`, which other APIs have too;
nothing tells them apart on one address.
"""

from collections.abc import Iterable

from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.transport.pipeline import Pipeline
from gpupipe.localcloud.transport.rows import PolicyMethods, Rows
from gpupipe.localcloud.transport.rpc import BaseSurface, Rpc

_TABLE = Rows("google.cloud.kms.v1.KeyManagementService", "cloudkms.googleapis.com")


class CloudKms(BaseSurface):
    """The three methods of a key's policy."""

    def __init__(self, kernel: Kernel) -> None:
        self._policies = PolicyMethods(kernel, "cloudkms.cryptoKeys", kernel.outside.key_name)

    def rpcs(self) -> Iterable[Rpc]:
        """Reading, replacing and testing."""
        return self._policies.rows(_TABLE)


def build(kernel: Kernel, _: Pipeline) -> CloudKms:
    """The factory for `registry.SERVICES`."""
    return CloudKms(kernel)
