"""Folders that gpupipe keeps, resolved when asked: private to the user, mode 0700."""

import os
import stat
from pathlib import Path

from gpupipe.core.errors import GpupipeError


def gpupipe_home() -> Path:
    """The folder of everything that gpupipe keeps on this machine; made when it is missing.

    `GPUPIPE_HOME`, else `XDG_STATE_HOME/gpupipe`, else `~/.local/state/gpupipe`. One that others can
    write is refused: what lies in it is trusted.
    """
    home = _chosen()
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = home.stat().st_mode
    except OSError as error:
        raise _unusable(home, str(error)) from error
    if not stat.S_ISDIR(mode):
        raise _unusable(home, "It is not a folder.")
    if mode & 0o022:
        raise _unusable(home, f"Others can write to it (mode {stat.S_IMODE(mode):04o}).")
    return home


def _chosen() -> Path:
    own = os.environ.get("GPUPIPE_HOME")
    if own:
        return Path(own).expanduser().absolute()
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "gpupipe"


def _unusable(home: Path, why: str) -> GpupipeError:
    return GpupipeError(
        "gpupipe cannot use its folder.",
        resource=str(home),
        details=why,
        resolution="Set GPUPIPE_HOME to a folder that only you can write (chmod 700).",
        doc="reference/configuration.md#gpupipe_home",
    )
