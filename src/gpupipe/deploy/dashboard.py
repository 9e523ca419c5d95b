"""The tiles of a pipeline's dashboard. Metric types: gcp-facts 7; what is unsure there has no tile."""

import re

from gpupipe.cloud.dashboards import PromQuery, Query, Tile
from gpupipe.core.names import SERVICES
from gpupipe.core.prices import prices
from gpupipe.deploy.costs import cost_of, text
from gpupipe.deploy.log_metrics import FAILURES, metric_type
from gpupipe.deploy.spec import PipelineSpec

_RUN = "run.googleapis.com"
_BY_SERVICE = ("resource.label.service_name",)
_NAMED = "${resource.labels.service_name}"
_DAY_S = 86_400
_SHARE = "share"


GPU_TITLES = frozenset({"GPU utilisation", "GPU memory"})
"""Those of our tiles that are not always wanted."""


def tiles(spec: PipelineSpec, subscription: str) -> tuple[Tile, ...]:
    """All that are wanted, in their order. subscription: the id of the trigger's."""
    gpu = (
        _gpu(spec, "GPU utilisation", "utilizations"),
        _gpu(spec, "GPU memory", "memory_utilizations"),
    )
    return (
        _executions(spec),
        _failures(spec),
        *(_latencies(spec, service) for service in SERVICES),
        _by_service(spec, "Requests", "1/s", "request_count", "ALIGN_RATE"),
        _by_service(spec, "Server errors", "1/s", "request_count", "ALIGN_RATE",
                    ' metric.label.response_code_class="5xx"'),
        _error_rate(spec),
        _by_service(spec, "Instances", "instances", "container/instance_count", "ALIGN_MAX"),
        _by_service(spec, "Billable time", "s/s", "container/billable_instance_time", "ALIGN_RATE"),
        _cost(spec),
        *(gpu if spec.config.options.gpu_inference.has_gpu else ()),
        _shares(spec, "CPU", "cpu"),
        _shares(spec, "Memory", "memory"),
        _logged(spec, "Queue", "ms", "queue"),
        _logged(spec, "Inference time", "ms", "inference"),
        _logged(spec, "Batch size", "rows", "batch-size"),
        _logged(spec, "Model load", "ms", "load"),
        _undelivered(subscription),
        _buckets(spec),
    )  # fmt: skip


def _executions(spec: PipelineSpec) -> Tile:
    query = Query(
        'metric.type="workflows.googleapis.com/finished_execution_count" '
        'resource.type="workflows.googleapis.com/Workflow" '
        f'resource.label.workflow_id="{spec.names.workflow}"',
        "ALIGN_DELTA",
        "REDUCE_SUM",
        ("metric.label.status",),
        "${metric.labels.status}",
    )
    return Tile("Executions", "executions", (query,))


def _failures(spec: PipelineSpec) -> Tile:
    query = Query(
        f'metric.type="{metric_type(spec, FAILURES)}"',
        "ALIGN_DELTA",
        "REDUCE_SUM",
        ("metric.label.class",),
        "${metric.labels.class}",
    )
    return Tile("Failures by class", "files", (query,))


def _latencies(spec: PipelineSpec, service: str) -> Tile:
    wanted = f'metric.type="{_RUN}/request_latencies" {_of(spec.names.service(service))}'
    queries = tuple(
        Query(wanted, "ALIGN_DELTA", f"REDUCE_PERCENTILE_{percent}", _BY_SERVICE, f"p{percent}")
        for percent in (50, 95, 99)
    )
    return Tile(f"Latency of {service}", "ms", queries)


def _by_service(
    spec: PipelineSpec, title: str, unit: str, metric: str, aligner: str, more: str = ""
) -> Tile:
    wanted = f'metric.type="{_RUN}/{metric}" {_of_all(spec)}{more}'
    return Tile(title, unit, (Query(wanted, aligner, "REDUCE_SUM", _BY_SERVICE, _NAMED),))


