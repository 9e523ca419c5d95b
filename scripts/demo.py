"""The demo: deploy, test-upload and status on the local cloud, through the installed command.

Standard library only. Prints at its end how long it took and what came over the network.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

from clean_env import scrubbed

ROOT = Path(__file__).resolve().parent.parent
COMMANDS = (
    ("deploy", "--local", "--yes"),
    ("test-upload", "--local"),
    ("status", "--local"),
)


def main() -> int:
    """Run the commands one after another; the first failure ends the demo with its exit code."""
    began, received = time.monotonic(), _received_bytes()
    environment = scrubbed(os.environ, ROOT / ".demo" / "home")
    gpupipe = Path(sys.executable).parent / "gpupipe"
    for command in COMMANDS:
        print(f"\n$ gpupipe {' '.join(command)}", flush=True)
        code = subprocess.run([gpupipe, *command], env=environment, check=False).returncode
        if code:
            return code
    seconds = time.monotonic() - began
    print(f"\nThe demo took {seconds:.1f} s{_network(received)}.")
    print(
        "The local cloud goes on running. Next:\n"
        "  export GPUPIPE_HOME=.demo/home\n"
        f"  {gpupipe.relative_to(ROOT) if gpupipe.is_relative_to(ROOT) else gpupipe}"
        " destroy --local      # remove the pipeline, and prove it\n"
        f"  {gpupipe.relative_to(ROOT) if gpupipe.is_relative_to(ROOT) else gpupipe}"
        " local stop           # stop the local cloud"
    )
    return 0


def _received_bytes() -> int | None:
    """Bytes received by this machine on all interfaces but loopback; None where unknown."""
    counters = Path("/proc/net/dev")
    if not counters.exists():
        return None
    rows = (line.split(":") for line in counters.read_text().splitlines() if ":" in line)
    return sum(int(fields.split()[0]) for name, fields in rows if name.strip() != "lo")


def _network(before: int | None) -> str:
    after = _received_bytes()
    if before is None or after is None:
        return ""
    return f" and this machine received {(after - before) / 1e6:.1f} MB meanwhile"


if __name__ == "__main__":
    raise SystemExit(main())
