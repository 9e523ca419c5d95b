"""Project and region of a command that works on the local cloud alone."""

import os
from pathlib import Path

from gpupipe.cloud.target import resolve
from gpupipe.core.config import load
from gpupipe.core.flags import Flags
from gpupipe.core.names import check_project


def local_place(project: str | None, region: str | None) -> tuple[str, str]:
    """Project and region as `deploy` would have them on the local cloud."""
    config = load(Flags(region=region), os.environ, Path.cwd())
    target = resolve(Flags(), config)
    own = target if target.is_local else resolve(Flags(local=True), config)
    return check_project(project) if project else own.project, config.region
