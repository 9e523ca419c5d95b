"""The filters of charts and alert conditions: which series of a metric they select.

A filter names exactly one metric.type; that of an alert condition one resource.type too. The fields
are those of Monitoring's filters; functions (`starts_with`, `one_of`, ...) are not emulated.
"""

import re

from gpupipe.localcloud.errors import invalid_argument, not_found, unimplemented
from gpupipe.localcloud.kernel.filters import Comparison, Every, Expression, comparisons, parse

_LONGEST = 2048  # AlertPolicy.Condition.MetricThreshold.filter
_FIELD = re.compile(
    r"metric\.type|metric\.labels?\..+|resource\.type|resource\.labels?\..+|project|group\.id"
    r"|metadata\.(?:user|system)_labels\..+"
)
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_FUNCTION = re.compile(r"([a-z][\w.]*)\s*\(")
# gcp-facts §7: names that are written down here and there and that Google does not have.
_NOT_METRICS = frozenset(
    {
        "run.googleapis.com/container/gpu/memory/utilizations",
        "run.googleapis.com/container/gpu/utilization",
        "workflows.googleapis.com/execution_duration",
        "workflows.googleapis.com/failed_execution_count",
    }
)


def check_chart(text: str, path: str) -> None:
    """The filter of a chart: one metric.type."""
    _check(text, path, ("metric.type",))


def check_alert(text: str, path: str) -> None:
    """The filter of an alert condition: one metric.type, which exists, and one resource.type."""
    if len(text) > _LONGEST:
        raise invalid_argument(f"{path} has more than {_LONGEST} characters.", path)
    metric = _check(text, path, ("metric.type", "resource.type"))
    if metric in _NOT_METRICS:
        # Code and words are UNSURE; that it "could take up to 10 minutes" was read (gcp-facts §7).
        raise not_found(
            f"Cannot find a metric of the type {metric!r}. If it was created recently, it could "
            "take up to 10 minutes to become available."
        )


def _check(text: str, path: str, wanted: tuple[str, ...]) -> str:
    """The metric's type."""
    _refuse_functions(text)
    expression = parse(text)
    unknown = [one.field for one in comparisons(expression) if not _FIELD.fullmatch(one.field)]
    if unknown:
        raise invalid_argument(f"{path} has the unknown field {unknown[0]!r}.", path)
    values = [_only(expression, name, path) for name in wanted]
    return values[0]


def _refuse_functions(text: str) -> None:
    called = _FUNCTION.search(_QUOTED.sub('""', text))
    if called:
        raise unimplemented(f"the function {called[1]} in filters of Monitoring")


def _only(expression: Expression, name: str, path: str) -> str:
    """The value of the one comparison `name = VALUE`, which must hold for the whole filter."""
    found = [one for one in comparisons(expression) if one.field == name]
    required = expression.parts if isinstance(expression, Every) else (expression,)
    values = [one.value for one in required if isinstance(one, Comparison) and one in found]
    if len(found) != 1 or len(values) != 1 or found[0].operator != "=":
        raise invalid_argument(f"{path} must specify exactly one {name}.", path)
    return values[0]
