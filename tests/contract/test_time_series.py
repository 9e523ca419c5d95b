"""What is measured, through the official clients: log-based metrics, series, aligned and reduced."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud import monitoring_v3 as mon
from google.cloud.logging_v2.services.metrics_service_v2 import MetricsServiceV2Client
from tests.support.clock import FakeClock
from tests.support.localcloud import CloudFactory, RunningCloud
from tests.support.run_services import RunTester

from gpupipe.localcloud.kernel.logs import LogEntry

QUEUE = "logging.googleapis.com/user/queue"
EXPLICIT = {"explicit_buckets": {"bounds": [10, 100]}}
DISTRIBUTION = {
    "name": "queue",
    "filter": 'resource.type="global" AND jsonPayload.queue_ms>=0',
    "value_extractor": "EXTRACT(jsonPayload.queue_ms)",
    "metric_descriptor": {
        "value_type": "DISTRIBUTION",
        "unit": "ms",
        "labels": [{"key": "stage"}],
    },
    "label_extractors": {"stage": r'REGEXP_EXTRACT(jsonPayload.message, "at (\w+)")'},
    "bucket_options": EXPLICIT,
}


class Bench:
    """A cloud on a clock that stands still, its clients, and entries that are written behind them."""

    def __init__(self, cloud: RunningCloud, clock: FakeClock) -> None:
        self.cloud = cloud
        self.clock = clock
        self.parent = f"projects/{cloud.project}"
        self.metrics: Any = cloud.client(MetricsServiceV2Client)
        self.series: Any = cloud.client(mon.MetricServiceClient)

    def make(self, **metric: Any) -> Any:
        return self.metrics.create_log_metric(request={"parent": self.parent, "metric": metric})

    def log(self, payload: str | dict[str, Any], **labels: str) -> None:
        self.cloud.kernel.logs.write(f"{self.parent}/logs/own", "global", labels, "INFO", payload)

    def ask(self, text: str, minutes: float = 10, **aggregation: Any) -> list[Any]:
        now = self.clock.now()
        request: dict[str, Any] = {
            "name": self.parent,
            "filter": text,
            "interval": {"start_time": now - timedelta(minutes=minutes), "end_time": now},
            "view": "FULL",
        }
        if aggregation:
            request["aggregation"] = {"alignment_period": {"seconds": 60}, **aggregation}
        return list(self.series.list_time_series(request=request, retry=None))


@pytest.fixture
def bench(local_cloud_factory: CloudFactory) -> Bench:
    clock = FakeClock()
    return Bench(local_cloud_factory(clock=clock), clock)


def values(series: Any) -> list[float]:
    return [point.value.double_value or point.value.int64_value for point in series.points]


def asks_for(path: str) -> Callable[[LogEntry], bool]:
    """Whether an entry is of a request for this path."""

    def of(entry: LogEntry) -> bool:
        payload = entry.payload if isinstance(entry.payload, dict) else {}
        return str(payload.get("httpRequest", {}).get("requestUrl", "")).endswith(path)

    return of


def test_a_metric_counts_the_entries_that_came_after_it(bench: Bench) -> None:
    bench.log("early")
    bench.clock.advance(1)
    made = bench.make(name="seen", filter='textPayload:"l"')
    assert made.metric_descriptor.type == "logging.googleapis.com/user/seen"
    bench.clock.advance(30)
    for text in ("late", "later", "other"):
        bench.log(text)
    (found,) = bench.ask(f'metric.type="{made.metric_descriptor.type}"')
    assert found.metric_kind == 2
    assert values(found) == [2]
    assert found.resource.type == "global"


@pytest.mark.promise(99)
def test_values_of_entries_become_a_distribution_with_labels(bench: Bench) -> None:
    bench.make(**DISTRIBUTION)
    bench.clock.advance(1)
    for milliseconds in (5, 50, 500):
        bench.log({"message": "at device", "queue_ms": milliseconds})
    bench.log({"message": "at device"})
    (found,) = bench.ask(f'metric.type="{QUEUE}" metric.labels.stage="device"')
    (point,) = found.points
    assert point.value.distribution_value.count == 3
    assert point.value.distribution_value.mean == pytest.approx(185)
    assert list(point.value.distribution_value.bucket_counts) == [1, 1, 1]
    assert not bench.ask(f'metric.type="{QUEUE}" metric.labels.stage="door"')


def test_series_are_aligned_and_reduced(bench: Bench) -> None:
    bench.make(**DISTRIBUTION)
    for stage in ("door", "device"):
        for milliseconds in range(1, 101):
            bench.clock.advance(0.3)
            bench.log({"message": f"at {stage}", "queue_ms": milliseconds})
    text = f'metric.type="{QUEUE}"'
    (p95,) = bench.ask(text, per_series_aligner="ALIGN_DELTA",
                       cross_series_reducer="REDUCE_PERCENTILE_95")  # fmt: skip
    assert values(p95) == [95]
    medians = bench.ask(text, per_series_aligner="ALIGN_PERCENTILE_50")
    assert [values(one) for one in medians] == [[50], [50]]
    grouped = bench.ask(text, per_series_aligner="ALIGN_PERCENTILE_99",
                        cross_series_reducer="REDUCE_MAX",
                        group_by_fields=['metric.label."stage"'])  # fmt: skip
    assert [dict(one.metric.labels) for one in grouped] == [{"stage": "device"}, {"stage": "door"}]


def test_counts_of_time_add_up_and_have_a_rate(bench: Bench) -> None:
    made = bench.make(name="seen", filter='textPayload="x"')
    text = f'metric.type="{made.metric_descriptor.type}"'
    for count in (3, 0, 6):
        bench.clock.advance(60)
        for _ in range(count):
            bench.log("x")
    (delta,) = bench.ask(text, per_series_aligner="ALIGN_DELTA")
    assert values(delta) == [6, 3]
    (rate,) = bench.ask(text, per_series_aligner="ALIGN_RATE")
    assert values(rate) == pytest.approx([0.1, 0.05])
    (whole,) = bench.ask(text, alignment_period={"seconds": 600}, per_series_aligner="ALIGN_SUM")
    assert values(whole) == [9]


def test_an_aligner_that_does_not_fit_is_refused(bench: Bench) -> None:
    made = bench.make(name="seen", filter='textPayload="x"')
    bench.clock.advance(1)
    bench.log("x")
    text = f'metric.type="{made.metric_descriptor.type}"'
    with pytest.raises(exceptions.InvalidArgument, match="ALIGN_PERCENTILE_95"):
        bench.ask(text, per_series_aligner="ALIGN_PERCENTILE_95")
    with pytest.raises(exceptions.MethodNotImplemented, match="ALIGN_STDDEV"):
        bench.ask(text, per_series_aligner="ALIGN_STDDEV")


def test_an_update_replaces_a_metric_and_keeps_its_kind(bench: Bench) -> None:
    bench.make(**DISTRIBUTION)
    name = f"{bench.parent}/metrics/queue"
    changed = {**DISTRIBUTION, "description": "how long rows waited"}
    bench.metrics.update_log_metric(request={"metric_name": name, "metric": changed})
    found = bench.metrics.get_log_metric(request={"metric_name": name})
    assert found.description == found.metric_descriptor.description == "how long rows waited"
    with pytest.raises(exceptions.InvalidArgument, match="value_type"):
        bench.metrics.update_log_metric(
            request={"metric_name": name, "metric": {"name": "queue", "filter": "severity>=INFO"}}
        )
    (listed,) = bench.metrics.list_log_metrics(request={"parent": bench.parent})
    assert listed == found
    bench.metrics.delete_log_metric(request={"metric_name": name})
    with pytest.raises(exceptions.NotFound):
        bench.ask(f'metric.type="{QUEUE}"')


def test_metrics_are_described(bench: Bench) -> None:
    bench.make(**DISTRIBUTION)
    request = {"name": bench.parent, "filter": 'metric.type = starts_with("run.googleapis.com/")'}
    run = {one.type: one for one in bench.series.list_metric_descriptors(request=request)}
    assert "run.googleapis.com/container/gpu/utilizations" in run
    assert "run.googleapis.com/container/gpu/utilization" not in run
    assert run["run.googleapis.com/request_latencies"].unit == "ms"
    one = bench.series.get_metric_descriptor(
        request={"name": f"{bench.parent}/metricDescriptors/{QUEUE}"}
    )
    assert [label.key for label in one.labels] == ["stage"]


@pytest.mark.promise(91)
@pytest.mark.promise(93)
def test_a_service_is_measured(local_cloud: RunningCloud, tmp_path: Path) -> None:
    run = RunTester(local_cloud, tmp_path)
    service = run.deploy()
    run.grant(service, f"serviceAccount:{run.account}")
    for path, code in (("/a", 200), ("/b", 200), ("/refused", 503)):
        assert run.get(service, path).status_code == code
        run.wait_for_entry("svc", asks_for(path))
    client: Any = local_cloud.client(mon.MetricServiceClient)

    def ask(metric: str, **aggregation: Any) -> Sequence[Any]:
        now = local_cloud.kernel.clock.now()
        request = {
            "name": f"projects/{local_cloud.project}",
            "filter": f'metric.type="run.googleapis.com/{metric}" resource.label.service_name="svc"',
            "interval": {"start_time": now - timedelta(hours=1), "end_time": now},
            "aggregation": {"alignment_period": {"seconds": 3600}, **aggregation},
        }
        return list(client.list_time_series(request=request))

    by_class = ask("request_count", per_series_aligner="ALIGN_DELTA",
                   cross_series_reducer="REDUCE_SUM",
                   group_by_fields=["metric.label.response_code_class"])  # fmt: skip
    counted = {one.metric.labels["response_code_class"]: values(one) for one in by_class}
    assert counted == {"2xx": [2], "5xx": [1]}
    (latency,) = ask("request_latencies", per_series_aligner="ALIGN_DELTA",
                     cross_series_reducer="REDUCE_PERCENTILE_99")  # fmt: skip
    assert values(latency)[0] > 0
    ask("container/instance_count", per_series_aligner="ALIGN_MAX")  # which takes a sample
    idle = ask("container/instance_count", per_series_aligner="ALIGN_MAX")
    assert {one.metric.labels["state"]: max(values(one)) for one in idle} == {
        "active": 0,
        "idle": 1,
    }
    (billed,) = ask("container/billable_instance_time", per_series_aligner="ALIGN_SUM")
    assert values(billed)[0] > 0
