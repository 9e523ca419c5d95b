"""The presets: the recipe's values, lowered to the quotas like defaults, overridden by whatever is set."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from google.cloud import run_v2
from tests.support.crashes import destroy_all, tiny_deployer
from tests.support.localcloud import RunningCloud, start_cloud
from tests.support.pipeline import FastClock

from gpupipe.core.config import Config, load
from gpupipe.core.flags import Flags
from gpupipe.core.option_table import options as option_table
from gpupipe.deploy.spec import PipelineSpec

PROJECT = "preset-project"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    running = start_cloud(tmp_path_factory.mktemp("presets") / "cloud", clock=FastClock())
    yield running
    running.stop()


def configured(folder: Path, preset: str, file: str = "") -> Config:
    (folder / "gpupipe.toml").write_text(file, encoding="utf-8")
    return load(Flags(preset=preset), {}, folder)


# The README's tables: a value of each service, and the one maximum and timeout of all three.
README = {
    "high-performance": (("nvidia-l4", "8", "32Gi"), 50, 600, "ml-pipeline"),
    # 2 CPU and 8Gi there.
    "cost-optimized": (("nvidia-l4", "4", "16Gi"), 5, 120, "ml-pipeline"),
    "development": (("nvidia-l4", "4", "16Gi"), 2, 60, "dev-ml-pipeline"),
}
CPU_SERVICES = {"preprocess": ("1", "2Gi"), "postprocess": ("1", "1Gi")}


@pytest.mark.promise(143)
@pytest.mark.promise(144)
@pytest.mark.promise(145)
@pytest.mark.parametrize("preset", README)
def test_a_preset_has_the_recipes_values_and_nothing_else(tmp_path: Path, preset: str) -> None:
    size, instances, timeout, prefix = README[preset]
    found, plain = configured(tmp_path, preset), load(Flags(), {}, tmp_path)
    options = found.options
    gpu = options.gpu_inference
    assert (gpu.gpu, gpu.cpu, gpu.memory) == size
    for service, (cpu, memory) in CPU_SERVICES.items():
        own = getattr(options, service)
        assert (own.cpu, own.memory) == (cpu, memory)
    for service in ("preprocess", "gpu_inference", "postprocess"):
        own = getattr(options, service)
        assert (own.max_instances, own.min_instances, own.timeout) == (instances, 0, timeout)
    assert found.prefix == prefix
    said = {"preset", "prefix", *(f"{one}.{key}" for one in ("preprocess", "gpu_inference", "postprocess")
            for key in ("gpu", "cpu", "memory", "max_instances", "timeout"))}  # fmt: skip
    changed = {path for path in option_table() if found.value(path) != plain.value(path)}
    assert changed <= said


@pytest.mark.promise(144)
@pytest.mark.promise("D17")
def test_cost_optimized_says_that_it_is_lifted_to_what_an_l4_needs(tmp_path: Path) -> None:
    (notice,) = configured(tmp_path, "cost-optimized").notices
    assert "2 CPU and 8Gi are less than an L4 needs" in notice


def test_what_is_set_wins_over_a_preset_and_each_value_tells_its_source(tmp_path: Path) -> None:
    found = configured(tmp_path, "development", 'prefix = "mine"')
    assert (found.prefix, found.source("prefix")) == ("mine", "gpupipe.toml")
    assert found.source("gpu_inference.timeout") == "preset development"
    assert not found.is_set("gpu_inference.max_instances")


@pytest.mark.long
def test_cpu_only_deploys_without_any_gpu_quota(cloud: RunningCloud, tmp_path: Path) -> None:
    cloud.kernel.projects.ensure(PROJECT)
    quota = "NvidiaL4GpuAllocNoZonalRedundancyPerProjectRegion"
    cloud.kernel.quotas.set(PROJECT, "run.googleapis.com", quota, "us-central1", 0)
    file = tmp_path / "gpupipe.toml"
    file.write_text('preset = "cpu-only"', encoding="utf-8")
    deployer = tiny_deployer(cloud, PROJECT, file=file)
    done = deployer.deploy(canary=False)
    assert not done.outcome.failed, done.outcome
    service = cloud.client(run_v2.ServicesClient).get_service(
        name=deployer.spec.service_name("gpu-inference")
    )
    (container,) = service.template.containers
    assert dict(container.resources.limits) == {"cpu": "4", "memory": "4Gi"}
    assert container.resources.cpu_idle
    assert not service.template.node_selector.accelerator
    assert {one.name: one.value for one in container.env}["DEVICE"] == "cpu"
    assert service.template.scaling.max_instance_count == 5
    assert deployer.engine().plan().writes == ()
    assert destroy_all(deployer, deployer.connect())[1] == ()


def test_cpu_only_asks_for_no_gpu(tmp_path: Path) -> None:
    found = configured(tmp_path, "cpu-only")
    spec = PipelineSpec(found.names("demo-project"), found)
    service = spec.service("gpu-inference", "", 5)
    assert (service.accelerator, service.cpu_idle, service.memory) == ("", True, "4Gi")
    assert service.environment["DEVICE"] == "cpu"


def test_a_presets_maximum_is_lowered_to_what_fits(cloud: RunningCloud, tmp_path: Path) -> None:
    """The quotas of a new project allow 20 CPU: two instances of 8, and 40Gi: one of 32Gi."""
    project = "preset-quota"
    cloud.kernel.projects.ensure(project)
    cloud.enable("cloudquotas.googleapis.com", project=project)
    file = tmp_path / "gpupipe.toml"
    file.write_text('preset = "high-performance"', encoding="utf-8")
    engine = replace(tiny_deployer(cloud, project), file=file).engine()
    engine.plan()
    assert engine.world.facts.max_instances["gpu-inference"] == 1
    assert "max_instances 50 -> 1" in engine.world.facts.notes["service:gpu-inference"]
