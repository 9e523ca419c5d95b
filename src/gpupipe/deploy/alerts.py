"""The alert policies of a pipeline.

Metric types: gcp-facts 7. The text of each says what to do.
"""

from gpupipe.cloud.alerts import AlertPolicy, Condition
from gpupipe.core.names import SERVICES
from gpupipe.deploy.log_metrics import FAILURES, metric_type
from gpupipe.deploy.spec import PipelineSpec

AUTO_CLOSE_S = 1800
_RUN = "run.googleapis.com"
_BY_SERVICE = ("resource.label.service_name",)
_FIVE_MINUTES_S, _TEN_MINUTES_S, _MINUTE_S = 300, 600, 60
_LATENCY_SHARE = 0.8
"""Of the time that a request may take, where no limit is set."""


def alert_policies(spec: PipelineSpec, subscription: str) -> tuple[AlertPolicy, ...]:
    """All that are wanted. subscription: the id of the trigger's, as the API gave it."""
    inference = spec.names.service("gpu-inference")
    options = spec.config.options.gpu_inference
    found = [
        _failures(spec),
        _errors(spec),
        _latency(spec, inference),
        _undelivered(spec, subscription),
    ]
    if options.has_gpu:
        found.append(_saturation(spec, inference))
    if not options.min_instances:
        # Instances that are always there are wanted by who set the minimum.
        found.append(_idle(spec, inference))
    return tuple(found)


def _failures(spec: PipelineSpec) -> AlertPolicy:
    condition = Condition(
        "an execution failed for a reason that is not the file's",
        f'metric.type="{metric_type(spec, FAILURES)}" '
        'resource.type="workflows.googleapis.com/Workflow" metric.label.class="system"',
        0,
        _FIVE_MINUTES_S,
        "ALIGN_DELTA",
        "REDUCE_SUM",
    )
    return _policy(
        spec,
        "failed-executions",
        "Files failed, and not because of what they hold. `gpupipe executions list` shows which, "
        "`gpupipe logs` why; `gpupipe test-upload --retry-failed` sends them again.",
        condition,
    )


def _errors(spec: PipelineSpec) -> AlertPolicy:
    names = ",".join(f'"{spec.names.service(service)}"' for service in SERVICES)
    percent = spec.config.options.alerts.error_percent
    requests = (
        f'metric.type="{_RUN}/request_count" resource.type="cloud_run_revision" '
        f"resource.label.service_name=one_of({names})"
    )
    condition = Condition(
        f"more than {percent} % of a service's answers are errors",
        f'{requests} metric.label.response_code_class="5xx"',
        percent / 100,
        _FIVE_MINUTES_S,
        "ALIGN_RATE",
        "REDUCE_SUM",
        _BY_SERVICE,
        duration_s=_FIVE_MINUTES_S,
        denominator=requests,
    )
    return _policy(
        spec,
        "error-rate",
        "A service answers with errors. `gpupipe logs SERVICE --severity error` shows them, "
        "`gpupipe rollback` goes to the release before.",
        condition,
    )


def _latency(spec: PipelineSpec, service: str) -> AlertPolicy:
    options = spec.config.options
    limit = options.alerts.latency_seconds or options.gpu_inference.timeout * _LATENCY_SHARE
    condition = Condition(
        f"one answer in twenty takes longer than {limit:g} s",
        f'metric.type="{_RUN}/request_latencies" {_of(service)}',
        limit * 1000,
        _FIVE_MINUTES_S,
        "ALIGN_DELTA",
        "REDUCE_PERCENTILE_95",
        _BY_SERVICE,
        duration_s=_FIVE_MINUTES_S,
    )
    return _policy(
        spec,
        "latency",
        "Inference comes near to its timeout. More instances (max_instances), smaller files or "
        "another GPU help; the dashboard shows whether rows wait or the device is slow.",
        condition,
    )


def _saturation(spec: PipelineSpec, service: str) -> AlertPolicy:
    percent = spec.config.options.alerts.gpu_percent
    condition = Condition(
        f"the GPUs work more than {percent} % of the time",
        f'metric.type="{_RUN}/container/gpu/utilizations" {_of(service)}',
        percent / 100,
        _FIVE_MINUTES_S,
        "ALIGN_MEAN",
        "REDUCE_MEAN",
        _BY_SERVICE,
        duration_s=3 * _FIVE_MINUTES_S,
    )
    return _policy(
        spec,
        "gpu-saturation",
        "The GPUs are busy without a pause, so files wait. Raise gpu_inference.max_instances, as far "
        "as the quota allows (`gpupipe doctor`).",
        condition,
    )


def _undelivered(spec: PipelineSpec, subscription: str) -> AlertPolicy:
    most = spec.config.options.alerts.undelivered_events
    condition = Condition(
        f"more than {most} events of new files wait for ten minutes",
        'metric.type="pubsub.googleapis.com/subscription/num_undelivered_messages" '
        f'resource.type="pubsub_subscription" resource.label.subscription_id="{subscription}"',
        most,
        _MINUTE_S,
        "ALIGN_MIN",
        "REDUCE_SUM",
        duration_s=_TEN_MINUTES_S,
    )
    return _policy(
        spec,
        "undelivered-events",
        "New files start no execution. `gpupipe status` shows whether trigger, workflow and their "
        "accounts are there; a deploy puts them right, and Pub/Sub then delivers what waits.",
        condition,
    )


def _idle(spec: PipelineSpec, service: str) -> AlertPolicy:
    minutes = spec.config.options.alerts.idle_minutes
    up = Condition(
        "an instance is up",
        f'metric.type="{_RUN}/container/instance_count" {_of(service)}',
        0,
        _MINUTE_S,
        "ALIGN_MAX",
        "REDUCE_SUM",
        _BY_SERVICE,
        duration_s=minutes * _MINUTE_S,
    )
    unused = Condition(
        f"it has had no request for {minutes} minutes",
        f'metric.type="{_RUN}/request_count" {_of(service)}',
        1,
        _FIVE_MINUTES_S,
        "ALIGN_DELTA",
        "REDUCE_SUM",
        _BY_SERVICE,
        duration_s=minutes * _MINUTE_S,
        below=True,
        silence_counts=True,
    )
    return _policy(
        spec,
        "idle-instance",
        "An instance of the inference service is billed and has nothing to do, although none is kept "
        "(min_instances = 0). `gpupipe logs gpu-inference` shows what it does.",
        up,
        unused,
    )


def _of(service: str) -> str:
    return f'resource.type="cloud_run_revision" resource.label.service_name="{service}"'


def _policy(spec: PipelineSpec, name: str, text: str, *conditions: Condition) -> AlertPolicy:
    return AlertPolicy(
        name=f"{spec.names.prefix}-{name}",
        conditions=conditions,
        documentation=text,
        labels=spec.labels,
        auto_close_s=AUTO_CLOSE_S,
        channels=frozenset(spec.config.options.notification_channels),
    )
