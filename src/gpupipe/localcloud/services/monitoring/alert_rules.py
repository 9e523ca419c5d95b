"""What an alert policy must look like: google.monitoring.v3.AlertPolicy."""

from collections.abc import Callable
from typing import Any

from google.cloud import monitoring_v3 as pb

from gpupipe.localcloud.errors import invalid_argument
from gpupipe.localcloud.kernel.labels import check_labels
from gpupipe.localcloud.services.monitoring import aggregations, filters
from gpupipe.localcloud.transport.rows import raw

AlertPolicy = raw(pb.AlertPolicy)
_POLICY = "alert_policy"
_CONDITIONS = f"{_POLICY}.conditions"
_LONGEST_NAME = 512
_MOST_CONDITIONS = 6
_COMPARISONS = frozenset(
    {int(pb.ComparisonType.COMPARISON_GT), int(pb.ComparisonType.COMPARISON_LT)}
)
_MINUTE_S = 60
_LEAST_ABSENCE_S = 120
_HOUR_S = 3600
_FORECAST_S = (_HOUR_S, 60 * _HOUR_S)
Known = Callable[[str], bool]
_AUTO_CLOSE_S = (_HOUR_S // 2, 7 * 24 * _HOUR_S)  # own knowledge: UNSURE


def check(policy: Any, known: Known) -> None:
    """Raise the first refusal that applies; `known`: whether there is a metric of a type."""
    _check_name(policy.display_name, f"{_POLICY}.display_name")
    check_labels(policy.user_labels, f"{_POLICY}.user_labels")
    if not policy.combiner:
        _refuse(f"{_POLICY}.combiner", "says how conditions are combined and is required")
    if not 1 <= len(policy.conditions) <= _MOST_CONDITIONS:
        _refuse(_CONDITIONS, f"has from 1 to {_MOST_CONDITIONS} conditions")
    for condition in policy.conditions:
        _check_condition(condition, known)
    _check_documentation(policy.documentation)
    _check_strategy(policy.alert_strategy)


def _check_condition(condition: Any, known: Known) -> None:
    _check_name(condition.display_name, f"{_CONDITIONS}.display_name")
    kind = condition.WhichOneof("condition")
    if kind is None:
        _refuse(_CONDITIONS, "has a condition that tests nothing")
    test = getattr(condition, kind)
    path = f"{_CONDITIONS}.{kind}"
    filters.check_alert(test.filter, f"{path}.filter", known)
    for one in test.aggregations:
        aggregations.check(one, f"{path}.aggregations", aggregations.ALERT_MOST_S)
    least = 0 if kind == "condition_threshold" else _LEAST_ABSENCE_S
    if test.duration.seconds < least or test.duration.seconds % _MINUTE_S:
        _refuse(f"{path}.duration", f"must be whole minutes, at least {least} s")
    _check_trigger(test.trigger, f"{path}.trigger")
    if kind == "condition_threshold":
        _check_threshold(test, path, known)


def _check_threshold(test: Any, path: str, known: Known) -> None:
    if test.comparison not in _COMPARISONS:
        _refuse(f"{path}.comparison", "must be COMPARISON_GT or COMPARISON_LT")
    if test.denominator_filter:
        filters.check_alert(test.denominator_filter, f"{path}.denominator_filter", known)
    for one in test.denominator_aggregations:
        aggregations.check(one, f"{path}.denominator_aggregations", aggregations.ALERT_MOST_S)
    if test.evaluation_missing_data and test.duration.seconds < _MINUTE_S:
        _refuse(f"{path}.evaluation_missing_data", f"needs a duration of at least {_MINUTE_S} s")
    if test.HasField("forecast_options"):
        horizon = test.forecast_options.forecast_horizon
        _check_range(horizon, f"{path}.forecast_options.forecast_horizon", _FORECAST_S)


def _check_trigger(trigger: Any, path: str) -> None:
    kind = trigger.WhichOneof("type")
    if kind == "count" and trigger.count < 1:
        _refuse(f"{path}.count", "must be at least 1")
    if kind == "percent" and not 0 < trigger.percent <= 100:  # noqa: PLR2004
        _refuse(f"{path}.percent", "must be above 0 and at most 100")


def _check_documentation(documentation: Any) -> None:
    path = f"{_POLICY}.documentation"
    for name, characters, size in (("content", 8192, 10_240), ("subject", 10_240, 10_240)):
        text = getattr(documentation, name)
        if len(text) > characters or len(text.encode()) > size:
            _refuse(f"{path}.{name}", f"has at most {characters} characters and {size} bytes")
    if documentation.mime_type not in {"", "text/markdown"}:
        _refuse(f"{path}.mime_type", "must be text/markdown")
    if len(documentation.links) > 3:  # noqa: PLR2004
        _refuse(f"{path}.links", "has at most 3 links")
    for link in documentation.links:
        if not 1 <= len(link.display_name) <= 63 or len(link.url) > 2083:  # noqa: PLR2004
            _refuse(f"{path}.links", "have names of 1 to 63 characters and URLs of at most 2083")


def _check_strategy(strategy: Any) -> None:
    path = f"{_POLICY}.alert_strategy"
    if strategy.HasField("auto_close"):
        _check_range(strategy.auto_close, f"{path}.auto_close", _AUTO_CLOSE_S)
    if 0 in strategy.notification_prompts:
        _refuse(f"{path}.notification_prompts", "must be OPENED or CLOSED")


def _check_range(duration: Any, path: str, allowed: tuple[int, int]) -> None:
    least, most = allowed
    if not least <= duration.ToNanoseconds() / 1e9 <= most:
        _refuse(path, f"must be from {least} s to {most} s")


def _check_name(name: str, path: str) -> None:
    if not 1 <= len(name) <= _LONGEST_NAME:
        _refuse(path, f"is required and has at most {_LONGEST_NAME} characters")


def _refuse(path: str, rule: str) -> None:
    raise invalid_argument(f"Field {path} {rule}.", path)
