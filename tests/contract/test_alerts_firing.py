"""What fires and what is measured, of given points: over the wire, beside the local cloud's own incidents."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

import pytest
from tests.support.clock import FakeClock
from tests.support.localcloud import CloudFactory
from tests.support.pipeline import Deployer, FastClock

from gpupipe.cloud.call import Caller
from gpupipe.deploy.activity import activity, gpu
from gpupipe.deploy.alerts import alert_policies
from gpupipe.deploy.facts import Facts
from gpupipe.deploy.firing import alerts
from gpupipe.deploy.step import World
from gpupipe.localcloud.kernel.metrics import Descriptor, NothingSampled, Sample
from gpupipe.localcloud.services.run.metrics import DESCRIPTORS

REVISION = "cloud_run_revision"
RUN = "run.googleapis.com"


class Given(NothingSampled):
    """A `Source` of points that a test wrote down."""

    def __init__(self) -> None:
        self.samples: list[Sample] = []

    def descriptors(self, project: str) -> Iterable[Descriptor]:
        del project
        return DESCRIPTORS

    def recorded(
        self, project: str, metric: str, since: datetime, until: datetime
    ) -> Iterator[Sample]:
        del project
        return (one for one in self.samples if one.metric == metric and since < one.at <= until)


class Bench:
    """A cloud on a clock that stands still, with our policies and with given points."""

    def __init__(self, factory: CloudFactory) -> None:
        self.clock = FakeClock()
        self.running = factory(clock=self.clock)
        self.running.enable("monitoring.googleapis.com", "run.googleapis.com",
                            "workflowexecutions.googleapis.com", "eventarc.googleapis.com",
                            "storage.googleapis.com")  # fmt: skip
        deployer = Deployer(self.running, FastClock(), self.running.project)
        self.spec = deployer.spec
        self.world = World(deployer.connect(Caller(self.clock)), self.spec, Facts())
        self.given = Given()
        self.running.kernel.metrics.register(self.given)

    def watch(self) -> None:
        """Make the policies that need no metric of logs."""
        for policy in alert_policies(self.spec, "events-sub-1"):
            if not policy.name.endswith("failed-executions"):
                self.world.cloud.alerts.create(self.spec.names.project, policy)

    def measure(
        self, metric: str, ago_s: float, value: float, *, service: str = "gpu-inference",
        region: str = "us-central1", revision: str = "1", **labels: str,
    ) -> None:  # fmt: skip
        at = self.clock.now() - timedelta(seconds=ago_s)
        place = {
            "project_id": self.running.project, "service_name": self.spec.names.service(service),
            "location": region, "revision_name": revision, "configuration_name": "c",
        }  # fmt: skip
        self.given.samples.append(Sample(f"{RUN}/{metric}", REVISION, place, at, value, labels))

    def fire(self) -> set[str]:
        """Names of what fires, which must be those of the open incidents."""
        found = alerts(self.world, self.clock.now())
        assert found.why == ""
        incidents = self.running.kernel.incidents
        incidents.refresh()
        opened = {one.display_name for one in incidents.all(self.running.project) if not one.closed}
        names = {one.policy for one in found.firing}
        assert names == opened
        return {one.removeprefix(f"{self.spec.names.prefix}-") for one in names}


@pytest.fixture
def bench(local_cloud_factory: CloudFactory) -> Bench:
    return Bench(local_cloud_factory)


def test_numbers_are_those_of_the_window_the_services_and_the_unit(bench: Bench) -> None:
    for number, ms in enumerate((100, 200, 300, 4000)):
        codes = {"response_code": "200", "response_code_class": "2xx"}
        bench.measure("request_count", 30 + number, 1, **codes)
        bench.measure("request_latencies", 30 + number, ms, **codes)
    bench.measure("request_count", 599, 1, response_code="503", response_code_class="5xx")
    bench.measure("request_count", 5, 2, response_code="429", response_code_class="4xx")
    bench.measure("request_count", 601, 9, response_code="503", response_code_class="5xx")
    bench.measure("request_count", 5, 9, region="europe-west1", response_code_class="5xx")
    bench.measure("request_count", 5, 9, service="other", response_code_class="5xx")
    for revision, ago_s, active, idle in (("1", 200, 7, 7), ("2", 20, 1, 2), ("3", 20, 1, 0)):
        bench.measure("container/instance_count", ago_s, active, revision=revision, state="active")
        bench.measure("container/instance_count", ago_s, idle, revision=revision, state="idle")
    found = activity(bench.world, bench.clock.now())
    assert found.notes == ()
    assert found.work is not None
    pre, work, _ = found.work
    assert (work.requests, work.refused, work.errors) == (7, 2, 1)
    assert (work.p50_s, work.p95_s) == (0.2, 4.0)
    assert (work.instances, work.active) == (4, 2)
    assert (pre.requests, pre.p50_s, pre.instances) == (0, None, 0)
    assert found.undelivered is None


@pytest.mark.promise(91)
def test_a_gpu_is_told_in_shares_of_the_time_that_is_asked_for(bench: Bench) -> None:
    now = bench.clock.now()
    minute = timedelta(minutes=1)
    assert gpu(bench.world.cloud, bench.spec, now - minute, now) is None
    for ago_s, share in ((20, 0.4), (30, 0.6), (40, 0.9), (500, 0.1)):
        bench.measure("container/gpu/utilizations", ago_s, share)
    bench.measure("container/gpu/memory_utilizations", 20, 0.25)
    found = gpu(bench.world.cloud, bench.spec, now - minute, now)
    assert found is not None
    assert (found.p50, found.p95, found.memory_p95) == (0.6, 0.9, 0.25)


def test_nothing_fires_where_nothing_is_measured(bench: Bench) -> None:
    bench.watch()
    found = alerts(bench.world, bench.clock.now())
    assert (found.policies, found.firing) == (5, ())
    assert bench.fire() == set()


def test_errors_fire_for_their_service_and_end_by_themselves(bench: Bench) -> None:
    bench.watch()
    for ago_s in range(10, 900, 20):
        bench.measure("request_count", ago_s, 9, response_code_class="2xx")
        bench.measure("request_count", ago_s, 1, response_code_class="5xx")
    assert bench.fire() == {"error-rate"}
    (one,) = alerts(bench.world, bench.clock.now()).firing
    assert one.labels == {"service_name": bench.spec.names.service("gpu-inference")}
    assert one.value == pytest.approx(0.1)
    assert one.threshold == 0.05
    bench.clock.advance(20 * 60)
    assert bench.fire() == {"error-rate"}
    bench.clock.advance(30 * 60)
    assert bench.fire() == set()


def test_errors_that_are_over_or_few_do_not_fire(bench: Bench) -> None:
    bench.watch()
    for ago_s in range(10, 900, 20):
        bench.measure("request_count", ago_s, 96, response_code_class="2xx")
        bench.measure("request_count", ago_s, 4, response_code_class="5xx")
    assert bench.fire() == set()


def test_latency_saturation_and_idleness_fire(bench: Bench) -> None:
    bench.watch()
    for ago_s in range(10, 1500, 20):
        bench.measure("request_latencies", ago_s, 290_000, response_code_class="2xx")
        bench.measure("container/gpu/utilizations", ago_s, 0.97)
    assert bench.fire() == {"latency", "gpu-saturation"}
    bench.given.samples.clear()
    bench.clock.advance(3600)
    bench.measure("request_count", 2400, 1, response_code_class="2xx")
    for ago_s in range(10, 2400, 60):
        bench.measure("container/instance_count", ago_s, 1, state="idle")
    assert bench.fire() == {"idle-instance"}
    bench.measure("request_count", 600, 1, response_code_class="2xx")
    assert bench.fire() == set()
