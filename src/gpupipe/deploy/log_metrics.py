"""The log-based metrics of a pipeline: what its services and its workflow say in their logs."""

from gpupipe.cloud.log_metrics import LogMetric
from gpupipe.deploy.spec import PipelineSpec

FAILURES = "failures"
"""Executions that ended with an error record, by the class of the error."""
_OF_INFERENCE: tuple[tuple[str, str, str, str, str], ...] = (
    ("queue", "batches", "longest_queue_ms", "ms", "how long rows waited for the device"),
    ("batch-size", "batches", "mean_batch", "1", "how many rows the device worked on at once"),
    ("inference", "chunk scored", "timings_ms.inference", "ms", "how long a chunk was scored"),
    ("load", "model ready", "load_ms", "ms", "how long the model took to be ready"),
)
"""Name, message of the entry, field, unit, meaning."""


def metric_type(spec: PipelineSpec, name: str) -> str:
    """The metric as filters name it."""
    return f"logging.googleapis.com/user/{_name(spec, name)}"


def log_metrics(spec: PipelineSpec) -> tuple[LogMetric, ...]:
    """All of them, as they should be."""
    service = spec.names.service("gpu-inference")
    of_service = f'resource.type="cloud_run_revision" AND resource.labels.service_name="{service}"'
    timed = [
        LogMetric(
            _name(spec, name),
            f"{spec.mark} {meaning}",
            f'{of_service} AND jsonPayload.message="{message}"',
            f"jsonPayload.{field}",
            unit,
        )
        for name, message, field, unit, meaning in _OF_INFERENCE
    ]
    failures = LogMetric(
        _name(spec, FAILURES),
        f"{spec.mark} executions that failed, by the class of the error",
        'resource.type="workflows.googleapis.com/Workflow" AND '
        f'resource.labels.workflow_id="{spec.names.workflow}" AND jsonPayload.class=~"."',
        labels={"class": "jsonPayload.class"},
    )
    return (failures, *timed)


def _name(spec: PipelineSpec, name: str) -> str:
    return f"{spec.names.prefix}-{name}"
