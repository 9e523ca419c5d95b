"""The installed command as a black box: one pipeline, deployed once for the whole folder."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.support.shapes import faults_of

GPUPIPE = Path(sys.executable).with_name("gpupipe")
TIMEOUT_S = 240


@dataclass(frozen=True)
class Done:
    """What a finished command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The answer on stdout."""
        return json.loads(self.out)


@dataclass
class Cli:
    """Runs `gpupipe` in a scrubbed environment with its own home."""

    layers: ClassVar[Path]
    """What images are built of is made once for all homes of a run."""
    home: Path
    environment: dict[str, str] = field(default_factory=dict)

    def __call__(
        self, *arguments: str, stdin: str | None = None, cwd: Path | None = None, **env: str
    ) -> Done:
        done = subprocess.run(
            [GPUPIPE, *arguments],
            env=self.env(**env),
            cwd=cwd or self.home.parent,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert "Traceback" not in done.stdout + done.stderr
        assert faults_of(done.stdout) == []
        return Done(done.returncode, done.stdout, done.stderr)

    def env(self, **extra: str) -> dict[str, str]:
        """The command's whole environment."""
        base = {
            name: value
            for name, value in os.environ.items()
            if name in {"PATH", "LANG", "TMPDIR"} or name.startswith(("PIP_", "UV_", "SSL_"))
        }
        # uv's cache of packages is shared; nothing else of the user's home is.
        base.setdefault("UV_CACHE_DIR", str(Path.home() / ".cache" / "uv"))
        base["HOME"] = str(self.home.parent)
        # Where tests run on a machine of Google's, it has credentials of its own.
        base["NO_GCE_CHECK"] = "true"
        ours = {"GPUPIPE_HOME": str(self.home), "GPUPIPE_BUILD_CACHE": str(self.layers)}
        return base | ours | self.environment | extra


@pytest.fixture(scope="session", autouse=True)
def layers(tmp_path_factory: pytest.TempPathFactory) -> None:
    """One folder for the layers of all workers."""
    own = tmp_path_factory.getbasetemp()
    Cli.layers = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "layers"


@pytest.fixture(scope="session")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cli]:
    """A command line with a home of its own; its local cloud is stopped at the end.

    Nothing is on its PATH: neither docker nor gcloud nor anything else is needed.
    """
    nothing = tmp_path_factory.mktemp("nothing")
    run = Cli(tmp_path_factory.mktemp("journey") / "home", {"PATH": str(nothing)})
    yield run
    run("local", "stop")


@pytest.fixture(scope="session")
def deployed(cli: Cli) -> Cli:
    """The same, with a pipeline deployed."""
    done = cli("deploy", "--local", "--yes", "--output", "json")
    assert done.code == 0, done.err
    return cli
