"""google.cloud.orgpolicy.v2.OrgPolicy: effective policies only.

A project of the local cloud is in no organization, so every constraint is at Google's default:
nothing is enforced, every value is allowed.
"""

from typing import Any

from google.cloud import orgpolicy_v2

from gpupipe.localcloud.errors import invalid_argument, unimplemented
from gpupipe.localcloud.kernel.authorization import denied
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.transport.rows import raw
from gpupipe.localcloud.transport.rpc import Call

PERMISSION = "orgpolicy.policy.get"
Policy = raw(orgpolicy_v2.Policy)
# gcp-facts §8: the constraints that can stop a deploy
_ENFORCED = frozenset(
    {
        "cloudbuild.useBuildServiceAccount",
        "cloudbuild.useComputeServiceAccount",
        "iam.automaticIamGrantsForDefaultServiceAccounts",
        "storage.publicAccessPrevention",
        "storage.uniformBucketLevelAccess",
    }
)
_LISTED = frozenset(
    {
        "cloudbuild.allowedIntegrations",
        "gcp.resourceLocations",
        "gcp.restrictServiceUsage",
        "iam.allowedPolicyMemberDomains",
        "run.allowedIngress",
        "run.allowedVPCEgress",
    }
)


class OrgPolicies:
    """Answers for the constraints that are known."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def resource_of(self, request: Any) -> str:
        """The project, on which the permission is checked."""
        return f"projects/{_parts(request.name)[0]}"

    def effective(self, request: Any, _: Call) -> Any:
        """GetEffectivePolicy."""
        named, constraint = _parts(request.name)
        project = self._kernel.projects.get(named)
        if project is None:
            raise denied(PERMISSION, f"projects/{named}")
        if constraint not in _ENFORCED | _LISTED:
            raise unimplemented(f"the organization policy constraint {constraint!r}")
        policy = Policy(name=f"projects/{project.number}/policies/{constraint}")
        rule = policy.spec.rules.add()
        if constraint in _ENFORCED:
            rule.enforce = False
        else:
            rule.allow_all = True
        return policy


def _parts(name: str) -> tuple[str, str]:
    """(project, constraint) of a policy's name."""
    parts = name.split("/")
    if len(parts) != 4 or parts[0] != "projects" or parts[2] != "policies":  # noqa: PLR2004
        raise invalid_argument(
            f"Invalid policy name {name!r}: expected projects/PROJECT/policies/CONSTRAINT.", "name"
        )
    return parts[1], parts[3]
