"""The repository holds to its own rules: lint, types, import contracts, requirements files."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent


@pytest.mark.parametrize(
    "command",
    [("ruff", "check", "."), ("ruff", "format", "--check", "."), ("lint-imports",), ("mypy",)],
    ids=" ".join,
)
def test_tool_is_clean(command: tuple[str, ...]) -> None:
    done = subprocess.run(
        [BIN / command[0], *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


@pytest.mark.promise(153)
def test_what_deploys_does_not_ask_which_target_it_has() -> None:
    """One implementation for the local cloud and for Google Cloud, so that none can fall behind."""
    files = list((ROOT / "src" / "gpupipe" / "deploy").rglob("*.py"))
    assert len(files) > 50
    asks = re.compile(r"\b(is_local|Target|LocalClients|GoogleClients|GPUPIPE_TARGET)\b")
    assert [str(one) for one in files if asks.search(one.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize(
    "path",
    sorted([*ROOT.glob("requirements/*.txt"), *ROOT.glob("service_images/*/requirements*.txt")]),
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_requirements_have_hashes_and_no_addresses(path: Path) -> None:
    text = path.read_text()
    pins = re.findall(r"^[A-Za-z0-9_.-]+(?:\[[^\]]*\])?==", text, re.MULTILINE)
    assert pins
    assert text.count("--hash=sha256:") >= len(pins)
    assert not re.search(r"https?://|file:|--index|--find-links", text)


def test_no_source_file_has_grown_past_reading() -> None:
    files = subprocess.run(
        [shutil.which("git") or "git", "ls-files", "-co", "--exclude-standard", "*.py"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    long = {
        name: lines
        for name in files
        if (lines := len((ROOT / name).read_text(encoding="utf-8").splitlines())) > 500
    }
    assert not long