def _error_rate(spec: PipelineSpec) -> Tile:
    answers = f'metric.type="{_RUN}/request_count" {_of_all(spec)}'
    errors = f'{answers} metric.label.response_code_class="5xx"'
    query = Query(errors, "ALIGN_RATE", "REDUCE_SUM", _BY_SERVICE, _NAMED, 300, answers)
    return Tile("Error rate", _SHARE, (query,))


def _cost(spec: PipelineSpec) -> Tile:
    """Billed instance-hours times the dated price of one, or why there is no such figure."""
    service = spec.service("gpu-inference", "", 1)
    table = prices(spec.names.region)
    hour = cost_of("gpu-inference", service, table).instance_hour
    dated = f"an instance-hour of gpu-inference: {text(hour, table)}, prices of {table.as_of}"
    if not hour.known:
        return Tile("Cost", "", (), f"The price of {dated}; see `gpupipe cost`.")
    metric = _prom(f"{_RUN}/container/billable_instance_time")
    name = spec.names.service("gpu-inference")
    series = f'{metric}{{monitored_resource="cloud_run_revision",service_name="{name}"}}'
    query = PromQuery(f"sum(rate({series}[5m])) * {hour.known.normalize():f}", dated)
    return Tile("Cost", f"{table.currency} an hour", (query,))


def _prom(metric: str) -> str:
    """A metric's name in PromQL (docs: Mapping Cloud Monitoring metrics to PromQL)."""
    return re.sub(r"[^a-zA-Z0-9_:]", "_", metric.replace("/", ":", 1))


def _gpu(spec: PipelineSpec, title: str, metric: str) -> Tile:
    service = _of(spec.names.service("gpu-inference"))
    wanted = f'metric.type="{_RUN}/container/gpu/{metric}" {service}'
    queries = tuple(
        Query(wanted, "ALIGN_DELTA", f"REDUCE_PERCENTILE_{percent}", _BY_SERVICE, f"p{percent}")
        for percent in (50, 95)
    )
    return Tile(title, _SHARE, queries)


def _shares(spec: PipelineSpec, title: str, what: str) -> Tile:
    wanted = f'metric.type="{_RUN}/container/{what}/utilizations" {_of_all(spec)}'
    query = Query(wanted, "ALIGN_DELTA", "REDUCE_PERCENTILE_95", _BY_SERVICE, _NAMED)
    return Tile(title, _SHARE, (query,))


def _logged(spec: PipelineSpec, title: str, unit: str, name: str) -> Tile:
    wanted = f'metric.type="{metric_type(spec, name)}" resource.type="cloud_run_revision"'
    queries = tuple(
        Query(wanted, "ALIGN_DELTA", f"REDUCE_PERCENTILE_{percent}", legend=f"p{percent}")
        for percent in (50, 95)
    )
    return Tile(title, unit, queries)


def _undelivered(subscription: str) -> Tile:
    of = f'resource.type="pubsub_subscription" resource.label.subscription_id="{subscription}"'
    metric = "pubsub.googleapis.com/subscription/num_undelivered_messages"
    query = Query(f'metric.type="{metric}" {of}', "ALIGN_MAX", "REDUCE_SUM")
    return Tile("Undelivered events", "events", (query,))


def _buckets(spec: PipelineSpec) -> Tile:
    names = ",".join(f'"{spec.names.bucket(role)}"' for role in ("input", "output", "work"))
    wanted = (
        'metric.type="storage.googleapis.com/storage/total_bytes" resource.type="gcs_bucket" '
        f"resource.label.bucket_name=one_of({names})"
    )
    label = "resource.label.bucket_name"
    legend = "${resource.labels.bucket_name}"
    query = Query(wanted, "ALIGN_MEAN", "REDUCE_SUM", (label,), legend, period_s=_DAY_S)
    return Tile("Growth of the buckets", "bytes", (query,))


def _of(service: str) -> str:
    return f'resource.type="cloud_run_revision" resource.label.service_name="{service}"'


def _of_all(spec: PipelineSpec) -> str:
    names = ",".join(f'"{spec.names.service(service)}"' for service in SERVICES)
    return f'resource.type="cloud_run_revision" resource.label.service_name=one_of({names})'
