"""The check that whoever hands an account to a resource may act as it."""

from gpupipe.localcloud.errors import Code, Details, ServiceError
from gpupipe.localcloud.kernel.accounts import Account
from gpupipe.localcloud.kernel.authorization import Authorizer
from gpupipe.localcloud.kernel.caller import Caller
from gpupipe.localcloud.kernel.identity import Identity

PERMISSION = "iam.serviceAccounts.actAs"


def account_to_act_as(
    identity: Identity, authorizer: Authorizer, caller: Caller, named: str
) -> Account:
    """The account of an address or resource name; PERMISSION_DENIED where it may not be used."""
    email = named.rpartition("/")[2]
    account = identity.account(email)
    if account is None or not authorizer.allowed(caller.member, PERMISSION, account.name):
        # The text is Cloud Run's (gcp-facts §2); for other APIs it is UNSURE.
        raise ServiceError(
            Code.PERMISSION_DENIED,
            f"Permission 'iam.serviceaccounts.actAs' denied on service account {email} "
            "(or it may not exist).",
            Details(
                reason="IAM_PERMISSION_DENIED",
                domain="iam.googleapis.com",
                metadata={"permission": PERMISSION, "resource": email},
            ),
        )
    return account
