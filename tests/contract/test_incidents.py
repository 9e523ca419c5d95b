"""Alert policies are evaluated: what fires, for how long, and when it is over."""

from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud import monitoring_v3 as mon
from google.cloud.logging_v2.services.metrics_service_v2 import MetricsServiceV2Client
from tests.support.clock import FakeClock
from tests.support.localcloud import CloudFactory, RunningCloud
from tests.support.shapes import faults

from gpupipe.localcloud.kernel.metrics import Descriptor, Sample

LEVEL = "demo.googleapis.com/level"
RESOURCE = "cloud_run_revision"


class Levels:
    """A source whose gauge is what the test sets, by service."""

    def __init__(self, cloud: RunningCloud) -> None:
        self._cloud = cloud
        self.now: dict[str, float] = {}

    def descriptors(self, project: str) -> tuple[Descriptor, ...]:
        del project
        return (Descriptor(LEVEL, "GAUGE", "DOUBLE", "1", RESOURCE),)

    def recorded(self, *_: object) -> tuple[()]:
        return ()

    def gauges(self) -> list[Sample]:
        now, project = self._cloud.kernel.clock.now(), self._cloud.project
        return [
            Sample(LEVEL, RESOURCE, {"project_id": project, "service_name": name}, now, value)
            for name, value in self.now.items()
        ]


class Bench:
    def __init__(self, cloud: RunningCloud, clock: FakeClock) -> None:
        self.cloud = cloud
        self.clock = clock
        self.levels = Levels(cloud)
        cloud.kernel.metrics.register(self.levels)
        self.parent = f"projects/{cloud.project}"
        self.policies: Any = cloud.client(mon.AlertPolicyServiceClient)
        self.metrics: Any = cloud.client(MetricsServiceV2Client)

    def policy(self, *conditions: dict[str, Any], combiner: str = "OR") -> Any:
        return self.policies.create_alert_policy(
            request={
                "name": self.parent,
                "alert_policy": {
                    "display_name": "Watch",
                    "combiner": combiner,
                    "conditions": [{"display_name": "one", **each} for each in conditions],
                    "alert_strategy": {"auto_close": {"seconds": 1800}},
                },
            }
        )

    def minutes(self, count: int = 1, **levels: float) -> None:
        """Let time pass, with a look each minute."""
        self.levels.now.update(levels)
        for _ in range(count):
            self.clock.advance(60)
            self.cloud.kernel.incidents.refresh()

    def incidents(self) -> list[dict[str, Any]]:
        answer = self.cloud.http_client().get("/control/incidents")
        shown = answer.raise_for_status().json()
        assert faults({"schema": "gpupipe.local-incidents/1", **shown}) == []
        found: list[dict[str, Any]] = shown["incidents"]
        return found

    def states(self) -> list[str]:
        return [one["state"] for one in self.incidents()]


@pytest.fixture
def bench(local_cloud_factory: CloudFactory) -> Bench:
    clock = FakeClock()
    return Bench(local_cloud_factory(clock=clock), clock)


def above(limit: float, metric: str = LEVEL, resource: str = RESOURCE, **more: Any) -> Any:
    return {
        "condition_threshold": {
            "filter": f'metric.type="{metric}" resource.type="{resource}"',
            "comparison": "COMPARISON_GT",
            "threshold_value": limit,
            "duration": {"seconds": 0},
            **more,
        }
    }


@pytest.mark.promise(98)
def test_a_threshold_opens_and_closes_an_incident_of_its_series(bench: Bench) -> None:
    policy = bench.policy(above(5))
    bench.minutes(a=6, b=4)
    (opened,) = bench.incidents()
    assert opened["policy_name"] == policy.name
    assert opened["labels"]["service_name"] == "a"
    assert (opened["state"], opened["value"]) == ("OPEN", 6)
    bench.minutes(a=5)
    assert bench.states() == ["CLOSED"]
    bench.minutes(a=7)
    assert bench.states() == ["OPEN", "CLOSED"]


