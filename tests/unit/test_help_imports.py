"""Help is there at once: it imports no library of Google's, nor what draws."""

import subprocess
import sys

import pytest

_SLOW = ("google", "grpc", "requests", "httpx", "rich", "starlette", "uvicorn", "yaml")
_CODE = f"""
import sys
from gpupipe.main import main
assert main(sys.argv[1:]) == 0
found = {{name.partition(".")[0] for name in sys.modules}}
sys.exit(" ".join(sorted(found & set({_SLOW!r}))) or 0)
"""


@pytest.mark.parametrize("command", [(), ("deploy",), ("destroy",), ("status",), ("test-upload",)])
def test_help_imports_nothing_heavy(command: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _CODE, *command, "--help"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Usage:" in done.stdout
