"""The user's own key: what it encrypts, where that lies, and as whom Google uses it."""

from collections.abc import Mapping

from gpupipe.cloud.keys import ENCRYPTER
from gpupipe.deploy.planner import Plan
from gpupipe.deploy.spec import PipelineSpec

AGENTS: Mapping[str, str] = {
    "storage": "gs-project-accounts",
    "artifactregistry": "gcp-sa-artifactregistry",
    "run": "serverless-robot-prod",
    "workflows": "gcp-sa-workflows",
}
"""API -> the domain of its service agent's address (gcp-facts 5 and 6)."""


def agents(project_number: int) -> dict[str, str]:
    """API -> the address of the agent that encrypts for it."""
    return {
        api: f"service-{project_number}@{domain}.iam.gserviceaccount.com"
        for api, domain in AGENTS.items()
    }


def location_of(key: str) -> str:
    """Where a key is: "us-central1"."""
    return key.split("/")[3]


def elsewhere(spec: PipelineSpec) -> dict[str, str]:
    """What the key cannot encrypt, since it lies in another location -> that location."""
    key = spec.config.options.kms_key
    if not key:
        return {}
    region = spec.names.region
    places = {"services, images and workflow": region}
    for role in ("input", "models", "output", "work", "staging"):
        if role not in spec.names.given:
            places[f"the {role} bucket"] = spec.bucket(role).location
    return {what: place for what, place in places.items() if place != location_of(key)}


def key_notes(spec: PipelineSpec, plan: Plan) -> tuple[str, ...]:
    """What a plan that uses a key says of it."""
    if not spec.config.options.kms_key or not plan.writes:
        return ()
    note = (
        f"kms_key: the service agents of {', '.join(AGENTS)} need {ENCRYPTER} on the key; "
        "gpupipe doctor says who lacks it."
    )
    return (note,)
