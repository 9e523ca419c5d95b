"""The process boundary: runs the app and turns every way of ending into an exit code.

No traceback reaches a user: an error that we did not foresee is written to a crash file whose path
is printed. Exit codes: see `gpupipe.core.errors.Exit`.
"""

import gc
import io
import os
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gpupipe.core.clock import InterruptedWaitError
from gpupipe.core.errors import Exit, GpupipeError

# More objects than the imports of a command make: about 100 MB of them.
_COLLECT_AFTER = 400_000


def run() -> None:
    """Entry point of the console script."""
    # gRPC's C core would write its own lines between ours.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    for stream in (sys.stdout, sys.stderr):
        # A console that lacks a character (cp1252) shows its number instead of ending the command.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    # Nearly all that a command makes is the modules it imports, which stay: looking through them again and
    # again for garbage costs a fifth of its time.
    gc.set_threshold(_COLLECT_AFTER)
    code = main(sys.argv[1:])
    gc.freeze()
    sys.exit(code)


def main(arguments: list[str]) -> int:
    """Run one command line and return its exit code."""
    try:
        from gpupipe.app import build, everywhere

        code = build()(args=everywhere(arguments), standalone_mode=False)
    except KeyboardInterrupt:
        return _report(InterruptedWaitError(), arguments)
    except BrokenPipeError:
        # The reader of our output has gone (`gpupipe status | head`): not an error of ours.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.FAILED
    except Exception as error:  # noqa: BLE001  # the boundary: every error ends here
        return _report(error, arguments)
    if code == Exit.INTERRUPTED and not isinstance(code, Exit):
        # Typer's, which makes it of a KeyboardInterrupt and says nothing; a command's own is an Exit.
        return _report(InterruptedWaitError(), arguments)
    return int(code) if isinstance(code, int) else Exit.DONE


def _report(error: Exception, arguments: list[str]) -> int:
    from gpupipe.render.errors import print_error

    if isinstance(error, GpupipeError):
        print_error(error, as_json=_wants_json(arguments))
        return error.exit
    usage = _usage_error(error)
    if usage is not None:
        print_error(usage, as_json=_wants_json(arguments))
        return usage.exit
    print_error(_crash(error), as_json=_wants_json(arguments))
    return Exit.FAILED


def _usage_error(error: Any) -> GpupipeError | None:
    """Typer's own refusals (unknown option, bad value), in our four parts."""
    import typer

    if isinstance(error, typer.Abort):
        return GpupipeError(
            "Nothing was done: the question was not answered.",
            resolution="Run the command again, or add --yes to answer yes.",
            doc="reference/cli.md",
            exit=Exit.INTERRUPTED,
        )
    # Typer carries a Click of its own whose base class it does not export.
    if not (hasattr(error, "format_message") and hasattr(error, "exit_code")):
        return None
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "gpupipe"
    return GpupipeError(
        error.format_message(),
        resource=command,
        resolution=f"See `{command} --help` for what it takes.",
        doc="reference/cli.md",
        exit=Exit.USAGE,
    )


def _crash(error: Exception) -> GpupipeError:
    text = "".join(traceback.format_exception(error))
    place = _write_crash(text)
    return GpupipeError(
        f"gpupipe met an error that it did not foresee: {type(error).__name__}.",
        details=None if place else text.splitlines()[-1],
        resolution="This is a bug in gpupipe; run the command again, and report it with "
        + (f"the file {place}." if place else "the line above."),
        doc="how-to/report-a-bug.md",
    )


def _write_crash(text: str) -> Path | None:
    from gpupipe.core.paths import gpupipe_home
    from gpupipe.core.redact import redact

    try:
        folder = gpupipe_home() / "crashes"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        place = folder / f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.getpid()}.txt"
        descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(redact(text))
    except (OSError, GpupipeError):
        return None
    return place


def _wants_json(arguments: list[str]) -> bool:
    pairs = zip(arguments, [*arguments[1:], ""], strict=True)
    return any(
        (one in {"--output", "-o"} and two == "json") or one in {"--output=json", "-ojson"}
        for one, two in pairs
    )
