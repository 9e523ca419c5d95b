"""The known errors that time heals, each with its own deadline (seconds) and words.

Texts: gcp-facts 4, 5, 6 and 8. Where a text is all that tells an error apart, it is matched loosely.
"""

from gpupipe.cloud.call import Cause
from gpupipe.cloud.errors import Refusal

ACCOUNT_VISIBLE = Cause(
    "the new service account to be visible everywhere",
    180.0,
    lambda refusal: (
        refusal.code in {"INVALID_ARGUMENT", "NOT_FOUND"}
        and "ervice account" in refusal.message
        and ("does not exist" in refusal.message or "is invalid" in refusal.message)
    ),
)


def _act_as(refusal: Refusal) -> bool:
    return refusal.code == "PERMISSION_DENIED" and "actas" in refusal.message.lower()


ACT_AS_VISIBLE = Cause("the right to act as the new service account", 180.0, _act_as)
API_USABLE = Cause(
    "the API to be usable after it was enabled",
    300.0,
    lambda refusal: refusal.reason == "SERVICE_DISABLED",
)
OTHER_ACTIVATION = Cause(
    "another activation of APIs to finish",
    300.0,
    lambda refusal: "activation or deactivation is in progress" in refusal.message,
)
WORKFLOWS_AGENT = Cause(
    "the Workflows service agent",
    300.0,
    lambda refusal: "service agent does not exist" in refusal.message,
)
EVENTARC_AGENT = Cause(
    "the Eventarc service agent to get its role",
    600.0,
    lambda refusal: "Eventarc Service Agent" in refusal.message,
)
EVENTARC_GRANTS = Cause(
    "the roles of the trigger to take effect",
    300.0,
    lambda refusal: (
        "eventarc.events.receiveEvent" in refusal.message
        or "unable to publish to Cloud Pub/Sub" in refusal.message
    ),
)
BEING_DELETED = Cause(
    "the deletion of the earlier one to finish",
    300.0,
    lambda refusal: (
        refusal.code in {"ABORTED", "ALREADY_EXISTS", "FAILED_PRECONDITION"}
        and "delet" in refusal.message.lower()
    ),
)
