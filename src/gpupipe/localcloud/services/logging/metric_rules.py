"""What a log-based metric must look like: google.logging.v2.LogMetric."""

import itertools
import re
from typing import Any

from google.api.label_pb2 import LabelDescriptor
from google.api.metric_pb2 import MetricDescriptor
from google.cloud.logging_v2 import types

from gpupipe.localcloud.errors import invalid_argument, unimplemented
from gpupipe.localcloud.services.logging.extractors import extractor
from gpupipe.localcloud.services.logging.filter import compiled
from gpupipe.localcloud.transport.rows import raw

LogMetric = raw(types.LogMetric)
TYPE = "logging.googleapis.com/user/"
_ID = re.compile(r"[A-Za-z0-9_\-.,+!*',()%][A-Za-z0-9_\-.,+!*',()%/]{0,99}")
_LONGEST = 8000
_DELTA = MetricDescriptor.DELTA
_COUNT, _DISTRIBUTION = MetricDescriptor.INT64, MetricDescriptor.DISTRIBUTION
_MOST_BUCKETS = 200  # own knowledge


def check(metric: Any) -> None:
    """Fill in the usual descriptor, and raise the first refusal that applies."""
    if not _ID.fullmatch(metric.name):
        _refuse("name", "has 1 to 100 letters, digits and _-.,+!*',()%/, and no / at the beginning")
    if len(metric.description) > _LONGEST:
        _refuse("description", f"has at most {_LONGEST} characters")
    compiled(metric.filter)
    _check_descriptor(metric.metric_descriptor)
    _check_values(metric)
    labels = {label.key for label in metric.metric_descriptor.labels}
    if labels != set(metric.label_extractors):
        _refuse("label_extractors", "has an extractor for each label of the descriptor, no other")
    for text in metric.label_extractors.values():
        extractor(text, "metric.label_extractors")


def complete(metric: Any, project: str) -> None:
    """The descriptor's names, which are the server's."""
    descriptor = metric.metric_descriptor
    descriptor.type = TYPE + metric.name
    descriptor.name = f"{project}/metricDescriptors/{descriptor.type}"
    descriptor.description = metric.description


def check_update(old: Any, new: Any) -> None:
    """What stays as it was made."""
    before, after = old.metric_descriptor, new.metric_descriptor
    if before.value_type != after.value_type:
        _refuse("metric_descriptor.value_type", "cannot be changed")
    kept = {label.key: label.value_type for label in after.labels}
    if any(kept.get(label.key) != label.value_type for label in before.labels):
        _refuse("metric_descriptor.labels", "can only be added to")


def bounds(metric: Any) -> tuple[float, ...]:
    """The upper ends of the buckets of a distribution."""
    options = metric.bucket_options
    kind = options.WhichOneof("options")
    if kind == "explicit_buckets":
        return tuple(options.explicit_buckets.bounds)
    if kind == "linear_buckets":
        linear = options.linear_buckets
        count = range(linear.num_finite_buckets + 1)
        return tuple(linear.offset + linear.width * number for number in count)
    if kind == "exponential_buckets":
        growing = options.exponential_buckets
        count = range(growing.num_finite_buckets + 1)
        return tuple(growing.scale * growing.growth_factor**number for number in count)
    return ()


def _check_descriptor(descriptor: Any) -> None:
    descriptor.metric_kind = descriptor.metric_kind or _DELTA
    descriptor.value_type = descriptor.value_type or _COUNT
    descriptor.unit = descriptor.unit or "1"
    if descriptor.metric_kind != _DELTA:
        _refuse("metric_descriptor.metric_kind", "must be DELTA")
    if descriptor.value_type not in {_COUNT, _DISTRIBUTION}:
        _refuse("metric_descriptor.value_type", "must be INT64 or DISTRIBUTION")
    if any(label.value_type != LabelDescriptor.STRING for label in descriptor.labels):
        raise unimplemented("labels of log-based metrics that are no strings")


def _check_values(metric: Any) -> None:
    distribution = metric.metric_descriptor.value_type == _DISTRIBUTION
    if distribution != bool(metric.value_extractor):
        rule = "is required for" if distribution else "is only for"
        _refuse("value_extractor", f"{rule} a DISTRIBUTION")
    if metric.value_extractor:
        extractor(metric.value_extractor, "metric.value_extractor")
    if metric.HasField("bucket_options"):
        if not distribution:
            _refuse("bucket_options", "is only for a DISTRIBUTION")
        _check_bounds(bounds(metric))


def _check_bounds(ends: tuple[float, ...]) -> None:
    if not 1 <= len(ends) <= _MOST_BUCKETS:
        _refuse("bucket_options", f"has from 1 to {_MOST_BUCKETS} bounds")
    if any(low >= high for low, high in itertools.pairwise(ends)):
        _refuse("bucket_options", "has bounds that grow")


def _refuse(field: str, rule: str) -> None:
    path = f"metric.{field}"
    raise invalid_argument(f"Field {path} {rule}.", path)
