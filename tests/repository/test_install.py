"""`make` with a Python that cannot make virtual environments says which package is missing."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAKE = shutil.which("make") or ""
# Debian's Python without its venv package: importing these fails.
LACKS = """#!/bin/sh
exec {python} -I -c "
import runpy, sys
sys.modules['{module}'] = None
sys.argv[:] = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name='__main__')
" "$@"
"""


@pytest.mark.parametrize("module", ["ensurepip", "venv"])
@pytest.mark.skipif(not MAKE, reason="there is no make here")
def test_make_names_the_package_that_has_venv(tmp_path: Path, module: str) -> None:
    python, target = tmp_path / "python3", tmp_path / "venv"
    python.write_text(LACKS.format(python=sys.executable, module=module))
    python.chmod(0o755)
    done = subprocess.run(
        [MAKE, "demo", f"PYTHON={python}", f"VENV={target}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode != 0
    assert f"{module} is missing" in done.stderr
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    assert f"apt-get install {package}" in done.stderr
    assert "Traceback" not in done.stderr
    assert not target.exists()
