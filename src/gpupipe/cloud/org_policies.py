"""Organization Policy: what holds for a project of the constraints that can stop a deploy."""

from dataclasses import dataclass
from typing import Any

from gpupipe.cloud.api import Api


@dataclass(frozen=True, slots=True)
class EffectivePolicy:
    """What a constraint says of a list of values."""

    deny_all: bool = False
    allowed: frozenset[str] = frozenset()
    denied: frozenset[str] = frozenset()


class OrgPolicyApi(Api):
    """The one call that gpupipe needs of Organization Policy."""

    def effective(self, project: str, constraint: str) -> EffectivePolicy:
        """The policy in force; conditional rules are left out, since they may not hold."""
        name = f"projects/{project}/policies/{constraint}"
        found = self._unary(
            "Reading the organization policy",
            name,
            self._client.get_effective_policy,
            {"name": name},
        )
        rules = [rule for rule in found.spec.rules if not rule.condition.expression]
        return EffectivePolicy(
            deny_all=any(bool(rule.deny_all) for rule in rules),
            allowed=frozenset(one for rule in rules for one in rule.values.allowed_values),
            denied=frozenset(one for rule in rules for one in rule.values.denied_values),
        )

    @property
    def _client(self) -> Any:
        return self._clients.client("orgpolicy")
