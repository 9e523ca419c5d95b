"""Cloud Monitoring's alert policies."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gpupipe.cloud.api import Api
from gpupipe.cloud.call import Cause, none_if_missing
from gpupipe.cloud.causes import API_USABLE

# gcp-facts 7: what a log-based metric that was just made is told.
_METRIC_VISIBLE = Cause(
    "the new log-based metric to be available",
    660.0,
    lambda refusal: "to become available" in refusal.message,
)
_ACTIVE = "EVALUATION_MISSING_DATA_ACTIVE"


@dataclass(frozen=True, slots=True)
class Condition:
    """A threshold over series that are aligned to `period_s` and reduced by `group_by`.

    below: it is met under the threshold instead of above it; denominator: the filter of what the series
    are a share of, "" for none; silence_counts: no data meet it too. duration_s: for how long.
    """

    name: str
    filter: str
    threshold: float
    period_s: int
    aligner: str
    reducer: str
    group_by: tuple[str, ...] = ()
    duration_s: int = 0
    below: bool = False
    denominator: str = ""
    silence_counts: bool = False


@dataclass(frozen=True, slots=True)
class AlertPolicy:
    """A policy; with several conditions all must be met by the same resource.

    channels: full names; resource: the API's name, "" for one that is not there yet. enabled: people may
    switch one off for a while. changed, by: of the last change, as the API tells it.
    """

    name: str
    conditions: tuple[Condition, ...]
    documentation: str
    labels: Mapping[str, str]
    auto_close_s: int
    channels: frozenset[str] = frozenset()
    resource: str = ""
    enabled: bool = field(default=True, compare=False)
    changed: datetime | None = field(default=None, compare=False)
    by: str = field(default="", compare=False)


class AlertsApi(Api):
    """The calls that gpupipe needs of alert policies."""

    def labelled(self, project: str, labels: Mapping[str, str]) -> tuple[AlertPolicy, ...]:
        """The policies of a project that carry all these labels, in the order of their names."""
        parent = f"projects/{project}"
        method = self._client.list_alert_policies
        found = none_if_missing(
            lambda: self._all("Listing alert policies", parent, method, {"name": parent})
        )
        ours = [one for one in found or () if labels.items() <= dict(one.user_labels).items()]
        return tuple(_policy(one) for one in sorted(ours, key=lambda one: str(one.name)))

    def create(self, project: str, wanted: AlertPolicy) -> None:
        """Make the policy. The API names it, so a lost answer is not asked for again."""
        parent = f"projects/{project}"
        self._unary(
            "Creating an alert policy",
            parent,
            self._client.create_alert_policy,
            {"name": parent, "alert_policy": _message(wanted)},
            idempotent=False,
            causes=(API_USABLE, _METRIC_VISIBLE),
        )

    def update(self, resource: str, wanted: AlertPolicy) -> None:
        """Replace the policy of this name."""
        self._unary(
            "Updating an alert policy",
            resource,
            self._client.update_alert_policy,
            {"alert_policy": {**_message(wanted), "name": resource}},
            causes=(_METRIC_VISIBLE,),
        )

    def delete(self, resource: str) -> None:
        """Delete the policy; one that is gone already is fine."""
        parent, request = "/".join(resource.split("/")[:2]), {"name": resource}
        none_if_missing(
            lambda: self._unary(
                "Deleting an alert policy", parent, self._client.delete_alert_policy, request
            )
        )

    @property
    def _client(self) -> Any:
        return self._clients.client("alerts")


def _message(wanted: AlertPolicy) -> dict[str, Any]:
    return {
        "display_name": wanted.name,
        "combiner": "OR" if len(wanted.conditions) == 1 else "AND_WITH_MATCHING_RESOURCE",
        "conditions": [_condition_message(one) for one in wanted.conditions],
        "documentation": {"content": wanted.documentation, "mime_type": "text/markdown"},
        "user_labels": dict(wanted.labels),
        "notification_channels": sorted(wanted.channels),
        "alert_strategy": {"auto_close": {"seconds": wanted.auto_close_s}},
        "enabled": True,
    }


def _condition_message(one: Condition) -> dict[str, Any]:
    steps = [
        {
            "alignment_period": {"seconds": one.period_s},
            "per_series_aligner": one.aligner,
            "cross_series_reducer": one.reducer,
            "group_by_fields": list(one.group_by),
        }
    ]
    test = {
        "filter": one.filter,
        "aggregations": steps,
        "comparison": "COMPARISON_LT" if one.below else "COMPARISON_GT",
        "threshold_value": one.threshold,
        "duration": {"seconds": one.duration_s},
        "trigger": {"count": 1},
    }
    if one.denominator:
        test |= {"denominator_filter": one.denominator, "denominator_aggregations": steps}
    if one.silence_counts:
        test["evaluation_missing_data"] = _ACTIVE
    return {"display_name": one.name, "condition_threshold": test}


def _policy(found: Any) -> AlertPolicy:
    return AlertPolicy(
        name=str(found.display_name),
        conditions=tuple(_condition(one) for one in found.conditions),
        documentation=str(found.documentation.content),
        labels=dict(found.user_labels),
        auto_close_s=int(found.alert_strategy.auto_close.total_seconds()),
        channels=frozenset(found.notification_channels),
        resource=str(found.name),
        enabled=found.enabled is not False,
        changed=found.mutation_record.mutate_time,
        by=str(found.mutation_record.mutated_by),
    )


def _condition(found: Any) -> Condition:
    """One that is no threshold reads as an empty one, which is none of ours."""
    test = found.condition_threshold
    step = next(iter(test.aggregations), None)
    return Condition(
        name=str(found.display_name),
        filter=str(test.filter),
        threshold=float(test.threshold_value),
        period_s=int(step.alignment_period.total_seconds()) if step else 0,
        aligner=str(step.per_series_aligner.name) if step else "",
        reducer=str(step.cross_series_reducer.name) if step else "",
        group_by=tuple(step.group_by_fields) if step else (),
        duration_s=int(test.duration.total_seconds()),
        below=test.comparison.name == "COMPARISON_LT",
        denominator=str(test.denominator_filter),
        silence_counts=test.evaluation_missing_data.name == _ACTIVE,
    )
