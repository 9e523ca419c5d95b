"""What `gpupipe workflow validate` does: load a file, show its faults in their place."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from gpupipe.core.errors import Exit, UsageError
from gpupipe.render.json_output import print_json
from gpupipe.render.output import Output
from gpupipe.render.source_marks import marked
from gpupipe.workflows.errors import Fault, SourceError
from gpupipe.workflows.limits import SOURCE_BYTES
from gpupipe.workflows.program import load

_SCHEMA = "gpupipe.workflow-validate/1"
_MOST_SHOWN = 1000


def run_validate(file: Path, output: Output) -> int:
    """Check a file; exit code 2 where it has faults."""
    source = read_source(file)
    faults = _faults(source)
    if output is Output.JSON:
        listed = [asdict(fault) for fault in faults]
        print_json({"schema": _SCHEMA, "file": str(file), "valid": not faults, "faults": listed})
    else:
        _show(file, source, faults)
    return Exit.USAGE if faults else Exit.DONE


def _faults(source: str) -> Sequence[Fault]:
    try:
        load(source)
    except SourceError as error:
        return error.faults
    return ()


def _show(file: Path, source: str, faults: Sequence[Fault]) -> None:
    lines = source.splitlines()
    for fault in faults[:_MOST_SHOWN]:
        print(f"{file}:{fault.line}:{fault.column}: {fault.message}")
        for line in marked(lines, fault.line, fault.column):
            print(f"  {line}")
    count = len(faults)
    if count > _MOST_SHOWN:
        print(f"and {count - _MOST_SHOWN} more; --output json has all")
    print(f"{file}: {count} fault{'s' * (count != 1)}" if count else f"{file}: no faults")


def read_source(file: Path) -> str:
    """The text of a file, or as much of it as shows that it is too large."""
    try:
        with file.open("rb") as opened:
            content = opened.read(SOURCE_BYTES + 1)
        return content.decode("utf-8-sig", "replace" if len(content) > SOURCE_BYTES else "strict")
    except OSError as error:
        brief = f"The file cannot be read: {error.strerror or error}"
    except UnicodeDecodeError:
        brief = "The file is not written in UTF-8."
    raise UsageError(
        brief,
        resource=str(file),
        resolution="Name a workflow's source, in YAML or JSON.",
        doc="reference/workflows.md",
    )
