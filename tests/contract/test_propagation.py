"""A deploy on a cloud where every grant, account and API takes 90 seconds to be seen."""

from pathlib import Path

import pytest
from tests.support.localcloud import start_cloud
from tests.support.pipeline import PROJECT, Deployer, FastClock

from gpupipe.deploy.events import Event, Waiting


@pytest.mark.long
def test_a_deploy_waits_for_what_is_not_seen_yet(tmp_path: Path) -> None:
    clock = FastClock(30.0)
    cloud = start_cloud(tmp_path / "cloud", clock=clock)
    try:
        cloud.kernel.projects.ensure(PROJECT)
        cloud.kernel.behaviour.propagation_s = 90
        waits: list[Event] = []
        done = Deployer(cloud, clock, PROJECT).deploy(report=waits.append)
        assert done.outcome.errors == []
        assert done.canary is not None
        assert done.canary.outcome.state == "succeeded"
        said = {event.what for event in waits if isinstance(event, Waiting)}
        assert "the API to be usable after it was enabled" in said
        assert "the service account ml-pipeline-build to be visible" in said
    finally:
        cloud.stop()
