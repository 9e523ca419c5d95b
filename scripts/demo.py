"""The demo: deploy, test-upload and status on the local cloud, through the installed command.

Standard library only. Prints at its end how long it took and what came over the network.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

from scripts.clean_env import scrubbed
from scripts.install import COST, received_bytes

ROOT = Path(__file__).resolve().parent.parent
COMMANDS = (
    ("deploy", "--local", "--yes"),
    ("test-upload", "--local"),
    ("status", "--local"),
)


def main() -> int:
    """Run the commands one after another; the first failure ends the demo with its exit code."""
    began, received = time.monotonic(), received_bytes()
    environment = scrubbed(os.environ, ROOT / ".demo" / "home")
    gpupipe = Path(sys.executable).parent / "gpupipe"
    for command in COMMANDS:
        print(f"\n$ gpupipe {' '.join(command)}", flush=True)
        code = subprocess.run([gpupipe, *command], env=environment, check=False).returncode
        if code:
            return code
    _tell_cost(time.monotonic() - began, received_bytes() - received)
    print(
        "The local cloud goes on running. Next:\n"
        "  export GPUPIPE_HOME=.demo/home\n"
        f"  {gpupipe.relative_to(ROOT) if gpupipe.is_relative_to(ROOT) else gpupipe}"
        " destroy --local      # remove the pipeline, and prove it\n"
        f"  {gpupipe.relative_to(ROOT) if gpupipe.is_relative_to(ROOT) else gpupipe}"
        " local stop           # stop the local cloud"
    )
    return 0


def _install_cost() -> tuple[float, int] | None:
    """Seconds and bytes of the installation, when it was made for this demo."""
    cost = Path(sys.executable).parent.parent / COST
    try:
        seconds, received = cost.read_text().split()
    except FileNotFoundError:
        return None
    cost.unlink()
    return float(seconds), int(received)


def _tell_cost(seconds: float, received: int) -> None:
    installed = _install_cost()
    if installed is not None:
        print(f"\nInstalling took {installed[0]:.1f} s and received {installed[1] / 1e6:.1f} MB.")
        seconds, received = seconds + installed[0], received + installed[1]
    print(
        f"\nAll of it took {seconds:.1f} s; this machine received {received / 1e6:.1f} MB meanwhile."
    )


if __name__ == "__main__":
    raise SystemExit(main())
