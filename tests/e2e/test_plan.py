"""`gpupipe plan` is what a dry run of deploy shows: in words, as JSON, by exit code."""

import pytest

from tests.e2e.conftest import Cli
from tests.e2e.test_journey import last_sequence, requests_since

NOTHING = "Nothing to do"


def test_a_plan_of_nothing_changed(deployed: Cli) -> None:
    before = last_sequence(deployed)
    plan = deployed("plan", "--local", "--exit-code", "-o", "json")
    assert plan.code == 0, plan.err
    assert not plan.json["writes"]
    assert not plan.json["canary"]
    assert {one["verb"] for one in plan.json["actions"]} == {"keep"}
    assert NOTHING in deployed("plan", "--local").out
    assert [row for row in requests_since(deployed, before) if row["writes"]] == []


@pytest.mark.promise(27)
@pytest.mark.promise("S4")
@pytest.mark.promise("S68")
def test_a_plan_of_a_pipeline_that_is_not_there(deployed: Cli) -> None:
    """Another prefix: the APIs and agents of the project are kept, all else is made."""
    arguments = ("--local", "--prefix", "other", "--output", "json")
    before = last_sequence(deployed)
    plan = deployed("plan", *arguments, "--exit-code")
    assert plan.code == 3, plan.err
    dry = deployed("deploy", "--dry-run", *arguments)
    assert dry.code == 0, dry.err
    assert dry.json == plan.json
    assert plan.json["canary"]
    kinds = {one["kind"]: one["verb"] for one in plan.json["actions"]}
    assert kinds["APIs"] == "keep"
    assert kinds["trigger"] == "create"
    text = deployed("plan", "--local", "--prefix", "other")
    assert text.code == 0, text.err
    assert "a canary file proves that a file comes out" in text.out
    assert [row for row in requests_since(deployed, before) if row["writes"]] == []


def test_the_exit_code_is_a_dry_runs(cli: Cli) -> None:
    done = cli("deploy", "--local", "--exit-code")
    assert done.code == 2
    assert "--dry-run" in done.err


def test_history_tells_the_runs_in_words(deployed: Cli) -> None:
    done = deployed("history", "--local")
    assert done.code == 0, done.err
    head, first, *_ = done.out.splitlines()
    assert head.split() == ["began", "run", "result", "changes", "by"]
    assert first.split()[3:5] == ["deploy", "done"]
    none = deployed("history", "--local", "--prefix", "other")
    assert none.out == "No run of this pipeline has left a record.\n"
