"""Makes the pictures in docs/pictures anew: what the installed command really prints, in its colours.

Each picture shows commands of one run against a local cloud of its own, which is stopped at the end.
stdout is a terminal, so what is drawn is the answer; progress, which goes to stderr, is left out.
Usage: python -m scripts.pictures
"""

import io
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Mapping
from fcntl import ioctl
from pathlib import Path

from rich.console import Console
from rich.text import Text
from scripts.clean_env import scrubbed

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "docs" / "pictures"
WIDTH = 104
RUN = {
    "demo": ("gpupipe deploy --local --yes", "gpupipe test-upload --local"),
    "timeline": ("gpupipe executions show positive.txt",),
    "status": ("gpupipe status",),
}
"""Pictures in the order of the run, each with its commands."""
# Rich's own form takes its letters from another machine.
_SVG = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace;
 font-size: {char_height}px; line-height: {line_height}px; }}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: sans-serif; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" /></clipPath>{lines}</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">{matrix}</g>
</g>
</svg>
"""


def answer(command: str, environment: Mapping[str, str]) -> str:
    """What the command writes to a terminal as its answer; SystemExit where it fails."""
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 100, WIDTH, 0, 0))
    words = [str(Path(sys.executable).with_name("gpupipe")), *command.split()[1:]]
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            words, env=environment, stdin=subprocess.DEVNULL, stdout=theirs, stderr=said
        )
        os.close(theirs)
        written = bytearray()
        while part := _read(ours):
            written += part
        os.close(ours)
        if process.wait():
            said.seek(0)
            raise SystemExit(f"{command} failed:\n{said.read().decode()}")
    return written.decode().replace("\r\n", "\n").strip("\n")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # nobody has its other end open any more
        return b""


def draw(name: str, shown: list[tuple[str, str]]) -> str:
    """Commands with their answers as SVG."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    for number, (command, text) in enumerate(shown):
        console.print(Text(("\n" if number else "") + f"$ {command}", style="bold"))
        console.print(Text.from_ansi(text), soft_wrap=False)
    svg = console.export_svg(title="gpupipe", code_format=_SVG, unique_id=name)
    return re.sub(r"[ \t]+$", "", svg, flags=re.MULTILINE)


def main() -> int:
    """Deploy to a local cloud of its own, run the commands, write the pictures."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="gpupipe-pictures-") as folder:
        environment = scrubbed(os.environ, Path(folder) / "home") | {
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
            "COLUMNS": str(WIDTH),
        }
        try:
            for name, commands in RUN.items():
                shown = [(command, answer(command, environment)) for command in commands]
                (PICTURES / f"{name}.svg").write_text(draw(name, shown), encoding="utf-8")
                print(PICTURES / f"{name}.svg")
        finally:
            answer("gpupipe local stop", environment)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
