"""The filters of charts and alert conditions: which series of a metric they select.

A filter names exactly one metric.type; that of an alert condition one resource.type too. Fields and
functions are those of Monitoring's filters. Nothing is selected here: a filter is read and kept.
"""

import re

from gpupipe.localcloud.errors import invalid_argument, not_found
from gpupipe.localcloud.kernel.filters import Comparison, Every, Expression, comparisons, parse

_LONGEST = 2048  # AlertPolicy.Condition.MetricThreshold.filter
_FIELD = re.compile(
    r"metric\.type|metric\.labels?\..+|resource\.type|resource\.labels?\..+|project|group\.id"
    r"|metadata\.(?:user|system)_labels\..+"
)
_QUOTED = r'"(?:[^"\\]|\\.)*"'
# A text by itself (which may look like a call), or a call of a function.
_CALL = re.compile(rf"{_QUOTED}|([a-z][\w.]*)\s*\(((?:{_QUOTED}|[^()\"])*)\)")
_FUNCTIONS = frozenset(
    {"ends_with", "has_substring", "monitoring.regex.full_match", "one_of", "starts_with"}
)
# gcp-facts §7: names that are written down here and there and that Google does not have.
_NOT_METRICS = frozenset(
    {
        "run.googleapis.com/container/gpu/memory/utilizations",
        "run.googleapis.com/container/gpu/utilization",
        "workflows.googleapis.com/execution_duration",
        "workflows.googleapis.com/failed_execution_count",
    }
)
# Log-based metrics: none exists, because what makes them is not emulated.
_OF_LOGS = "logging.googleapis.com/user/"


def check_chart(text: str, path: str) -> None:
    """The filter of a chart: one metric.type."""
    _check(text, path, ("metric.type",))


def check_alert(text: str, path: str) -> None:
    """The filter of an alert condition: one metric.type, which exists, and one resource.type."""
    if len(text) > _LONGEST:
        raise invalid_argument(f"{path} has more than {_LONGEST} characters.", path)
    metric = _check(text, path, ("metric.type", "resource.type"))
    if metric in _NOT_METRICS or metric.startswith(_OF_LOGS):
        # Code and words were read for log-based metrics; for the others they are UNSURE.
        raise not_found(
            f'Cannot find metric(s) that match type = "{metric}". If a metric was created '
            "recently, it could take up to 10 minutes to become available. Please try again soon."
        )


def _check(text: str, path: str, wanted: tuple[str, ...]) -> str:
    """The metric's type."""
    expression = parse(_CALL.sub(lambda found: _as_value(found, path), text))
    unknown = [one.field for one in comparisons(expression) if not _FIELD.fullmatch(one.field)]
    if unknown:
        raise invalid_argument(f"{path} has the unknown field {unknown[0]!r}.", path)
    values = [_only(expression, name, path) for name in wanted]
    return values[0]


def _as_value(found: re.Match[str], path: str) -> str:
    """A call as one text, which is not the full name of anything."""
    name = found[1]
    if name is None:
        return found[0]
    if name not in _FUNCTIONS:
        raise invalid_argument(f"{path} calls the unknown function {name!r}.", path)
    return '"' + re.sub(r'(["\\])', r"\\\1", f"{name}({found[2]})") + '"'


def _only(expression: Expression, name: str, path: str) -> str:
    """The value of the one comparison `name = VALUE`, which must hold for the whole filter."""
    found = [one for one in comparisons(expression) if one.field == name]
    required = expression.parts if isinstance(expression, Every) else (expression,)
    values = [one.value for one in required if isinstance(one, Comparison) and one in found]
    exact = [value for value in values if not _CALL.fullmatch(value)]
    if len(found) != 1 or len(exact) != 1 or found[0].operator != "=":
        raise invalid_argument(f"{path} must specify exactly one {name}.", path)
    return values[0]
