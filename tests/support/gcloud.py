"""The real gcloud and gsutil against a local cloud in the test's process; skipped where missing."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.localcloud import RunningCloud

needs_gcloud = pytest.mark.skipif(shutil.which("gcloud") is None, reason="gcloud is not installed")
needs_gsutil = pytest.mark.skipif(shutil.which("gsutil") is None, reason="gsutil is not installed")


@dataclass(frozen=True)
class Gcloud:
    """Runs programs with the configuration that a local cloud wrote; HOME is a folder of the test."""

    cloud: RunningCloud
    home: Path

    def __call__(self, *arguments: str) -> str:
        """What gcloud prints; its failure fails the test."""
        done = self.run(["gcloud", *arguments])
        assert done.returncode == 0, done.stderr
        return done.stdout

    def gsutil(self, *arguments: str) -> str:
        """The same of gsutil."""
        done = self.run(["gsutil", *arguments])
        assert done.returncode == 0, done.stderr
        return done.stdout

    def run(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """A finished program, whatever its exit code."""
        settings = self.cloud.kernel.settings
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "CLOUDSDK_CONFIG": str(settings.gcloud),
            "BOTO_CONFIG": str(settings.boto),
        }
        return subprocess.run(
            command,
            env=environment,
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
