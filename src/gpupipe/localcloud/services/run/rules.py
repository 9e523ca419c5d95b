"""Every refusal of a service's description, in the order in which they are looked at."""

from typing import Any

from gpupipe.localcloud.services.run import rules_probe, rules_resources, rules_shape, rules_values
from gpupipe.localcloud.services.run.rule import Rule, Shape

# What reads the container comes after the rule that asks for one.
RULES: tuple[Rule, ...] = (
    rules_shape.NEEDED,
    *rules_values.RULES,
    *rules_shape.RULES,
    *rules_probe.RULES,
    *rules_resources.RULES,
)


def check(service_id: str, service: Any) -> None:
    """Raise the first refusal that applies to a completed service."""
    shape = Shape(service_id, service)
    for rule in RULES:
        rule.check(shape)
