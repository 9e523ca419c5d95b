"""The texts of errors that time heals (reference: gcp-facts 2, 4, 5 and 6), and what they are not."""

import pytest

from gpupipe.cloud import causes
from gpupipe.cloud.call import Cause
from gpupipe.cloud.errors import Refusal

ALL = {name: cause for name, cause in vars(causes).items() if isinstance(cause, Cause)}

# code, reason, text -> the causes that cover it
TABLE: list[tuple[str, str, str, set[str]]] = [
    ("INVALID_ARGUMENT", "", "Service account ml-pipeline-pre@p.iam.gserviceaccount.com does not exist.",
     {"ACCOUNT_VISIBLE"}),
    ("INVALID_ARGUMENT", "", ('the referenced service account "a@p" is invalid, please verify the '
     "correctness of the service account name"), {"ACCOUNT_VISIBLE"}),
    ("PERMISSION_DENIED", "", ("Permission 'iam.serviceaccounts.actAs' denied on service account X (or "
     "it may not exist)"), {"ACT_AS_VISIBLE"}),
    ("PERMISSION_DENIED", "SERVICE_DISABLED", ("Cloud Run Admin API has not been used in project p "
     "before or it is disabled."), {"API_USABLE"}),
    ("FAILED_PRECONDITION", "", "Another activation or deactivation is in progress for these services",
     {"OTHER_ACTIVATION"}),
    ("INVALID_ARGUMENT", "", "Workflows service agent does not exist", {"WORKFLOWS_AGENT"}),
    ("INVALID_ARGUMENT", "", ('Invalid resource state for "": Permission denied while using the '
     "Eventarc Service Agent. If you recently started to use Eventarc, it may take a few minutes"),
     {"EVENTARC_AGENT"}),
    ("INVALID_ARGUMENT", "", ("The Cloud Storage service account for your bucket is unable to publish "
     "to Cloud Pub/Sub topics in the specified project."), {"EVENTARC_GRANTS"}),
    ("PERMISSION_DENIED", "", 'Permission "eventarc.events.receiveEvent" denied on a@p',
     {"EVENTARC_GRANTS"}),
    ("FAILED_PRECONDITION", "", "The service is being deleted.", {"BEING_DELETED"}),
    ("ALREADY_EXISTS", "", "Resource is being deleted", {"BEING_DELETED"}),
    # what time does not heal
    ("NOT_FOUND", "", "Bucket b does not exist.", set()),
    ("INVALID_ARGUMENT", "", "Role roles/nothing is not supported for this resource.", set()),
    ("ALREADY_EXISTS", "", "The bucket exists already.", set()),
    ("RESOURCE_EXHAUSTED", "", "The quota NvidiaL4 is used up.", set()),
    ("UNAUTHENTICATED", "", "The token has expired.", set()),
]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "reason", "text", "expected"), TABLE, ids=[row[2][:40] for row in TABLE]
)
def test_each_text_belongs_to_its_causes(
    code: str, reason: str, text: str, expected: set[str]
) -> None:
    refusal = Refusal(code, reason, text)
    assert {name for name, cause in ALL.items() if cause.matches(refusal)} == expected


def test_every_cause_is_in_the_table_and_has_words_and_a_deadline() -> None:
    assert set().union(*(row[3] for row in TABLE)) == set(ALL)
    for cause in ALL.values():
        assert cause.what
        assert 60.0 <= cause.deadline_s <= 900.0
