"""Makes a virtual environment from a committed requirements file, with hashes, by uv.

Standard library only: it runs before anything is installed.
Usage: python scripts/install.py {run|dev|model|docs} VENV
"""

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "requirements"
APART = {
    "model": ROOT / "model" / "requirements-build.txt",
    "docs": REQUIREMENTS / "docs.txt",
}
"""Environments without gpupipe, and what is in them."""
COST = ".install-cost"
"""In the environment: seconds and bytes received by the installation."""


def main(kind: str, target: Path) -> int:
    """Create or refresh `target`; 0, or 1 with what to do next on stderr."""
    if sys.version_info < (3, 11):  # noqa: UP036  # runs before pip could refuse
        print(
            f"gpupipe needs Python 3.11 or later; this is {sys.version.split()[0]}.",
            file=sys.stderr,
        )
        return 1
    began, before = time.monotonic(), received_bytes()
    if not _make_venv(target):
        return 1
    python = target / "bin" / "python"
    uv = target / "bin" / "uv"
    _run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
         "--require-hashes", "-r", REQUIREMENTS / "bootstrap.txt")  # fmt: skip
    if kind in APART:
        _run(uv, "pip", "install", "--quiet", "--python", python, "--require-hashes",
             "-r", APART[kind])  # fmt: skip
        return 0
    _run(uv, "pip", "install", "--quiet", "--python", python, "--require-hashes", "--no-deps",
         "-r", REQUIREMENTS / f"{kind}.txt")  # fmt: skip
    _run(uv, "pip", "install", "--quiet", "--python", python, "--no-deps",
         "--build-constraints", REQUIREMENTS / "build.txt", "--editable", ROOT)  # fmt: skip
    (target / f".{kind}-ready").touch()
    # The demo tells it once.
    (target / COST).write_text(f"{time.monotonic() - began:.3f} {received_bytes() - before}")
    if kind == "dev":
        (target / ".run-ready").touch()
    return 0


def received_bytes() -> int:
    """Bytes that this machine has received on all interfaces but loopback; 0 where unknown."""
    counters = Path("/proc/net/dev")
    if not counters.exists():
        return 0
    rows = (line.split(":") for line in counters.read_text().splitlines() if ":" in line)
    return sum(int(fields.split()[0]) for name, fields in rows if name.strip() != "lo")


def _make_venv(target: Path) -> bool:
    # pip is the last thing that comes into one: without it an earlier run was cut off.
    if (target / "bin" / "pip").exists():
        return True
    try:
        # Debian splits ensurepip off, and with its smallest Python venv too.
        import ensurepip  # noqa: F401
        import venv
    except ImportError as error:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        print(
            f"This Python cannot make virtual environments: {error.name} is missing.\n"
            f"On Debian and Ubuntu install it with: apt-get install python{version}-venv",
            file=sys.stderr,
        )
        return False
    venv.create(target, with_pip=True)
    return True


def _run(*command: object) -> None:
    done = subprocess.run([str(part) for part in command], cwd=ROOT, check=False)
    if done.returncode:
        print(f"This command failed: {' '.join(str(part) for part in command)}", file=sys.stderr)
        raise SystemExit(done.returncode)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1], Path(sys.argv[2])))
