"""The filters of charts and alert conditions: which series of a metric they select.

A filter names exactly one metric.type; that of an alert condition one resource.type too. Fields and
functions are those of Monitoring's filters.
"""

import re
from collections.abc import Callable, Mapping

from gpupipe.localcloud.errors import invalid_argument, not_found, unimplemented
from gpupipe.localcloud.kernel.filters import (
    Comparison,
    Every,
    Expression,
    comparisons,
    holds,
    parse,
)
from gpupipe.localcloud.kernel.metrics import Sample

_LONGEST = 2048  # AlertPolicy.Condition.MetricThreshold.filter
_FIELD = re.compile(
    r"metric\.type|metric\.labels?\..+|resource\.type|resource\.labels?\..+|project|group\.id"
    r"|metadata\.(?:user|system)_labels\..+"
)
_QUOTED = r'"(?:[^"\\]|\\.)*"'
# A text by itself (which may look like a call), or a call of a function.
_CALL = re.compile(rf"{_QUOTED}|([a-z][\w.]*)\s*\(((?:{_QUOTED}|[^()\"])*)\)")
_ARGUMENT = re.compile(_QUOTED)
Test = Callable[[str, list[str]], bool]
_FUNCTIONS: Mapping[str, Test] = {
    "ends_with": lambda text, given: text.endswith(given[0]),
    "has_substring": lambda text, given: given[0] in text,
    "monitoring.regex.full_match": lambda text, given: re.fullmatch(given[0], text) is not None,
    "one_of": lambda text, given: text in given,
    "starts_with": lambda text, given: text.startswith(given[0]),
}
# gcp-facts §7: names that are written down here and there and that Google does not have.
_NOT_METRICS = frozenset(
    {
        "run.googleapis.com/container/gpu/memory/utilizations",
        "run.googleapis.com/container/gpu/utilization",
        "workflows.googleapis.com/execution_duration",
        "workflows.googleapis.com/failed_execution_count",
    }
)
# Those of other APIs may exist on Google; those that log entries make are known.
_OF_LOGS = "logging.googleapis.com/user/"


def check_chart(text: str, path: str) -> None:
    """The filter of a chart: one metric.type."""
    _check(text, path, ("metric.type",))


def check_alert(text: str, path: str, known: Callable[[str], bool]) -> None:
    """The filter of an alert condition: one metric.type, which exists, and one resource.type.

    known: whether there is a metric of this type here.
    """
    if len(text) > _LONGEST:
        raise invalid_argument(f"{path} has more than {_LONGEST} characters.", path)
    metric = _check(text, path, ("metric.type", "resource.type"))
    if metric in _NOT_METRICS or (metric.startswith(_OF_LOGS) and not known(metric)):
        # Code and words were read for log-based metrics; for the others they are UNSURE.
        raise not_found(unknown(metric))


def unknown(metric: str) -> str:
    """What is said where there is no metric of a type."""
    return (
        f'Cannot find metric(s) that match type = "{metric}". If a metric was created '
        "recently, it could take up to 10 minutes to become available. Please try again soon."
    )


def selector(text: str, path: str) -> tuple[str, Callable[[Sample], bool]]:
    """The metric's type, and which of its samples a filter wants.

    UNIMPLEMENTED for fields that nothing here has, and for operators other than = and !=.
    """
    metric = _check(text, path, ("metric.type",))
    expression = _parsed(text, path)
    tests = {one: _test(one, path) for one in comparisons(expression)}
    return metric, lambda sample: holds(expression, lambda one: tests[one](sample))


def _test(one: Comparison, path: str) -> Callable[[Sample], bool]:
    if one.path[0] in {"metadata", "group"} or one.operator not in {"=", "!="}:
        raise unimplemented(f"{one.field}{one.operator}{one.value!r} in a filter of time series")
    call, equal = _CALL.fullmatch(one.value), one.operator == "="
    if call is None or call[1] is None:
        return lambda sample: (_value(sample, one.path) == one.value) is equal
    given = [re.sub(r"\\(.)", r"\1", found[1:-1]) for found in _ARGUMENT.findall(call[2])]
    test = _FUNCTIONS[call[1]]
    if not given:
        raise invalid_argument(f"{path} calls {call[1]} without a text.", path)
    return lambda sample: test(_value(sample, one.path), given) is equal


def _value(sample: Sample, path: tuple[str, ...]) -> str:
    field, name = ".".join(path[:2]), ".".join(path[2:])
    if field == "metric.type":
        return sample.metric
    if field == "resource.type":
        return sample.resource
    if field == "project":
        return sample.project
    labels = sample.labels if path[0] == "metric" else sample.resource_labels
    return labels.get(name, "")


def calls_as_values(text: str, path: str) -> str:
    """The filter with each call of a function as a text, which the parser of filters takes."""
    return _CALL.sub(lambda found: _as_value(found, path), text)


def _parsed(text: str, path: str) -> Expression:
    return parse(calls_as_values(text, path))


def _check(text: str, path: str, wanted: tuple[str, ...]) -> str:
    """The metric's type."""
    expression = _parsed(text, path)
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
