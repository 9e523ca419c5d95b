"""For the tests of the clients: Application Default Credentials that nobody can use."""

from pathlib import Path

import pytest


@pytest.fixture
def no_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Application Default Credentials point at a file that does not exist; no metadata server."""
    missing = tmp_path / "nobody.json"
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(missing))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    return missing
