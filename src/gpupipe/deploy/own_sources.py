"""What is built and deployed: the packaged services and workflow, or the user's own.

Paths of the configuration begin at the folder of its file. `check` finds what is wrong with them
before anything is asked of an API.
"""

from collections.abc import Sequence
from pathlib import Path

from gpupipe.core.assets import SourceFile, build_context, own_context, pipeline_source
from gpupipe.core.config import Config
from gpupipe.core.errors import UsageError
from gpupipe.core.names import SERVICES
from gpupipe.core.options import ServiceOptions, key_of
from gpupipe.workflows.errors import SourceError
from gpupipe.workflows.limits import SOURCE_BYTES
from gpupipe.workflows.program import load

_MOST_BYTES = 200 * 2**20
_DOC = "reference/configuration.md#services-and-a-workflow-of-your-own"


def service_source(config: Config, service: str) -> tuple[Sequence[SourceFile], str] | None:
    """The user's own build context of a service and its Dockerfile there; None for the packaged one.

    The Dockerfile is that of the folder, or (as `gpupipe init --eject` lays it out) that of the
    service's folder in it. UsageError where there is none.
    """
    options: ServiceOptions = getattr(config.options, key_of(service))
    if options.source is None:
        return None
    folder, option = config.folder / options.source, f"{key_of(service)}.source"
    if not folder.is_dir():
        raise _wrong(option, folder, "There is no such folder.")
    inside = f"{key_of(service)}/Dockerfile"
    dockerfile = next((one for one in ("Dockerfile", inside) if (folder / one).is_file()), None)
    if dockerfile is None:
        raise _wrong(option, folder, f"It has neither a Dockerfile nor {inside}.")
    if dockerfile == inside:
        return build_context(service, folder), dockerfile
    files = own_context(folder)
    size = sum(len(file.data) for file in files)
    if size > _MOST_BYTES:
        raise _wrong(option, folder, f"It has {size} bytes; at most {_MOST_BYTES} are uploaded.")
    return files, dockerfile


def workflow_source(config: Config) -> str:
    """The text of the workflow. UsageError where the user's own cannot be deployed."""
    own = config.options.workflow.source
    if own is None:
        return pipeline_source()
    path = config.folder / own
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise _wrong("workflow.source", path, str(error)) from error
    if len(text.encode()) > SOURCE_BYTES:
        raise _wrong("workflow.source", path, f"It has more than {SOURCE_BYTES} bytes.")
    return text


def check(config: Config) -> None:
    """UsageError where something of the user's own is missing, or its workflow has faults."""
    for service in SERVICES:
        service_source(config, service)
    if config.options.workflow.source is None:
        return
    try:
        load(workflow_source(config))
    except SourceError as error:
        path = config.folder / config.options.workflow.source
        faults = "\n".join(f"{one.line}:{one.column}: {one.message}" for one in error.faults)
        raise _wrong("workflow.source", path, faults) from error


def _wrong(option: str, path: Path, why: str) -> UsageError:
    return UsageError(
        f"{option} names something that cannot be deployed.",
        resource=str(path),
        details=why,
        resolution=f"Mend it, or take {option} out of the configuration to use the packaged one.",
        doc=_DOC,
    )
