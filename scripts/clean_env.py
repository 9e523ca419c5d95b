"""Runs a command in a scrubbed environment: local target, a private GPUPIPE_HOME, no credentials.

Standard library only. Usage: python scripts/clean_env.py COMMAND [ARG ...]
"""

import os
import signal
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

# What a child needs to find programs, a terminal and the package index, and nothing of the cloud.
KEPT = frozenset(
    [
        "PATH",
        "HOME",
        "USER",
        "LOGNAME",
        "LANG",
        "LC_ALL",
        "TERM",
        "COLUMNS",
        "LINES",
        "NO_COLOR",
        "TMPDIR",
        "CI",
        "MAKEFLAGS",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "NO_PROXY",
        "http_proxy",
        "https_proxy",
        "no_proxy",
    ]
)
KEPT_PREFIXES = ("PIP_", "UV_", "HYPOTHESIS_", "PYTEST_")


def scrubbed(environment: Mapping[str, str], home: Path) -> dict[str, str]:
    """The part of `environment` that may stay, with the local target and `home` forced."""
    kept = {
        name: value
        for name, value in environment.items()
        if name in KEPT or name.startswith(KEPT_PREFIXES)
    }
    return kept | {"GPUPIPE_TARGET": "local", "GPUPIPE_HOME": str(home)}


def main(command: list[str]) -> None:
    """Replace this process by `command`."""
    home = Path(tempfile.mkdtemp(prefix="gpupipe-home-"))
    # A shell that runs this in the background has Ctrl-C ignored, by all that comes after it.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.execvpe(command[0], command, scrubbed(os.environ, home))  # noqa: S606  # that is its job


if __name__ == "__main__":
    main(sys.argv[1:])
