"""One process behind a launcher: its lines, its end, and a stop that always comes to an end.

A thread per process reads both streams and waits for the end. The process gets exactly the
environment that it is given, no input, and a session and process group of its own.
"""

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

GRACE_S = 10.0
_LAUNCHER = Path(__file__).with_name("launcher.py")
_CHUNK = 1 << 16
_LONGEST_LINE = 1 << 18

LineSink = Callable[[str, str], None]
"""Takes the stream's name ("stdout", "stderr") and one line without its end."""


class Process:
    """A running program; `exited` is set once it and all that it started are gone."""

    def __init__(
        self,
        program: Sequence[str],
        *,
        environment: Mapping[str, str],
        folder: Path,
        on_line: LineSink,
        on_exit: Callable[[int | None], None],
        grace_s: float = GRACE_S,
    ) -> None:
        self.exited = threading.Event()
        self.exit_code: int | None = None
        self._on_line = on_line
        self._on_exit = on_exit
        status, report = os.pipe()
        try:
            self._popen = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_LAUNCHER), str(report), str(grace_s), *program],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=dict(environment),
                cwd=folder,
                pass_fds=(report,),
                start_new_session=True,
                bufsize=0,
            )
        except BaseException:
            os.close(status)
            raise
        finally:
            os.close(report)
        self._status = os.fdopen(status, "rb", buffering=0)
        name = f"process-{self._popen.pid}"
        threading.Thread(target=self._watch, name=name, daemon=True).start()

    @property
    def pid(self) -> int:
        """The launcher's process id, which is the process group of all."""
        return self._popen.pid

    def terminate(self) -> None:
        """Ask for the end: SIGTERM now, SIGKILL after the grace; returns at once."""
        with contextlib.suppress(OSError, ValueError):
            _pipe(self._popen.stdin).write(b"t")

    def kill(self) -> None:
        """SIGKILL to the whole group, now."""
        if not self.exited.is_set():
            _kill_group(self.pid)

    def _watch(self) -> None:
        streams = {
            "stdout": _Lines(_pipe(self._popen.stdout)),
            "stderr": _Lines(_pipe(self._popen.stderr)),
        }
        code = self._read_until_end(streams)
        # The launcher has ended but is not reaped yet: its group number is still ours.
        _kill_group(self.pid)
        self._drain(streams)
        launcher_code = self._popen.wait()
        self.exit_code = int(code) if code else max(launcher_code, 0) or None
        for pipe in (self._status, *(_pipe(p) for p in self._pipes())):
            pipe.close()
        self.exited.set()
        self._on_exit(self.exit_code)

    def _pipes(self) -> tuple[object, ...]:
        return (self._popen.stdin, self._popen.stdout, self._popen.stderr)

    def _read_until_end(self, streams: Mapping[str, "_Lines"]) -> bytes:
        code = b""
        with selectors.DefaultSelector() as selector:
            selector.register(self._status, selectors.EVENT_READ, "")
            for name, lines in streams.items():
                os.set_blocking(lines.pipe.fileno(), False)
                selector.register(lines.pipe, selectors.EVENT_READ, name)
            while True:
                for key, _ in selector.select():
                    if key.data:
                        if not self._read(key.data, streams[key.data]):
                            selector.unregister(key.fileobj)
                    elif not (data := self._status.read(64)):
                        return code
                    else:
                        code += data

    def _read(self, name: str, lines: "_Lines") -> bool:
        """Pass on what there is; False at the end of the stream."""
        data = lines.pipe.read(_CHUNK)
        if data:
            for line in lines.split(data):
                self._on_line(name, line)
        return data != b""

    def _drain(self, streams: Mapping[str, "_Lines"]) -> None:
        for name, lines in streams.items():
            while data := lines.pipe.read(_CHUNK):
                for line in lines.split(data):
                    self._on_line(name, line)
            if lines.rest:
                self._on_line(name, lines.rest.decode(errors="replace"))


class _Lines:
    """Cuts what a stream delivers into lines; one without an end is cut at 256 KiB."""

    def __init__(self, pipe: BinaryIO) -> None:
        self.pipe = pipe
        self.rest = b""

    def split(self, data: bytes) -> list[str]:
        *lines, self.rest = (self.rest + data).split(b"\n")
        if len(self.rest) >= _LONGEST_LINE:
            lines.append(self.rest)
            self.rest = b""
        return [line.decode(errors="replace") for line in lines]


def _pipe(pipe: object) -> BinaryIO:
    assert pipe is not None  # noqa: S101 - asked for in Popen
    return pipe  # type: ignore[return-value]  # Popen types every pipe as optional


def _kill_group(leader: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)
