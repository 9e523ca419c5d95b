"""Writes the packaged workflow and services beside gpupipe.toml, where they can be changed."""

from collections.abc import Callable
from pathlib import Path

from gpupipe.core.assets import build_context, pipeline_source
from gpupipe.core.errors import UsageError
from gpupipe.core.names import SERVICES
from gpupipe.core.options import key_of

WORKFLOW, FOLDER = "pipeline.yaml", "services"


def eject(folder: Path, tell: Callable[[str], None]) -> dict[str, object]:
    """Write what is not there yet; the options that name it. Files that were changed stay."""
    files = {WORKFLOW: pipeline_source().encode()}
    for service in SERVICES:
        files.update({f"{FOLDER}/{one.path}": one.data for one in build_context(service)})
    changed = 0
    for name, data in files.items():
        path = folder / name
        try:
            if path.exists():
                changed += path.read_bytes() != data
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        except OSError as error:
            raise UsageError(
                "The packaged sources cannot be written.",
                resource=str(path),
                details=str(error),
                resolution="Choose a folder that you may write to.",
            ) from error
    tell(f"The workflow is {folder / WORKFLOW}, the services are in {folder / FOLDER}.")
    if changed:
        tell(f"Kept as they are: {changed} files there that differ from the packaged ones.")
    return {"workflow.source": WORKFLOW, **{f"{key_of(one)}.source": FOLDER for one in SERVICES}}
