"""The installed command, killed with SIGKILL in the middle of each of its writes, finishes when run again.

A write is held up inside the local cloud until its client is gone, so nothing here is a matter of
luck: the kill comes when the daemon has the call, which is then not done.
"""

import os
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from gpupipe.localcloud import daemon
from tests.e2e.conftest import GPUPIPE, Cli
from tests.e2e.test_interruptions import cloud_of, writes_nothing
from tests.e2e.test_journey import last_sequence, requests_since

pytestmark = pytest.mark.long

DEPLOY = ("deploy", "--local", "--yes", "--no-canary", "--parallelism", "1")
DESTROY = ("destroy", "--local", "--yes")
HELD_S = 280
MOST_LIVES = 150


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cli]:
    run = Cli(tmp_path_factory.mktemp("killed") / "home")
    assert run("local", "start").code == 0
    yield run
    run("local", "stop")


class Lives:
    """Runs a command again and again; each life is ended in a write where none was ended before.

    A place of death is a method and how many of its calls were done before: ever, or for objects
    (lease, sources, history), which each life writes anew, in this life.
    """

    def __init__(self, cli: Cli, command: tuple[str, ...], methods: list[str]) -> None:
        self._cli = cli
        self._cloud = cloud_of(cli)
        self._command = command
        self._methods = methods
        self._began = last_sequence(cli)
        self.deaths: set[tuple[str, int]] = set()

    def run(self) -> None:
        """Return when a life came to its natural end, which must be a good one."""
        while self._ends_in_death():
            assert len(self.deaths) < MOST_LIVES, self.deaths

    def _ends_in_death(self) -> bool:
        places = self._hold()
        process = subprocess.Popen(
            [GPUPIPE, *self._command],
            env=self._cli.env(),
            cwd=self._cli.home.parent,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        while not _has_ended(process):
            held = self._held()
            if held:
                self.deaths |= {place for place in places if place[0] in held}
                os.kill(process.pid, signal.SIGKILL)
        _, told = process.communicate()
        daemon.call(self._cloud, "DELETE", "/control/faults")
        assert process.returncode in {0, -signal.SIGKILL}, told
        return process.returncode != 0

    def _hold(self) -> list[tuple[str, int]]:
        """Hold up the next call of each method where nobody died yet; these places."""
        rows = requests_since(self._cli, self._began)
        done = Counter(str(row["method"]) for row in rows if row["writes"] and row["code"] == "OK")
        places, faults = [], list[dict[str, Any]]()
        for method in self._methods:
            first = place = 0 if method.startswith("storage.objects.") else done[method]
            while (method, place) in self.deaths:
                place += 1
            if place > first:
                lets = {"kind": "stall", "method": method, "seconds": 0.01, "times": place - first}
                faults.append(lets)
            faults.append({"kind": "stall", "method": method, "seconds": HELD_S})
            places.append((method, place))
        daemon.call(self._cloud, "POST", "/control/faults", faults)
        return places

    def _held(self) -> set[str]:
        """The methods of which a call is held up now."""
        faults = daemon.call(self._cloud, "GET", "/control/faults")["faults"]
        return {one["method"] for one in faults if one["consumed"] and one["seconds"] == HELD_S}


def _has_ended(process: subprocess.Popen[str]) -> bool:
    """Whether it has, after a moment for the daemon to work in."""
    try:
        process.wait(0.1)
    except subprocess.TimeoutExpired:
        return False
    return True


def methods_of(cli: Cli, *command: str) -> list[str]:
    """The methods by which a command that nobody disturbs writes."""
    before = last_sequence(cli)
    done = cli(*command)
    assert done.code == 0, done.err
    rows = requests_since(cli, before)
    return sorted({str(row["method"]) for row in rows if row["writes"] and row["api"]})


@pytest.mark.promise(4)
def test_deploys_killed_in_each_of_their_writes(own: Cli) -> None:
    methods = methods_of(own, *DEPLOY)
    assert own(*DESTROY).code == 0
    # What stays in the project after a destroy is made no second time.
    shared = {"serviceusage.services.batchEnable", "serviceusage.services.generateServiceIdentity"}
    deploys = Lives(own, DEPLOY, methods)
    deploys.run()
    assert {method for method, _ in deploys.deaths} >= set(methods) - shared
    assert writes_nothing(own)
    resources = own("status", "--local", "--output", "json").json["resources"]
    assert {row["state"] for row in resources} == {"ready"}
    assert len({(row["kind"], row["name"]) for row in resources}) == len(resources)


@pytest.mark.promise(4)
def test_destroys_killed_in_each_of_their_writes(own: Cli) -> None:
    assert own(*DEPLOY).code == 0
    methods = methods_of(own, *DESTROY)
    assert own(*DEPLOY).code == 0
    destroys = Lives(own, DESTROY, methods)
    destroys.run()
    assert {method for method, _ in destroys.deaths} == set(methods)
    last = own(*DESTROY, "--output", "json")
    assert last.code == 0, last.err
    assert last.json["leftovers"] == []
