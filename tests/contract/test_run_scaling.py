"""Instances of services over time: scale to zero and back, minimums, restarts in mid-deployment."""

from pathlib import Path

import pytest
from google.api_core import exceptions
from google.cloud import run_v2
from tests.support.clock import FakeClock
from tests.support.localcloud import CloudFactory, RunningCloud, start_cloud
from tests.support.run_services import REGION, SERVER, RunTester

WAITS = "import os, time\nwhile not os.path.exists(os.environ['GATE']): time.sleep(0.01)\n" + SERVER


@pytest.mark.promise(104)
@pytest.mark.promise(106)
def test_an_idle_service_goes_to_zero_and_comes_back(
    local_cloud_factory: CloudFactory, tmp_path: Path
) -> None:
    clock = FakeClock()
    run = RunTester(local_cloud_factory(clock=clock), tmp_path)
    service = run.deploy()
    run.grant(service, f"serviceAccount:{run.account}")
    first = run.get(service).json()["pid"]
    pool = run.pool(service)
    # The client has its answer a moment before the instance counts as idle; the log comes after.
    logs, name = (
        run.cloud.kernel.logs,
        f"projects/{run.cloud.project}/logs/run.googleapis.com%2Frequests",
    )
    seen = logs.latest()
    while not logs.query(run.cloud.project, log_name=name):
        assert logs.wait(seen, 10)
        seen = logs.latest()
    clock.advance(899)
    run.supervisor.tick()
    assert pool.count == 1
    clock.advance(2)
    run.supervisor.tick()
    assert pool.count == 0
    assert run.supervisor.wait_until_gone(20)
    assert list((run.cloud.home / "instances").iterdir()) == []
    assert run.get(service).json()["pid"] != first


def test_the_maximum_of_a_service_holds_at_once_and_makes_no_revision(
    local_cloud: RunningCloud, tmp_path: Path
) -> None:
    run = RunTester(local_cloud, tmp_path)
    wanted = run.service(run.image(), scaling=run_v2.RevisionScaling())
    wanted.scaling.max_instance_count = 1
    service = run.create("svc", wanted).result(timeout=30)
    assert service.template.scaling.max_instance_count == 0
    assert run.pool(service).revision.max_instances == 1
    change = run_v2.Service(name=service.name, scaling={"max_instance_count": 3})
    request = {"service": change, "update_mask": {"paths": ["scaling"]}}
    updated = run.services.update_service(request=request, timeout=5).result(timeout=30)
    assert updated.latest_ready_revision == service.latest_ready_revision
    assert run.pool(updated).revision.max_instances == 3
    change.scaling.max_instance_count = 21
    with pytest.raises(exceptions.InvalidArgument, match="requested: 21000 allowed: 20000"):
        run.services.update_service(request=request, timeout=5)


@pytest.mark.promise(107)
def test_maxima_may_exceed_a_quota_together_but_what_runs_may_not(
    local_cloud: RunningCloud, tmp_path: Path
) -> None:
    run = RunTester(local_cloud, tmp_path)
    quotas, quota = run.cloud.kernel.quotas, "CpuAllocPerProjectRegion"
    scaling = run_v2.RevisionScaling(max_instance_count=15)
    first, second = (run.deploy(name, scaling=scaling) for name in ("one", "two"))
    run.grant(second, f"serviceAccount:{run.account}")
    run.pool(second).stop()
    run.supervisor.drop(second.latest_ready_revision)
    assert run.pool(first).count == 1
    quotas.set(run.cloud.project, "run.googleapis.com", quota, REGION, 1999)
    answer = run.get(second)
    assert answer.status_code == 503
    assert answer.text == (
        "The request failed because the project exceeded its quota limit for "
        "run.googleapis.com/cpu_allocation."
    )
    quotas.set(run.cloud.project, "run.googleapis.com", quota, REGION, 2000)
    assert run.get(second).status_code == 200


def test_a_new_revision_starts_in_the_room_of_idle_instances_of_its_service_only(
    local_cloud: RunningCloud, tmp_path: Path
) -> None:
    run = RunTester(local_cloud, tmp_path)
    one = run_v2.RevisionScaling(max_instance_count=1)
    service = run.deploy("svc", scaling=one)
    old = run.pool(service)
    quota = ("run.googleapis.com", "CpuAllocPerProjectRegion", REGION)
    run.cloud.kernel.quotas.set(run.cloud.project, *quota, 1999)
    service.template.labels["try"] = "1"
    busy = old.acquire().result(30)
    with pytest.raises(exceptions.FailedPrecondition, match="total allowable CPU"):
        run.services.update_service(service=service, timeout=5).result(timeout=30)
    old.release(busy)
    other = run.service(run.image(), scaling=one)
    with pytest.raises(exceptions.FailedPrecondition, match="total allowable CPU"):
        run.create("other", other).result(timeout=30)
    assert old.count == 1
    service.etag = ""
    service.template.labels["try"] = "2"
    updated = run.services.update_service(service=service, timeout=5).result(timeout=30)
    assert updated.latest_ready_revision != service.latest_ready_revision
    assert (old.count, run.pool(updated).count) == (0, 1)


def test_minimum_instances_start_with_the_daemon(local_cloud: RunningCloud, tmp_path: Path) -> None:
    run = RunTester(local_cloud, tmp_path)
    scaling = run_v2.RevisionScaling(min_instance_count=1, max_instance_count=2)
    service = run.deploy("svc", scaling=scaling)
    run.cloud.stop()
    cloud = start_cloud(run.cloud.home)
    try:
        again = RunTester(cloud, tmp_path)
        assert again.pool(service).count == 1
    finally:
        cloud.stop()


def test_a_deployment_that_a_stop_cut_off_goes_on(
    local_cloud: RunningCloud, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    run = RunTester(local_cloud, tmp_path)
    service = run.service(run.image(WAITS))
    service.template.containers[0].env = [run_v2.EnvVar(name="GATE", value=str(gate))]
    operation = run.create("svc", service)
    assert not operation.done()
    run.cloud.stop()
    cloud = start_cloud(run.cloud.home)
    try:
        again = RunTester(cloud, tmp_path)
        gate.touch()
        name = f"{again.parent}/services/svc"
        page = cloud.kernel.operations.list(again.parent)
        for each in page.operations:
            cloud.kernel.operations.wait(each.name, 20)
        ready = again.services.get_service(name=name, timeout=5)
        assert ready.terminal_condition.state == run_v2.Condition.State.CONDITION_SUCCEEDED
    finally:
        cloud.stop()