def test_a_duration_asks_for_all_points_of_it(bench: Bench) -> None:
    bench.policy(above(5, duration={"seconds": 180}))
    bench.minutes(2, a=6)
    bench.minutes(a=1)
    bench.minutes(3, a=6)
    assert not bench.incidents()
    bench.minutes(a=6)
    assert bench.states() == ["OPEN"]


def test_what_is_silent_closes_after_its_time(bench: Bench) -> None:
    bench.policy(above(5))
    bench.minutes(a=6)
    bench.levels.now.clear()
    bench.minutes(29)
    assert bench.states() == ["OPEN"]
    bench.minutes(2)
    assert bench.states() == ["CLOSED"]


def test_both_conditions_of_an_and_must_be_met_by_one_resource(bench: Bench) -> None:
    low = {
        "condition_threshold": {
            **above(0)["condition_threshold"],
            "comparison": "COMPARISON_LT",
            "threshold_value": 10,
        }
    }
    bench.policy(above(5), low, combiner="AND_WITH_MATCHING_RESOURCE")
    bench.minutes(a=12, b=1)
    assert not bench.incidents()
    bench.minutes(a=7)
    (opened,) = bench.incidents()
    assert opened["labels"]["service_name"] == "a"


def test_silence_counts_where_the_condition_says_so(bench: Bench) -> None:
    silent = {
        "condition_absent": {
            "filter": f'metric.type="{LEVEL}" resource.type="{RESOURCE}"',
            "duration": {"seconds": 300},
        }
    }
    below = above(0)["condition_threshold"]
    below |= {"comparison": "COMPARISON_LT", "threshold_value": 1, "duration": {"seconds": 300}}
    below["evaluation_missing_data"] = "EVALUATION_MISSING_DATA_ACTIVE"
    bench.policy(silent, {"condition_threshold": below})
    bench.minutes(a=6)
    bench.levels.now.clear()
    bench.minutes(3)
    assert not bench.incidents()
    bench.minutes(3)
    assert bench.states() == ["OPEN", "OPEN"]


def test_a_share_is_taken_of_a_denominator(bench: Bench) -> None:
    for name, text in (("bad", 'textPayload="bad"'), ("all", 'logName:"own"')):
        bench.metrics.create_log_metric(
            request={"parent": bench.parent, "metric": {"name": name, "filter": text}}
        )
    steps = [{"alignment_period": {"seconds": 300}, "per_series_aligner": "ALIGN_DELTA"}]
    user = "logging.googleapis.com/user"
    bench.policy(
        above(0.25, f"{user}/bad", "global", aggregations=steps, denominator_aggregations=steps,
              denominator_filter=f'metric.type="{user}/all" resource.type="global"')
    )  # fmt: skip
    bench.clock.advance(1)
    say(bench, "bad", "good", "good", "good")
    assert not bench.incidents()
    say(bench, "bad")
    (opened,) = bench.incidents()
    assert opened["value"] == pytest.approx(0.4)


def say(bench: Bench, *texts: str) -> None:
    for text in texts:
        bench.cloud.kernel.logs.write(f"{bench.parent}/logs/own", "global", {}, "INFO", text)


def test_a_policy_that_is_off_or_gone_has_no_open_incident(bench: Bench) -> None:
    policy = bench.policy(above(5))
    bench.minutes(a=6)
    bench.policies.delete_alert_policy(request={"name": policy.name})
    assert bench.states() == ["CLOSED"]


def test_a_new_log_metric_is_unknown_to_policies_until_it_is_everywhere(bench: Bench) -> None:
    bench.cloud.kernel.behaviour.propagation_s = 120
    bench.metrics.create_log_metric(
        request={"parent": bench.parent, "metric": {"name": "new", "filter": "severity>=INFO"}}
    )
    wanted = above(1, "logging.googleapis.com/user/new", "global")
    with pytest.raises(exceptions.NotFound, match="up to 10 minutes"):
        bench.policy(wanted)
    bench.clock.advance(121)
    bench.policy(wanted)
