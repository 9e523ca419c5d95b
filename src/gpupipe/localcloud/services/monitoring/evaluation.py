"""Looks every minute at what is so, and opens and closes the incidents of alert policies."""

import threading
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from google.cloud import monitoring_v3 as pb

from gpupipe.localcloud.errors import ServiceError
from gpupipe.localcloud.kernel.failures import log_failure
from gpupipe.localcloud.kernel.incidents import Cause
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.kernel.rounds import Rounds
from gpupipe.localcloud.services.monitoring.conditions import Finding, findings
from gpupipe.localcloud.services.monitoring.store import Store

_PERIOD_S = 60.0
_AUTO_CLOSE_S = 7 * 86_400  # AlertPolicy.AlertStrategy.auto_close: the default
_Combiner = pb.AlertPolicy.ConditionCombinerType


class Evaluation:
    """The thread that samples and evaluates; who asks for incidents does so too."""

    def __init__(self, kernel: Kernel, policies: Store) -> None:
        self._kernel = kernel
        self._policies = policies
        self._evaluating = threading.Lock()
        self._rounds = Rounds("monitoring", kernel.clock, self.run, period_s=_PERIOD_S)
        kernel.incidents.register(self.run)

    def start(self) -> None:
        """Begin a minute from now."""
        self._rounds.start()

    def stop(self) -> None:
        """End the thread."""
        self._rounds.stop()

    def run(self) -> None:
        """Sample, then evaluate every policy that is enabled; those that are not have no incident."""
        with self._evaluating:
            self._kernel.metrics.sample()
            now, seen = self._kernel.clock.now(), set()
            for record in self._kernel.resources.all(self._policies.kind):
                policy = self._policies.message.FromString(record.body)
                if policy.enabled.value:
                    seen.add(policy.name)
                    self._evaluate(policy, now)
            for gone in self._kernel.incidents.policies() - seen:
                for incident in self._kernel.incidents.open(gone):
                    self._kernel.incidents.close(incident.cause, now)

    def _evaluate(self, policy: Any, now: datetime) -> None:
        try:
            found = list(_causes(policy, self._by_condition(policy, now)))
        except ServiceError as error:
            # such as an aligner that is not emulated: the policy is kept, and told of
            log_failure(f"the alert policy {policy.display_name}", error)
            return
        incidents = self._kernel.incidents
        for cause, one, condition in found:
            if one.met:
                incidents.met(cause, (policy.display_name, condition), one.value, now)
        known = {cause.key: one.met for cause, one, _ in found}
        for incident in incidents.open(policy.name):
            silent_s = (now - incident.seen).total_seconds()
            met = known.get(incident.cause.key)
            if met is False or (met is None and silent_s >= _auto_close_s(policy)):
                incidents.close(incident.cause, now)

    def _by_condition(self, policy: Any, now: datetime) -> list[tuple[Any, list[Finding]]]:
        project = policy.name.split("/")[1]
        return [(one, findings(self._kernel, project, one, now)) for one in policy.conditions]


def _causes(
    policy: Any, found: list[tuple[Any, list[Finding]]]
) -> Iterator[tuple[Cause, Finding, str]]:
    """What may have an incident: with OR each series of each condition, else the policy as a whole."""
    if policy.combiner == _Combiner.OR:
        for condition, ones in found:
            for one in ones:
                labels = {**one.resource_labels, **one.labels}
                yield Cause(policy.name, condition.name, labels), one, condition.display_name
        return
    first, *others = [ones for _, ones in found]
    for one in first:
        matching = policy.combiner == _Combiner.AND_WITH_MATCHING_RESOURCE
        met = bool(one.met) and all(
            any(other.met and (not matching or _same(one, other)) for other in ones)
            for ones in others
        )
        together = Finding(one.labels, one.resource_labels, met, one.value)
        names = " and ".join(condition.display_name for condition, _ in found)
        yield Cause(policy.name, "", one.resource_labels), together, names


def _same(one: Finding, other: Finding) -> bool:
    common = one.resource_labels.keys() & other.resource_labels.keys()
    return all(one.resource_labels[name] == other.resource_labels[name] for name in common)


def _auto_close_s(policy: Any) -> float:
    strategy = policy.alert_strategy
    given = strategy.auto_close.ToNanoseconds() / 1e9 if strategy.HasField("auto_close") else 0.0
    return given or _AUTO_CLOSE_S
