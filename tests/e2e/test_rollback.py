"""A release that does not prove itself loses the traffic, and a rollback moves it, by the installed command."""

from pathlib import Path

import pytest

from tests.e2e.conftest import Cli

SERVICE = "ml-pipeline-preprocess"


def held(run: Cli) -> list[str]:
    found = run("status", "--local", "-o", "json")
    assert found.code == 0, found.err
    assert found.json["healthy"]
    return [one["name"] for one in found.json["resources"] if one["state"] == "held"]


@pytest.mark.promise(80)
def test_a_release_is_rejected_tried_again_and_rolled_back(deployed: Cli, tmp_path: Path) -> None:
    file = tmp_path / "gpupipe.toml"
    file.write_text("[preprocess]\nconcurrency = 11\n")
    options = ("--local", "--config", str(file))
    # As often as it takes: files of other tests may still be on their way, and meet it too.
    assert deployed("local", "fault", "add", "run.services.invoke:400 x100").code == 0
    failed = deployed("deploy", *options)
    assert deployed("local", "fault", "clear").code == 0
    assert failed.code == 1, failed.err
    assert "preprocess failed, inference not reached" in failed.err
    assert f"Rolled back: {SERVICE}" in failed.err
    assert held(deployed) == [SERVICE]

    plan = deployed("plan", *options, "--exit-code", "-o", "json")
    assert plan.code == 0, plan.err
    assert any(
        "was rejected: the canary file did not come out" in one for one in plan.json["notes"]
    )
    again = deployed("deploy", *options, "--no-rollback", "-o", "json")
    assert again.code == 0, again.err
    (done,) = again.json["done"]
    assert [one["field"] for one in done["changes"]] == ["traffic"]
    assert [one["verdict"] for one in again.json["canary"]["hops"]] == ["passed"] * 6

    shown = deployed("rollback", "--local", "--dry-run", "-o", "json").json
    newest, before = shown["releases"][:2]
    assert newest["serving"] == newest["services"] == ["preprocess"]
    assert shown["to"] == before["release"]
    back = deployed("rollback", "--local", "--no-canary")
    assert back.code == 0, back.err
    assert f"back at the release {before['release']}" in back.out

    assert deployed("deploy", "--local", "--no-canary").code == 0
    assert held(deployed) == []
    assert [one.split()[3] for one in deployed("history", "--local").out.splitlines()[1:4]] == [
        "deploy",
        "rollback",
        "deploy",
    ]
