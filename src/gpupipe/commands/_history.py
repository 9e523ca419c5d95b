"""What `gpupipe history` does: read the records of the bucket and of this machine."""

from dataclasses import dataclass

from gpupipe.context import history_folder, open_context
from gpupipe.core.errors import Exit
from gpupipe.core.flags import Flags
from gpupipe.deploy.history import runs
from gpupipe.render.console import answer, talk
from gpupipe.render.history import history_json, print_history
from gpupipe.render.json_output import print_json
from gpupipe.render.output import Output
from gpupipe.render.progress import LOOKING, busy


@dataclass(frozen=True, slots=True)
class HistoryRequest:
    """The command line, parsed."""

    flags: Flags
    output: Output


def run(request: HistoryRequest) -> int:
    """Carry out the request; the exit code."""
    context = open_context(request.flags)
    bucket = context.spec.names.bucket("staging")
    with busy(talk(), LOOKING):
        found = runs(context.cloud.storage, bucket, history_folder(context))
    if request.output is Output.JSON:
        print_json(history_json(found))
    else:
        print_history(answer(), found)
    return Exit.DONE
