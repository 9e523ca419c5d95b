"""Which services there are, and what a request to enable them must look like."""

from collections.abc import Mapping, Sequence

from gpupipe.localcloud.errors import Code, Details, ServiceError, Violation, invalid_argument
from gpupipe.localcloud.kernel.billing import NEEDS_BILLING, Billing
from gpupipe.localcloud.kernel.projects import Project

API = "serviceusage.googleapis.com"
MOST_IN_BATCH = 20  # google.api.serviceusage.v1 BatchEnableServicesRequest.service_ids

# APIs that a pipeline may ask for: those that are emulated, and their neighbours. A project may
# enable them all; calling one that is not emulated is answered as such. With their titles.
CATALOGUE: Mapping[str, str] = {
    f"{name}.googleapis.com": title
    for name, title in {
        "aiplatform": "Vertex AI API",
        "artifactregistry": "Artifact Registry API",
        "billingbudgets": "Cloud Billing Budget API",
        "cloudbilling": "Cloud Billing API",
        "cloudbuild": "Cloud Build API",
        "cloudkms": "Cloud Key Management Service (KMS) API",
        "cloudquotas": "Cloud Quotas API",
        "cloudresourcemanager": "Cloud Resource Manager API",
        "cloudtrace": "Cloud Trace API",
        "compute": "Compute Engine API",
        "eventarc": "Eventarc API",
        "eventarcpublishing": "Eventarc Publishing API",
        "iam": "Identity and Access Management (IAM) API",
        "iamcredentials": "IAM Service Account Credentials API",
        "logging": "Cloud Logging API",
        "monitoring": "Cloud Monitoring API",
        "orgpolicy": "Organization Policy API",
        "pubsub": "Cloud Pub/Sub API",
        "run": "Cloud Run Admin API",
        "secretmanager": "Secret Manager API",
        "serviceusage": "Service Usage API",
        "storage": "Cloud Storage JSON API",
        "workflowexecutions": "Workflow Executions API",
        "workflows": "Workflows API",
    }.items()
}
_FILTERS = {"": None, "state:ENABLED": True, "state:DISABLED": False}


def check_known(service: str) -> None:
    """Refuse a name that is no service; code and words are UNSURE (ours)."""
    if service not in CATALOGUE:
        raise ServiceError(
            Code.PERMISSION_DENIED,
            f"The service {service!r} was not found, or may not be used (the local cloud knows "
            f"{len(CATALOGUE)} services by name).",
            Details(
                reason="SERVICE_NOT_FOUND_OR_PERMISSION_DENIED",
                domain=API,
                metadata={"service": service},
            ),
        )


def check_batch(services: Sequence[str]) -> None:
    """Refuse none, more than Google takes at once, or an unknown one (then none is enabled)."""
    if not services:
        raise invalid_argument("At least one service is required.", "service_ids")
    if len(services) > MOST_IN_BATCH:
        raise invalid_argument(
            f"At most {MOST_IN_BATCH} services can be enabled at once; got {len(services)}.",
            "service_ids",
        )
    for service in services:
        check_known(service)


def check_billing(billing: Billing, project: Project, services: Sequence[str]) -> None:
    """Refuse APIs that cost money on a project without billing.

    Text, reason and details: kyegomez/zeta#71. Which APIs need billing is own knowledge (UNSURE).
    """
    paid = [name for name in services if name in NEEDS_BILLING]
    if not paid or billing.account(project.id):
        return
    query = "".join(f"&services={name}" for name in paid)
    names = ",".join(paid)
    text = (
        f"Billing account for project '{project.number}' is not found. Billing must be enabled for "
        f"activation of service(s) '{names}' to proceed."
    )
    raise ServiceError(
        Code.FAILED_PRECONDITION,
        text,
        Details(
            reason="UREQ_PROJECT_BILLING_NOT_FOUND",
            domain="serviceusage.googleapis.com/billing-enabled",
            metadata={"project": str(project.number), "services": names},
            preconditions=(
                Violation(
                    "googleapis.com/billing-enabled",
                    f"?error_code=390001&project={project.number}{query}",
                    text,
                ),
            ),
        ),
    )


def wanted_state(text: str) -> bool | None:
    """What a list's filter asks for: enabled, disabled, or both (None)."""
    if text not in _FILTERS:
        raise invalid_argument(
            f"The filter {text!r} is not one of state:ENABLED and state:DISABLED.", "filter"
        )
    return _FILTERS[text]


def parts(name: str) -> tuple[str, str]:
    """(project, service) of "projects/P/services/S"."""
    pieces = name.split("/")
    if len(pieces) != 4 or pieces[0] != "projects" or pieces[2] != "services":  # noqa: PLR2004
        raise invalid_argument(
            f"Invalid service name {name!r}: expected projects/PROJECT/services/SERVICE.", "name"
        )
    return pieces[1], pieces[3]
