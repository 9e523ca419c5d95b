"""IAM Credentials' surface."""

from collections.abc import Iterable

from google.cloud import iam_credentials_v1 as pb

from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.services.iamcredentials.service import Credentials
from gpupipe.localcloud.transport.pipeline import Pipeline
from gpupipe.localcloud.transport.rows import Rows
from gpupipe.localcloud.transport.rpc import BaseSurface, Rpc

_TABLE = Rows("google.iam.credentials.v1.IAMCredentials", "iamcredentials.googleapis.com")


class IamCredentials(BaseSurface):
    """google.iam.credentials.v1.IAMCredentials; signing is not emulated."""

    def __init__(self, kernel: Kernel) -> None:
        self._credentials = Credentials(kernel)

    def rpcs(self) -> Iterable[Rpc]:
        """The two kinds of tokens."""
        do = self._credentials
        for method, types, handler, permission in (
            (
                "GenerateIdToken",
                (pb.GenerateIdTokenRequest, pb.GenerateIdTokenResponse),
                do.id_token,
                "getOpenIdToken",
            ),
            (
                "GenerateAccessToken",
                (pb.GenerateAccessTokenRequest, pb.GenerateAccessTokenResponse),
                do.access_token,
                "getAccessToken",
            ),
        ):
            yield _TABLE.row(
                method, types, handler, f"iam.serviceAccounts.{permission}", do.resource_of
            )


def build(kernel: Kernel, _: Pipeline) -> IamCredentials:
    """The factory for `registry.SERVICES`."""
    return IamCredentials(kernel)
