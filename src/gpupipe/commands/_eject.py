"""Writes the packaged workflow and services beside gpupipe.toml, where they can be changed."""

from collections.abc import Callable, Mapping
from pathlib import Path

from gpupipe.core.assets import build_context, pipeline_source
from gpupipe.core.errors import UsageError
from gpupipe.core.names import SERVICES
from gpupipe.core.options import key_of

WORKFLOW, FOLDER = "pipeline.yaml", "services"


def eject(
    folder: Path, said: Mapping[str, object], tell: Callable[[str], None]
) -> dict[str, object]:
    """Write what is not there yet; the options that name it. Files that were changed stay.

    said: the tables of the configuration. A source or an image that it names already stays too.
    """
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
    options: dict[str, object] = {}
    for table, source in {
        "workflow": WORKFLOW,
        **dict.fromkeys(map(key_of, SERVICES), FOLDER),
    }.items():
        own = _own(said.get(table))
        if own and own != ("source", source):
            tell(
                f"Kept as it is: [{table}] says {own[0]} = {own[1]!r}; without it, it is {source}."
            )
        else:
            options[f"{table}.source"] = source
    return options


def _own(table: object) -> tuple[str, object] | None:
    """The option of a table that names something of the user's own, and its value."""
    if not isinstance(table, Mapping):
        return None
    return next(((name, table[name]) for name in ("source", "image") if name in table), None)
