"""Permission checks that a method makes beyond the one of its row, in Cloud Storage's words."""

from gpupipe.localcloud.kernel.caller import Caller
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.services.storage.buckets import resource_of
from gpupipe.localcloud.services.storage.refusals import forbidden


def may(kernel: Kernel, caller: Caller, permission: str, bucket: str) -> bool:
    """Whether the caller holds a permission on a bucket."""
    return kernel.authorizer.allowed(caller.member, permission, resource_of(bucket))


def require(kernel: Kernel, caller: Caller, permission: str, bucket: str) -> None:
    """Raise 403 unless the caller holds a permission on a bucket."""
    if not may(kernel, caller, permission, bucket):
        raise forbidden(caller.email, permission)
