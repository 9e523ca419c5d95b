"""JSON of commands that no other test here asks for it: run in this process, compared with its documented shape."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from gpupipe.main import main
from tests.e2e.conftest import Cli
from tests.support.documents import ROOT
from tests.support.shapes import faults

BUNDLE = str(ROOT / "service_images" / "gpu_inference" / "bundle")
KEY = "projects/gpupipe-local/locations/us-central1/keyRings/ring/cryptoKeys/key"
Ask = Callable[..., Any]


@pytest.fixture
def ask(deployed: Cli, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Runs a command line that has to succeed; what it answers has its shape."""
    for name, value in deployed.env(GPUPIPE_TARGET="local").items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(deployed.home.parent)

    def run(*arguments: str) -> Any:
        capsys.readouterr()
        code, (out, err) = main(list(arguments)), capsys.readouterr()
        assert code == 0, err
        document = json.loads(out)
        assert faults(document) == []
        return document

    return run


def test_what_is_asked_of_a_pipeline(ask: Ask) -> None:
    sent = ask("test-upload", "--output", "json")["files"][0]
    shown = ask("executions", "show", sent["execution"], "--output", "json")
    assert (shown["file"], shown["outcome_object"].rpartition("/results/")[2]) == (
        sent["object"],
        sent["result_object"].removeprefix("results/"),
    )
    assert ask("cost", "--output", "json")["actual"]
    assert ask("doctor", "--output", "json")["ready"]
    assert ask("config", "show", "--output", "json")["options"]


def test_what_is_asked_of_a_model(ask: Ask) -> None:
    valid = ask("model", "validate", BUNDLE, "--output", "json")
    pushed = ask("model", "push", BUNDLE, "--output", "json")
    assert {**valid, "schema": pushed["schema"]}.items() <= pushed.items()
    assert pushed["uri"].endswith(f"{valid['name']}/{valid['version']}")


def test_what_is_set_of_the_local_cloud(ask: Ask) -> None:
    added = ask("local", "fault", "add", "run.services.create:503", "--output", "json")["faults"]
    assert [one["fault"] for one in added] == ["run.services.create:UNAVAILABLE"]
    assert ask("local", "fault", "clear", "--output", "json")["faults"] == []
    quota = "NvidiaL4GpuAllocNoZonalRedundancyPerProjectRegion"
    other = ("--project", "other-project")
    assert ask("local", "quota", "set", quota, "5", *other, "--output", "json")["value"] == 5
    role = {"project": "other-project", "name": "roles/run.viewer"}
    revoked = ask("local", "permission", "revoke", role["name"], *other, "--output", "json")
    assert revoked["revoked"] == [role]
    restored = ask("local", "permission", "restore", role["name"], *other, "--output", "json")
    assert restored["revoked"] == []
    ask("local", "resource", "add", KEY, "--output", "json")
    assert KEY in [
        one["name"] for one in ask("local", "resource", "list", "--output", "json")["resources"]
    ]
    ask("local", "resource", "remove", KEY, "--output", "json")
