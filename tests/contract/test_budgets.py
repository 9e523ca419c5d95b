"""Budgets through their client, and the budget of a pipeline: made, changed, removed, counted once."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud.billing import budgets_v1
from tests.support.crashes import tiny_deployer
from tests.support.localcloud import RunningCloud, start_cloud
from tests.support.pipeline import Deployer, FastClock

from gpupipe.deploy import destroy
from gpupipe.deploy.action import Verb
from gpupipe.deploy.planner import plan
from gpupipe.deploy.steps.budget import PipelineBudget

PROJECT, ACCOUNT = "budget-project", "billingAccounts/000000-000000-000000"
FILE = '[budget]\nbilling_account = "000000-000000-000000"\nmonthly_amount = {amount}\n{more}'


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    running = start_cloud(tmp_path_factory.mktemp("budgets") / "cloud", clock=FastClock())
    running.kernel.projects.ensure(PROJECT)
    running.enable("billingbudgets.googleapis.com", project=PROJECT)
    yield running
    running.stop()


@pytest.fixture
def client(cloud: RunningCloud) -> budgets_v1.BudgetServiceClient:
    return cloud.client(budgets_v1.BudgetServiceClient)


def deployer(cloud: RunningCloud, folder: Path, text: str) -> Deployer:
    (folder / "gpupipe.toml").write_text(text, encoding="utf-8")
    return tiny_deployer(cloud, PROJECT, file=folder / "gpupipe.toml")


def carried_out(one: Deployer) -> tuple[Verb, tuple[str, ...]]:
    """Plan and apply the one step."""
    world, step = one.engine().world, PipelineBudget()
    (found,) = plan(world, [step], parallelism=1).actions
    if found.writes:
        step.apply(world, found)
    return found.verb, tuple(change.field for change in found.changes)


@pytest.mark.promise(95)
def test_the_budget_of_a_pipeline(
    cloud: RunningCloud, client: budgets_v1.BudgetServiceClient, tmp_path: Path
) -> None:
    one = deployer(cloud, tmp_path, FILE.format(amount=250, more="thresholds = [100, 40]"))
    assert carried_out(one) == (Verb.CREATE, ())
    (found,) = client.list_budgets(parent=ACCOUNT)
    assert found.display_name == one.spec.mark
    number = cloud.kernel.projects.ensure(PROJECT).number
    assert list(found.budget_filter.projects) == [f"projects/{number}"]
    assert (found.amount.specified_amount.units, found.amount.specified_amount.currency_code) == (
        250, "USD",
    )  # fmt: skip
    assert [rule.threshold_percent for rule in found.threshold_rules] == [0.4, 1.0]
    assert carried_out(one) == (Verb.KEEP, ())
    two = deployer(cloud, tmp_path, FILE.format(amount=300, more=""))
    assert carried_out(two) == (Verb.UPDATE, ("amount", "thresholds (%)"))
    (found,) = client.list_budgets(parent=ACCOUNT)
    assert found.amount.specified_amount.units == 300
    PipelineBudget().remove(two.engine().world)
    assert list(client.list_budgets(parent=ACCOUNT)) == []


def test_somebody_elses_budget_is_left_alone_and_a_destroy_removes_ours(
    cloud: RunningCloud, client: budgets_v1.BudgetServiceClient, tmp_path: Path
) -> None:
    one = deployer(cloud, tmp_path, FILE.format(amount=10, more=""))
    theirs = client.create_budget(parent=ACCOUNT, budget=message(one.spec.mark, ()))
    assert carried_out(one)[0] is Verb.CREATE
    removal = destroy.plan_removal(one.engine().world, keep=frozenset(), parallelism=1)
    assert [(action.kind, action.name) for action in removal.actions] == [("budget", one.spec.mark)]
    PipelineBudget().remove(one.engine().world)
    assert [found.name for found in client.list_budgets(parent=ACCOUNT)] == [theirs.name]
    client.delete_budget(name=theirs.name)


def message(name: str, projects: tuple[str, ...]) -> budgets_v1.Budget:
    return budgets_v1.Budget(
        display_name=name,
        budget_filter=budgets_v1.Filter(projects=projects),
        amount=budgets_v1.BudgetAmount(specified_amount={"units": 5}),
    )


def test_no_budget_and_no_api_where_none_is_asked_for(cloud: RunningCloud, tmp_path: Path) -> None:
    none = deployer(cloud, tmp_path, "")
    assert "billingbudgets.googleapis.com" not in none.spec.apis
    before = cloud.cloud.pipeline.log.latest()
    assert plan(none.engine().world, [PipelineBudget()], parallelism=1).actions == ()
    assert cloud.cloud.pipeline.log.since(before) == ()


def test_a_budget_is_read_changed_and_deleted(client: Any) -> None:
    made = client.create_budget(parent=ACCOUNT, budget=message("mine", (f"projects/{PROJECT}",)))
    assert client.get_budget(name=made.name) == made
    made.display_name = "other"
    changed = client.update_budget(budget=made)
    assert (changed.display_name, changed.name) == ("other", made.name)
    made.etag = "old"
    with pytest.raises(exceptions.Aborted):
        client.update_budget(budget=made)
    client.delete_budget(name=made.name)
    with pytest.raises(exceptions.NotFound):
        client.get_budget(name=made.name)
