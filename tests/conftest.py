"""For every test: the user's home, credentials and the real network are out of reach."""

import os
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def private_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Point GPUPIPE_HOME at a folder of this test and forget the user's configuration."""
    home = tmp_path_factory.mktemp("gpupipe-home", numbered=True)
    for name in list(os.environ):
        if name.startswith(("GPUPIPE_", "GOOGLE_", "CLOUDSDK_")) or name in {
            "PROJECT_ID",
            "REGION",
            "SERVICE_PREFIX",
        }:
            monkeypatch.delenv(name)
    monkeypatch.setenv("GPUPIPE_HOME", str(home))
    return home
