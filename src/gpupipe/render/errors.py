"""An error in its four parts, for a person or as JSON: what, on which resource, what next, where to read."""

from gpupipe.core.errors import GpupipeError
from gpupipe.render.console import complaint, say
from gpupipe.render.json_output import print_json


def error_json(error: GpupipeError) -> dict[str, object]:
    """The documented shape of an error."""
    return {
        "brief": error.brief,
        "resource": error.resource,
        "details": error.details,
        "resolution": error.resolution,
        "doc": error.doc,
        "exit_code": int(error.exit),
    }


def lines(error: GpupipeError) -> list[str]:
    """The error as lines of plain text."""
    found = [f"Error: {error.brief}"]
    if error.resource and error.resource not in error.brief:
        found.append(f"  Resource: {error.resource}")
    found.extend(f"  {line}" for line in (error.details or "").splitlines())
    found.append(f"  Next: {error.resolution}")
    found.append(f"  Read: docs/{error.doc}")
    return found


def print_error(error: GpupipeError, *, as_json: bool) -> None:
    """Write the error: to stdout as the answer when JSON is wanted, else to stderr."""
    if as_json:
        print_json({"schema": "gpupipe.error/1", "error": error_json(error)}, one_line=True)
        return
    console, (first, *rest) = complaint(), lines(error)
    say(console, first, "bold red")
    for line in rest:
        say(console, line)
