"""Every refusal row of Cloud Run: its example, sent by the official client, gets its code and text."""

from collections.abc import Iterator

import pytest
from google.api_core import exceptions
from google.cloud import run_v2
from tests.support.localcloud import RunningCloud
from tests.support.run_services import REGION, RunTester

from gpupipe.localcloud.errors import Code
from gpupipe.localcloud.services.run.rule import Rule, Shape
from gpupipe.localcloud.services.run.rules import RULES

pytestmark = [pytest.mark.promise("D17")]
CODES = {
    Code.INVALID_ARGUMENT: exceptions.InvalidArgument,
    Code.UNIMPLEMENTED: exceptions.MethodNotImplemented,
}
L4 = "NvidiaL4GpuAllocNoZonalRedundancyPerProjectRegion"


@pytest.fixture(scope="module")
def run(module_cloud: RunningCloud, tmp_path_factory: pytest.TempPathFactory) -> RunTester:
    return RunTester(module_cloud, tmp_path_factory.mktemp("images"))


def good(run: RunTester) -> run_v2.Service:
    return run.service(f"{REGION}-docker.pkg.dev/{run.cloud.project}/images/later:v1")


def gpu_service(run: RunTester, **template: object) -> run_v2.Service:
    service = good(run)
    service.template.node_selector = run_v2.NodeSelector(accelerator="nvidia-l4")
    service.template.gpu_zonal_redundancy_disabled = True
    service.template.containers[0].resources = run_v2.ResourceRequirements(
        limits={"cpu": "4", "memory": "16Gi", "nvidia.com/gpu": "1"}, cpu_idle=False
    )
    for name, value in template.items():
        setattr(service.template, name, value)
    return service


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_the_row_refuses_its_example(run: RunTester, rule: Rule) -> None:
    service = good(run)
    raw = run_v2.Service.pb(service)
    rule.example(raw)
    service_id, raw.name = raw.name or "svc", ""
    with pytest.raises(CODES[rule.code]) as caught:
        run.create(service_id, service, validate_only=True)
    violations = [v for detail in caught.value.details for v in detail.field_violations]
    assert [v.field.removeprefix("service.") for v in violations] == [rule.path]
    assert caught.value.message == violations[0].description


def test_a_good_service_meets_no_row(run: RunTester) -> None:
    raw = run_v2.Service.pb(good(run))
    assert run.create("svc", good(run), validate_only=True).result(timeout=5)
    assert Shape("svc", raw).cpu == 1000


@pytest.mark.promise(31)
@pytest.mark.promise(70)
def test_the_recorded_gpu_service_is_accepted(run: RunTester) -> None:
    service = gpu_service(run, scaling=run_v2.RevisionScaling(max_instance_count=2))
    answer = run.create("svc", service, validate_only=True).result(timeout=5)
    assert answer.template.node_selector.accelerator == "nvidia-l4"


@pytest.mark.promise("D15")
def test_too_many_gpus_are_refused_in_googles_words(run: RunTester) -> None:
    service = gpu_service(run, scaling=run_v2.RevisionScaling(max_instance_count=10))
    with pytest.raises(exceptions.InvalidArgument, match=f"{L4} requested: 10 allowed: 3"):
        run.create("svc", service, validate_only=True)


@pytest.mark.promise("D15")
def test_zonal_redundancy_has_no_quota_in_a_new_project(run: RunTester) -> None:
    service = gpu_service(
        run,
        scaling=run_v2.RevisionScaling(max_instance_count=1),
        gpu_zonal_redundancy_disabled=False,
    )
    with pytest.raises(exceptions.InvalidArgument, match="GPUs with zonal redundancy"):
        run.create("svc", service, validate_only=True)


def test_cpu_and_memory_quotas_name_what_fits(run: RunTester) -> None:
    service = gpu_service(run, scaling=run_v2.RevisionScaling(max_instance_count=3))
    with pytest.raises(exceptions.InvalidArgument, match="must be set to 2 or fewer") as caught:
        run.create("svc", service, validate_only=True)
    asked = f"MemAllocPerProjectRegion requested: {48 * 2**30} allowed: {40 * 2**30}"
    assert asked in caught.value.message


@pytest.mark.promise(107)
def test_a_maximum_that_nobody_set_fits_the_quotas(run: RunTester) -> None:
    service = gpu_service(run, scaling=run_v2.RevisionScaling())
    answer = run.create("svc", service, validate_only=True).result(timeout=5)
    assert answer.template.scaling.max_instance_count == 2


@pytest.fixture
def raised_quota(run: RunTester) -> Iterator[None]:
    quotas, project = run.cloud.kernel.quotas, run.cloud.project
    before = quotas.limit(project, "run.googleapis.com", "MemAllocPerProjectRegion", REGION)
    quotas.set(project, "run.googleapis.com", "MemAllocPerProjectRegion", REGION, 64 * 2**30)
    yield
    quotas.set(project, "run.googleapis.com", "MemAllocPerProjectRegion", REGION, before)


@pytest.mark.usefixtures("raised_quota")
def test_a_raised_quota_counts_at_once(run: RunTester) -> None:
    service = gpu_service(run, scaling=run_v2.RevisionScaling(max_instance_count=3))
    assert run.create("svc", service, validate_only=True).result(timeout=5)


def test_every_row_tells_its_source() -> None:
    assert all(rule.source and rule.name for rule in RULES)
    assert len({rule.name for rule in RULES}) == len(RULES)
