"""Processes behind their launcher: lines, exit codes, stops, and no orphan whatever dies."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

from gpupipe.localcloud.runner.process import Process

PYTHON = os.path.realpath(sys.executable)
# Holds the FIFO open for as long as it lives; its child does too, in another way to be stopped.
HOLDER = textwrap.dedent(
    """
    import os, signal, subprocess, sys
    fifo = sys.argv[1]
    if len(sys.argv) == 2:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        subprocess.Popen([sys.executable, __file__, fifo, "child"])
    file = open(fifo, "w")
    file.write("x")
    file.flush()
    signal.pause()
    """
)


class Watched:
    """A process with what it said."""

    def __init__(self, folder: Path, *program: str, grace_s: float = 10) -> None:
        self.lines: list[tuple[str, str]] = []
        self.said = threading.Event()
        self.process = Process(
            [PYTHON, *program],
            environment={"ONLY": "this"},
            folder=folder,
            on_line=self._line,
            on_exit=lambda _: None,
            grace_s=grace_s,
        )

    def _line(self, stream: str, line: str) -> None:
        self.lines.append((stream, line))
        self.said.set()

    def wait(self) -> int | None:
        assert self.process.exited.wait(20)
        return self.process.exit_code


def test_lines_exit_code_and_environment(tmp_path: Path) -> None:
    code = "import os, sys; print(sorted(os.environ)); print('bad', file=sys.stderr); sys.exit(7)"
    watched = Watched(tmp_path, "-I", "-c", code)
    assert watched.wait() == 7
    assert ("stderr", "bad") in watched.lines
    out = next(line for stream, line in watched.lines if stream == "stdout")
    assert set(eval(out)) <= {"ONLY", "LC_CTYPE"}  # noqa: S307


def test_a_stop_is_sigterm_first(tmp_path: Path) -> None:
    code = (
        # Not print: the signal may come in the middle of the other one.
        "import os, signal\n"
        "signal.signal(signal.SIGTERM, lambda *_: (os.write(1, b'bye\\n'), os._exit(0)))\n"
        "print('up', flush=True)\n"
        "signal.pause()"
    )
    watched = Watched(tmp_path, "-c", code)
    assert watched.said.wait(20)
    watched.process.terminate()
    assert watched.wait() in (0, None)
    assert ("stdout", "bye") in watched.lines


def test_one_that_ignores_sigterm_is_killed_after_the_grace(tmp_path: Path) -> None:
    code = (
        "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True)\n"
        "while True: signal.pause()"
    )
    watched = Watched(tmp_path, "-c", code, grace_s=0.1)
    assert watched.said.wait(20)
    watched.process.terminate()
    watched.wait()


def test_what_it_started_ends_with_it(tmp_path: Path) -> None:
    fifo = _fifo(tmp_path)
    code = f"import subprocess, sys; subprocess.Popen([sys.executable, 'holder.py', {fifo!r}, 'c'])"
    watched = Watched(tmp_path, "-c", f"{code}; open({fifo!r}, 'w').write('x')")
    with Path(fifo).open() as reader:
        watched.wait()
        reader.read()


def test_a_program_that_cannot_start_says_so(tmp_path: Path) -> None:
    done = threading.Event()
    lines: list[str] = []
    process = Process(
        [str(tmp_path / "nothing")],
        environment={},
        folder=tmp_path,
        on_line=lambda _, line: lines.append(line),
        on_exit=lambda _: done.set(),
    )
    assert done.wait(20)
    assert process.exit_code == 127
    assert "cannot start" in lines[0]


def test_when_the_daemon_is_killed_nothing_of_an_instance_stays(tmp_path: Path) -> None:
    fifo = _fifo(tmp_path)
    daemon = subprocess.Popen(
        [sys.executable, "-c", _DAEMON, str(tmp_path), PYTHON, str(tmp_path / "holder.py"), fifo],
        stdout=subprocess.PIPE,
    )
    with Path(fifo).open() as reader:
        assert reader.read(2) == "xx"
        daemon.send_signal(signal.SIGKILL)
        # End of file comes when the last process that holds the pipe is gone.
        assert reader.read() == ""
    daemon.wait(20)
    assert daemon.stdout is not None
    daemon.stdout.close()


def test_when_the_launcher_is_killed_nothing_of_an_instance_stays(tmp_path: Path) -> None:
    fifo = _fifo(tmp_path)
    watched = Watched(tmp_path, str(tmp_path / "holder.py"), fifo)
    with Path(fifo).open() as reader:
        assert reader.read(2) == "xx"
        os.kill(watched.process.pid, signal.SIGKILL)
        assert reader.read() == ""
    assert watched.wait() is None


_DAEMON = textwrap.dedent(
    """
    import sys, threading
    from pathlib import Path
    from gpupipe.localcloud.runner.process import Process
    folder, *program = sys.argv[1:]
    Process(program, environment={}, folder=Path(folder), on_line=lambda *_: None,
            on_exit=lambda _: None, grace_s=0.2)
    threading.Event().wait()
    """
)


def _fifo(folder: Path) -> str:
    (folder / "holder.py").write_text(HOLDER)
    fifo = folder / "held"
    os.mkfifo(fifo)
    return str(fifo)
