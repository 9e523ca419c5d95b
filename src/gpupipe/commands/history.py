"""`gpupipe history`: who deployed or destroyed the pipeline when, and how that ended."""

from gpupipe.commands._flags import PIPELINE, with_flags
from gpupipe.commands._options import OutputAs
from gpupipe.core.flags import Flags
from gpupipe.render.output import Output


@with_flags(PIPELINE)
def history(
    flags: Flags,
    output: OutputAs = Output.TEXT,
) -> int:
    """Show the runs that changed the pipeline, newest first: when, by whom, with what result.

    The records lie in the staging bucket. A destroy copies them to this machine first; its own
    record and those are shown from here. A run that was killed has none.

    Examples:

    \b
      gpupipe history
      gpupipe history --output json  with each change
    """
    from gpupipe.commands._history import HistoryRequest, run

    return run(HistoryRequest(flags, output=output))
