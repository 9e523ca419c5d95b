"""For the tests of the clients: credentials that nobody can use, and the daemon's token."""

from pathlib import Path

import pytest

TOKEN = "local-token-0123456789"


@pytest.fixture
def no_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Application Default Credentials point at a file that does not exist; no metadata server."""
    missing = tmp_path / "nobody.json"
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(missing))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    return missing


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n", encoding="ascii")
    return path
