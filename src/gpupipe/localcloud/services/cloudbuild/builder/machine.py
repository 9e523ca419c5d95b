"""What of this machine a build uses: its Python, its uv, the way to the package index.

A build's programs get an environment made from nothing but the stage's variables and this table.
"""

import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from uv import find_uv_bin

# Variables of the daemon that reach uv: how it finds the package index and trusts it. No other does.
PASSED = frozenset(
    {
        "ALL_PROXY",
        "HTTPS_PROXY",
        "HTTP_PROXY",
        "NETRC",
        "NO_PROXY",
        "SSL_CERT_DIR",
        "SSL_CERT_FILE",
        "SSL_CLIENT_CERT",
        "UV_CONFIG_FILE",
        "UV_DEFAULT_INDEX",
        "UV_EXTRA_INDEX_URL",
        "UV_FIND_LINKS",
        "UV_HTTP_TIMEOUT",
        "UV_INDEX",
        "UV_INDEX_STRATEGY",
        "UV_INDEX_URL",
        "UV_INSECURE_HOST",
        "UV_KEYRING_PROVIDER",
        "UV_NATIVE_TLS",
        "UV_NO_INDEX",
        "UV_OFFLINE",
        "UV_SYSTEM_CERTS",
    }
)
_PASSED_STARTS = "UV_INDEX_"  # UV_INDEX_NAME_USERNAME and _PASSWORD


@dataclass(frozen=True, slots=True)
class Machine:
    """python: the interpreter that images are built on; uv: the program; passed: see PASSED.

    cache, config: uv's folders of the user; layers: where results of RUN are kept between builds.
    """

    python: Path
    uv: Path
    uv_version: str
    cache: Path
    config: Path
    layers: Path
    passed: Mapping[str, str]

    @property
    def python_version(self) -> str:
        """Major, minor and patch."""
        return platform.python_version()

    @property
    def roots(self) -> tuple[Path, ...]:
        """What links in images may lead to."""
        return (Path(sys.base_prefix), self.python, self.python.resolve(), self.uv)


def this_machine(environment: Mapping[str, str], layers: Path) -> Machine:
    """This process's own Python (not its virtual environment) and the uv that is installed.

    layers: where results of RUN are kept unless GPUPIPE_BUILD_CACHE names another folder.
    """
    home = Path(environment.get("HOME") or os.path.expanduser("~"))  # noqa: PTH111 - same rule as uv
    cache = environment.get("XDG_CACHE_HOME") or home / ".cache"
    config = environment.get("XDG_CONFIG_HOME") or home / ".config"
    base = getattr(sys, "_base_executable", None) or sys.executable
    return Machine(
        python=Path(base),
        uv=Path(find_uv_bin()),
        uv_version=version("uv"),
        cache=Path(environment.get("UV_CACHE_DIR") or Path(cache) / "uv"),
        config=Path(config),
        layers=Path(environment.get("GPUPIPE_BUILD_CACHE") or layers),
        passed={
            name: value
            for name, value in environment.items()
            if name.upper() in PASSED or name.startswith(_PASSED_STARTS)
        },
    )
