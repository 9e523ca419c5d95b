"""Cloud Run's checks that are no refusals by Google: what is not emulated, and what is accepted.

The refusals are rows: tests/refusals/run.yaml.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud import run_v2
from tests.support.localcloud import RunningCloud
from tests.support.run_services import REGION, RunTester

pytestmark = [pytest.mark.promise("D17")]
QUOTAS = "run.googleapis.com"
L4 = "NvidiaL4GpuAllocNoZonalRedundancyPerProjectRegion"
Change = Callable[[Any], object]


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


def container(change: Change) -> Change:
    return lambda service: change(service.template.containers[0])


TEMPLATE, CONTAINER = "service.template", "service.template.containers"
NOT_EMULATED: dict[str, Change] = {
    f"{TEMPLATE}.volumes": lambda s: s.template.volumes.add(name="data"),
    f"{TEMPLATE}.session_affinity": lambda s: setattr(s.template, "session_affinity", 1),
    f"{TEMPLATE}.service_mesh": lambda s: setattr(s.template.service_mesh, "mesh", "m"),
    f"{TEMPLATE}.health_check_disabled": lambda s: setattr(s.template, "health_check_disabled", 1),
    f"{CONTAINER}.volume_mounts": container(
        lambda c: c.volume_mounts.add(name="data", mount_path="/data")
    ),
    f"{CONTAINER}.liveness_probe": container(lambda c: c.liveness_probe.http_get.SetInParent()),
    f"{CONTAINER}.readiness_probe": container(lambda c: c.readiness_probe.http_get.SetInParent()),
    f"{CONTAINER}.startup_probe.grpc": container(lambda c: c.startup_probe.grpc.SetInParent()),
    f"{CONTAINER}.source_code": container(lambda c: c.source_code.SetInParent()),
    f"{CONTAINER}.base_image_uri": container(lambda c: setattr(c, "base_image_uri", "b")),
    f"{CONTAINER}.env.value_source": container(
        lambda c: c.env.add(name="S").value_source.SetInParent()
    ),
    f"{CONTAINER}.depends_on": container(lambda c: c.depends_on.append("x")),
    "service.binary_authorization": lambda s: setattr(s.binary_authorization, "policy", "p"),
    "service.build_config": lambda s: setattr(s.build_config, "image_uri", "i"),
    "service.iap_enabled": lambda s: setattr(s, "iap_enabled", 1),
    "service.invoker_iam_disabled": lambda s: setattr(s, "invoker_iam_disabled", 1),
    "service.default_uri_disabled": lambda s: setattr(s, "default_uri_disabled", 1),
    "service.custom_audiences": lambda s: s.custom_audiences.append("a"),
    "service.multi_region_settings": lambda s: s.multi_region_settings.regions.append("us-east1"),
    "service.scaling.min_instance_count": lambda s: setattr(s.scaling, "min_instance_count", 1),
    # Values of fields that are emulated.
    CONTAINER: lambda s: s.template.containers.add(image="us-docker.pkg.dev/p/r/sidecar"),
    "service.scaling.scaling_mode": lambda s: setattr(s.scaling, "scaling_mode", 2),
    "service.ingress": lambda s: setattr(s, "ingress", run_v2.IngressTraffic.INGRESS_TRAFFIC_NONE),
    f"{CONTAINER}.ports.name": container(lambda c: c.ports.add(name="h2c", container_port=8080)),
    f"{CONTAINER}.startup_probe": container(
        lambda c: setattr(c.startup_probe.tcp_socket, "port", 9090)
    ),
    f"{CONTAINER}.env": container(lambda c: c.env.add(name="GCE_METADATA_HOST", value="x")),
}


@pytest.mark.parametrize("path", NOT_EMULATED)
def test_what_is_not_emulated_is_refused_by_its_path(run: RunTester, path: str) -> None:
    service = good(run)
    NOT_EMULATED[path](run_v2.Service.pb(service))
    with pytest.raises(exceptions.MethodNotImplemented) as caught:
        run.create("svc", service, validate_only=True)
    violations = [v.field for detail in caught.value.details for v in detail.field_violations]
    assert violations == [path]


@pytest.mark.promise(31)
@pytest.mark.promise(70)
def test_the_recorded_gpu_service_is_accepted(run: RunTester) -> None:
    service = gpu_service(run, scaling=run_v2.RevisionScaling(max_instance_count=2))
    answer = run.create("svc", service, validate_only=True).result(timeout=5)
    assert answer.template.node_selector.accelerator == "nvidia-l4"


@pytest.mark.promise(107)
def test_a_maximum_that_nobody_set_fits_the_quotas(run: RunTester) -> None:
    service = gpu_service(run, scaling=run_v2.RevisionScaling())
    answer = run.create("svc", service, validate_only=True).result(timeout=5)
    assert answer.template.scaling.max_instance_count == 2


@pytest.fixture
def raised_quota(run: RunTester) -> Iterator[None]:
    quotas, project = run.cloud.kernel.quotas, run.cloud.project
    before = quotas.limit(project, QUOTAS, "MemAllocPerProjectRegion", REGION)
    quotas.set(project, QUOTAS, "MemAllocPerProjectRegion", REGION, 64 * 2**30)
    yield
    quotas.set(project, QUOTAS, "MemAllocPerProjectRegion", REGION, before)


@pytest.mark.usefixtures("raised_quota")
def test_a_raised_quota_counts_at_once(run: RunTester) -> None:
    service = gpu_service(run, scaling=run_v2.RevisionScaling(max_instance_count=3))
    assert run.create("svc", service, validate_only=True).result(timeout=5)


def test_a_quota_set_by_hand_opens_a_region_that_the_table_does_not_know(run: RunTester) -> None:
    service = gpu_service(run, scaling=run_v2.RevisionScaling(max_instance_count=1))
    parent = f"projects/{run.cloud.project}/locations/europe-west9"
    request = run_v2.CreateServiceRequest(
        parent=parent, service_id="svc", service=service, validate_only=True
    )
    with pytest.raises(exceptions.InvalidArgument, match="not available in europe-west9"):
        run.services.create_service(request=request, timeout=5)
    run.cloud.kernel.quotas.set(run.cloud.project, QUOTAS, L4, "europe-west9", 1)
    assert run.services.create_service(request=request, timeout=5).result(timeout=5)


def test_below_one_cpu_the_default_is_one_request_at_a_time(run: RunTester) -> None:
    service = good(run)
    resources = service.template.containers[0].resources
    resources.limits, resources.cpu_idle = {"cpu": "500m", "memory": "512Mi"}, True
    answer = run.create("svc", service, validate_only=True).result(timeout=5)
    assert answer.template.max_instance_request_concurrency == 1


def test_all_probes_of_a_gpu_service_may_last_half_an_hour(run: RunTester) -> None:
    service = gpu_service(run, scaling=run_v2.RevisionScaling(max_instance_count=1))
    probe = service.template.containers[0].startup_probe
    probe.period_seconds, probe.failure_threshold = 10, 180
    assert run.create("svc", service, validate_only=True).result(timeout=5)


@pytest.mark.parametrize(
    "image",
    [
        "nginx",
        "library/nginx:1.27",
        "docker.io/library/nginx@sha256:" + "0" * 64,
        "gcr.io/project/image:tag",
        "eu.gcr.io/example.com/project/image",
        "docker.pkg.dev/project/repository/image",
        "us-docker.pkg.dev/project/repository/folder/image:v1@sha256:" + "a" * 64,
    ],
)
def test_images_of_other_projects_and_of_docker_are_accepted(run: RunTester, image: str) -> None:
    service = good(run)
    service.template.containers[0].image = image
    answer = run.create("svc", service, validate_only=True).result(timeout=5)
    assert answer.template.containers[0].image == image


def test_labels_may_be_of_any_script(run: RunTester) -> None:
    service = good(run)
    service.labels = {"\u00e9tape": "pr\u00e9paration", "\u540d\u524d": "\u5024-1"}
    answer = run.create("svc", service, validate_only=True).result(timeout=5)
    assert dict(answer.labels) == dict(service.labels)
