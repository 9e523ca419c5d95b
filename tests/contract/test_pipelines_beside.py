"""Several pipelines of one project: in two regions, and one that was cut off early."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from google.cloud import run_v2
from tests.support.crashes import TINY_STEPS, destroy_all, tiny_deployer
from tests.support.localcloud import RunningCloud, start_cloud
from tests.support.pipeline import FastClock
from tests.support.proofs import check_complete

from gpupipe.core.names import SERVICES
from gpupipe.deploy.phase import Phase
from gpupipe.deploy.pipelines import Pipeline, pipelines

PROJECT = "several-pipelines"
NEAR, FAR = Pipeline("near", "us-central1"), Pipeline("far", "europe-west4")


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    running = start_cloud(tmp_path_factory.mktemp("several") / "cloud", clock=FastClock())
    yield running
    running.stop()


def services(cloud: RunningCloud, of: Pipeline) -> list[run_v2.Service]:
    listed = cloud.client(run_v2.ServicesClient).list_services(
        parent=f"projects/{PROJECT}/locations/{of.region}"
    )
    return [one for one in listed if one.labels["gpupipe-pipeline"] == of.prefix]


@pytest.mark.promise(142)
def test_one_configuration_makes_a_pipeline_in_each_region(
    cloud: RunningCloud, tmp_path: Path
) -> None:
    file = tmp_path / "gpupipe.toml"
    file.write_text('[postprocess]\nmemory = "2Gi"\n')
    near, far = (
        tiny_deployer(cloud, PROJECT, prefix=one.prefix, region=one.region, file=file)
        for one in (NEAR, FAR)
    )
    for one in (near, far):
        assert not one.deploy(canary=False).outcome.failed
    for of in (NEAR, FAR):
        found = services(cloud, of)
        assert len(found) == len(SERVICES)
        assert "2Gi" in {one.template.containers[0].resources.limits["memory"] for one in found}
    storage = cloud.storage_client(project=PROJECT)
    places = [storage.get_bucket(f"{one.prefix}-input-{PROJECT}").location for one in (NEAR, FAR)]
    assert places == ["US-CENTRAL1", "EUROPE-WEST4"]

    assert destroy_all(far, far.connect())[1] == ()
    assert services(cloud, FAR) == []
    check_complete(near)


@pytest.mark.promise("D21", "S36")
def test_a_pipeline_that_never_had_a_service_is_found_and_destroyed(cloud: RunningCloud) -> None:
    cut = Pipeline("cut-off", "us-central1")
    one = tiny_deployer(
        cloud,
        PROJECT,
        prefix=cut.prefix,
        steps=tuple(step for step in TINY_STEPS if step.phase < Phase.SERVICES),
    )
    assert not one.deploy(canary=False).outcome.failed
    assert services(cloud, cut) == []
    assert cut in pipelines(one.connect())
    outcome, leftovers = destroy_all(one, one.connect())
    assert outcome.done
    assert leftovers == ()
    assert cut not in pipelines(one.connect())
