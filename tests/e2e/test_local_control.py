"""Disturbing the local cloud through the installed command, and coming through it."""

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import GPUPIPE, Cli


@pytest.fixture
def undisturbed(cli: Cli) -> Iterator[Cli]:
    yield cli
    assert cli("local", "fault", "clear").code == 0


def faults(cli: Cli) -> list[tuple[str, int, int]]:
    """(words, consumed, left) of each fault."""
    found = cli("local", "fault", "list", "--output", "json").json["faults"]
    return [(one["fault"], one["consumed"], one["left"]) for one in found]


def test_a_fault_is_put_in_listed_and_cleared(undisturbed: Cli) -> None:
    cli = undisturbed
    added = cli("local", "fault", "add", "run.services.create:503", "x2")
    assert added.out == "In force: run.services.create:UNAVAILABLE x2\n"
    assert faults(cli) == [("run.services.create:UNAVAILABLE x2", 0, 2)]
    assert "faults" in cli("local", "status", "--output", "json").json["unusual"]
    cli("local", "fault", "clear")
    assert faults(cli) == []
    assert "faults" not in cli("local", "status", "--output", "json").json["unusual"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("run.services.creat:503", "run.services.create"),
        ("run.services.create:600", "600"),
        ("run.services.get slow 3s", "it can: error"),
        ("agent nothing missing", "nothing.googleapis.com"),
        ("run.services.create explode", "--help"),
    ],
)
def test_a_fault_that_cannot_be_is_refused_with_what_can(cli: Cli, words: str, said: str) -> None:
    refused = cli("local", "fault", "add", words)
    assert refused.code in {1, 2}
    assert said in refused.err
    assert "Next:" in refused.err
    assert faults(cli) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("fault", "add", "run.services.create:503", "--project", "other-1"), "--project other-1"),
        (("permission", "restore", "run.services.create"), "is not denied to you"),
        (("logs", "--since", "5m"), "--requests"),
        (("logs", "--requests", "--since", "abc"), "is no duration"),
        (("clock", "advance", "soon"), "is no duration"),
        (("clock", "advance", "99999d"), "at most 36500 days (100 years) ahead"),
        (("quota", "set", "NoSuchQuota", "1"), "There is no quota"),
        (("quota", "set", "CpuAllocPerProjectRegion", "9" * 20), "is more than a quota can be"),
    ],
)
def test_what_would_do_nothing_is_refused(cli: Cli, arguments: tuple[str, ...], said: str) -> None:
    done = cli("local", *arguments)
    assert done.code == 2, done.out
    assert said in done.err


def test_quotas_permissions_latency_and_clock(cli: Cli) -> None:
    memory = "MemAllocPerProjectRegion"
    assert cli("local", "quota", "set", memory, "80Gi").code == 0
    quotas = cli("local", "quota", "list", "--output", "json").json["quotas"]
    (limit,) = [one["limit"] for one in quotas if one["quota_id"] == memory]
    assert limit == 80 << 30
    assert cli("local", "quota", "set", memory, "40Gi").code == 0
    refused = cli("local", "quota", "set", "MemAlloc", "1")
    assert (refused.code, memory in refused.err) == (2, True)

    cli("local", "permission", "revoke", "run.services.create", "--project", "other-project")
    revoked = cli("local", "permission", "list", "--output", "json").json["revoked"]
    assert revoked == [{"project": "other-project", "name": "run.services.create"}]
    cli("local", "permission", "restore", "run.services.create", "--project", "other-project")
    assert cli("local", "permission", "list").out == "Nothing is denied to you.\n"

    assert cli("local", "latency", "0.5", "--output", "json").json["factor"] == 0.5
    assert cli("local", "latency", "none", "--output", "json").json["factor"] == 0
    assert cli("local", "latency", "fast").code == 2
    key = "projects/other-project/locations/us-central1/keyRings/r/cryptoKeys/k"
    added = cli("local", "resource", "add", key, "--encrypter", "a@b.example", "--output", "json")
    assert added.json["resources"] == [
        {"name": key, "kind": "key", "encrypters": ["serviceAccount:a@b.example"]}
    ]
    assert key in cli("local", "resource", "list").out
    refused = cli("local", "resource", "add", "projects/other-project/keys/k")
    assert refused.code == 2
    assert "projects/P/locations/L/keyRings/R/cryptoKeys/K" in refused.err
    assert cli("local", "resource", "remove", key).out.startswith("Nothing was added")
    assert cli("local", "resource", "remove", key).code == 1
    quiet = ("--project", "other-project")
    assert cli("local", "incidents", *quiet).out.startswith("No alert policy of project ")
    assert cli("local", "incidents", *quiet, "--output", "json").json["incidents"] == []

    before = cli("local", "clock", "show", "--output", "json").json["ahead_s"]
    moved = cli("local", "clock", "advance", "1m30s", "--output", "json").json
    assert moved["ahead_s"] == before + 90


def test_following_the_requests_shows_each_as_it_comes(cli: Cli) -> None:
    info = cli("local", "start", "--output", "json").json
    rows = cli("local", "logs", "--requests", "--output", "json").json["requests"]
    newest = str(rows[-1]["sequence"]) if rows else "0"
    command = [str(GPUPIPE), "local", "logs", "--requests", "-f", "--since", newest, "-o", "json"]
    with subprocess.Popen(
        command, env=cli.env(), cwd=cli.home.parent, stdout=subprocess.PIPE, text=True
    ) as following:
        assert following.stdout is not None
        token = (cli.home / "local" / "token").read_text()
        _ask(info["http"], token)
        try:
            row = json.loads(following.stdout.readline())
            following.send_signal(signal.SIGINT)
            assert following.wait(30) == 130
        finally:
            following.kill()
    assert (row["method"], row["code"], row["writes"]) == ("storage.buckets.list", "OK", False)
    assert row["caller"] == "user:operator@gpupipe.local"
    assert row["ms"] > 0


def _ask(http: str, token: str) -> None:
    import httpx

    with httpx.Client(trust_env=False) as client:
        client.get(
            f"{http}/storage/v1/b",
            params={"project": "gpupipe-local"},
            headers={"authorization": f"Bearer {token}"},
        ).raise_for_status()


@pytest.mark.promise(36)
def test_two_answers_of_503_then_one_result(
    deployed: Cli, undisturbed: Cli, tmp_path: Path
) -> None:
    del undisturbed
    (tmp_path / "note.txt").write_text("I love it.")
    deployed("local", "fault", "add", "run.services.invoke:503 x2")
    deployed("local", "fault", "add", "event duplicate")
    deployed("local", "fault", "add", "storage.objects.insert lost")
    done = deployed("test-upload", "--local", str(tmp_path / "note.txt"), "--output", "json")
    assert done.code == 0, done.err
    assert [(consumed, left) for _, consumed, left in faults(deployed)] == [(2, 0), (1, 0), (1, 0)]
