"""Every refusal of a service's description, in the order in which they are looked at."""

from typing import Any

from gpupipe.localcloud.services.run import rules_resources, rules_shape, rules_unsupported
from gpupipe.localcloud.services.run.rule import Rule, Shape

# What reads the container comes after the row that asks for one.
RULES: tuple[Rule, ...] = (
    rules_shape.NEEDED,
    *rules_unsupported.FIELDS,
    *rules_unsupported.VALUES,
    *rules_shape.RULES,
    *rules_resources.RULES,
)


def check(service_id: str, service: Any) -> None:
    """Raise the first refusal that applies to a completed service."""
    shape = Shape(service_id, service)
    for rule in RULES:
        rule.check(shape)
