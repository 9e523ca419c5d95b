"""A deploy that ends between its changes and its canary leaves the proof to the next one."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.crashes import Killed
from tests.support.pipeline import Deployer
from tests.support.refusing import refusing_pipeline, service, short, traffic

from gpupipe.deploy import releases, unproven
from gpupipe.deploy.canary import CanaryError
from gpupipe.deploy.events import Event
from gpupipe.deploy.planner import Plan
from gpupipe.deploy.unproven import Unproven


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployer]:
    with refusing_pipeline(tmp_path_factory.mktemp("unproven"), "unproven") as deployer:
        yield deployer


def killed_at_canary(event: Event) -> None:
    if event.action.step == "canary":
        raise Killed


def owed(deployer: Deployer) -> Unproven | None:
    storage = deployer.connect().storage
    return unproven.read(storage, deployer.spec.names.bucket("staging"))


def planned(deployer: Deployer) -> tuple[Plan, bool, tuple[str, ...]]:
    """The plan, whether it sends a canary, and its notes."""
    engine = deployer.engine()
    plan = engine.plan()
    return plan, engine.sends_canary(plan, send_canary=True, verify=False), engine.notes(plan)


def test_what_was_killed_before_its_canary_is_proved_by_the_next_deploy(
    pipeline: Deployer, tmp_path: Path
) -> None:
    """These services refuse every file: so the older revision gets its traffic back after all."""
    old = short(service(pipeline).latest_ready_revision)
    file = tmp_path / "gpupipe.toml"
    file.write_text("[preprocess]\nconcurrency = 21\n")
    changed = replace(pipeline, file=file)
    with pytest.raises(Killed):
        changed.deploy(report=killed_at_canary)
    found = service(changed)
    new = short(found.latest_ready_revision)
    assert traffic(found) == [("", 100)]
    assert new != old

    plan, sends, notes = planned(changed)
    assert plan.writes == ()
    assert sends
    assert any("not proved" in note for note in notes)
    with pytest.raises(CanaryError) as caught:
        changed.deploy()
    name = changed.spec.names.service("preprocess")
    assert f"Rolled back: {name}, 100 % to {old}." in (caught.value.details or "")
    found = service(changed)
    assert traffic(found) == [(old, 100)]
    release = found.template.labels[releases.RELEASE]
    assert found.labels[releases.REJECTED] == f"{release}_canary"

    # What is there now has not proved itself either, and is not called good.
    with pytest.raises(CanaryError) as caught:
        changed.deploy()
    assert "Rolled back" not in (caught.value.details or "")
    assert traffic(service(changed)) == [(old, 100)]
    # Who wants no proof is not asked for one again.
    file.write_text("[preprocess]\nconcurrency = 22\n")
    assert not changed.deploy(canary=False).outcome.failed
    assert owed(changed) is None
    assert not planned(changed)[1]
