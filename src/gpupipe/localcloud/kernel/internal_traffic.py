"""Traffic from inside a project: what a Cloud Run service with internal ingress lets in.

On Google the network decides; Workflows of the same project counts as inside (gcp-facts §2). Here
the workflow's calls carry a header whose value is derived from the operator's token, so that no
other process can claim to be inside. The front door takes the header off.
"""

import hashlib
import hmac

HEADER = "x-gpupipe-internal"


def marker(operator_token: str, project: str) -> str:
    """The header's value for calls from inside a project."""
    message = f"internal traffic of {project}".encode()
    return hmac.new(operator_token.encode(), message, hashlib.sha256).hexdigest()


def is_inside(value: str, operator_token: str, project: str) -> bool:
    """Whether a header's value says that the call comes from inside the project."""
    return hmac.compare_digest(value.encode(), marker(operator_token, project).encode())
