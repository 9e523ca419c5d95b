"""How many instances the quotas allow, and who is told."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.support.quotas import L4, L4_ZONAL

from gpupipe.cloud.quotas import CPU, MEMORY
from gpupipe.core.config import load
from gpupipe.core.errors import GpupipeError
from gpupipe.core.flags import Flags
from gpupipe.core.names import Names
from gpupipe.deploy.capacity import max_instances, region_note
from gpupipe.deploy.facts import Facts
from gpupipe.deploy.spec import PipelineSpec
from gpupipe.deploy.step import World

GPU, GIB = "gpu-inference", 2**30
WorldOf = Callable[..., World]


class Quotas:
    """Knows the given limits."""

    def __init__(self, limits: dict[str, int]) -> None:
        self._limits = limits

    def limit(self, project: str, region: str, quota: str) -> int | None:
        assert (project, region) == ("demo-project", "us-central1")
        return self._limits.get(quota)


@pytest.fixture
def world_of(tmp_path: Path) -> WorldOf:
    def of(limits: dict[str, int], file: str = "") -> World:
        (tmp_path / "gpupipe.toml").write_text(file, encoding="utf-8")
        spec = PipelineSpec(
            Names("demo-project", "us-central1", "ml-pipeline"), load(Flags(), {}, tmp_path)
        )
        cloud = SimpleNamespace(quotas=Quotas(limits))
        return World(cloud=cloud, spec=spec, facts=Facts())  # type: ignore[arg-type]

    return of


@pytest.mark.parametrize(
    ("limits", "fits"),
    [
        ({L4: 3}, 3),
        ({L4: 3, CPU: 8_000}, 2),
        ({L4: 3, MEMORY: 16 * GIB}, 1),
        ({L4: 3, MEMORY: 40 * GIB, CPU: 100_000}, 2),
    ],
)
@pytest.mark.promise(50)
def test_the_default_is_lowered_to_the_quota_that_binds(
    world_of: WorldOf, limits: dict[str, int], fits: int
) -> None:
    found, note = max_instances(world_of(limits), GPU)
    assert found == fits
    assert f"10 -> {fits}" in (note or "")
    assert "https://" in (note or "")


@pytest.mark.parametrize("limits", [{}, {L4: 10}, {L4_ZONAL: 0}, {L4: 16, CPU: 40_000}])
@pytest.mark.promise(50)
@pytest.mark.promise(60)
def test_the_default_holds_where_the_quotas_allow_it_or_are_not_known(
    world_of: WorldOf, limits: dict[str, int]
) -> None:
    assert max_instances(world_of(limits), GPU) == (10, None)


def test_zonal_redundancy_has_its_own_quota(world_of: WorldOf) -> None:
    file = "[gpu_inference]\nzonal_redundancy = true"
    assert max_instances(world_of({L4: 0, L4_ZONAL: 2}, file), GPU)[0] == 2


@pytest.mark.parametrize("service", ["preprocess", "postprocess"])
@pytest.mark.promise(50)
def test_a_service_without_a_gpu_does_not_ask_for_its_quota(
    world_of: WorldOf, service: str
) -> None:
    assert max_instances(world_of({L4: 0}), service) == (10, None)


def test_what_the_user_set_and_does_not_fit_is_refused_with_what_fits(world_of: WorldOf) -> None:
    world = world_of({L4: 3}, "[gpu_inference]\nmax_instances = 10")
    with pytest.raises(GpupipeError, match="max_instances = 10 does not fit") as caught:
        max_instances(world, GPU)
    error = caught.value
    assert L4 in error.brief
    assert (error.resource or "").endswith("/services/ml-pipeline-gpu-inference")
    assert "at most 3 instances" in (error.details or "")
    assert "Set max_instances to 3" in error.resolution
    assert error.doc == "reference/errors.md#quota"


def test_what_the_user_set_and_fits_is_kept(world_of: WorldOf) -> None:
    world = world_of({L4: 3}, "[gpu_inference]\nmax_instances = 2")
    assert max_instances(world, GPU) == (2, None)


def test_no_quota_at_all_is_refused_before_anything_is_made(world_of: WorldOf) -> None:
    with pytest.raises(GpupipeError, match="Not one instance of 4 CPU and 16Gi fits") as caught:
        max_instances(world_of({L4: 0}), GPU)
    assert "request quota" in caught.value.resolution
    assert "max_instances" not in caught.value.resolution


@pytest.mark.parametrize(
    ("limits", "amount", "link"),
    [
        ({L4: 1}, "allows 1 GPUs", "g.co/cloudrun/gpu-quota"),
        ({CPU: 6_500}, "allows 6.5 CPU", "iam-admin/quotas?project=demo-project"),
        ({MEMORY: 40 * GIB}, "allows 40Gi", "iam-admin/quotas?project=demo-project"),
    ],
)
def test_a_limit_is_told_in_its_unit_with_the_place_to_ask_for_more(
    world_of: WorldOf, limits: dict[str, int], amount: str, link: str
) -> None:
    with pytest.raises(GpupipeError) as caught:
        max_instances(world_of(limits, "[gpu_inference]\nmax_instances = 9"), GPU)
    assert amount in (caught.value.details or "")
    assert link in caught.value.resolution


@pytest.mark.promise(46)
@pytest.mark.parametrize(
    ("region", "words"),
    [
        ("us-central1", None),
        ("asia-south1", "by invitation"),
        ("europe-moon9", "europe-moon9 is not among the regions"),
    ],
)
def test_a_region_without_documented_gpus_is_told_and_tried(region: str, words: str | None) -> None:
    note = region_note("nvidia-l4", region)
    assert (note is None) if words is None else (words in (note or ""))
