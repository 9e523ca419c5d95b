"""The parent of one instance, a child of the daemon: it outlives neither of them.

Run as a script (`python -I -S launcher.py STATUS_FD GRACE_S PROGRAM ARG...`), with the standard
library only. Standard input is a pipe that the daemon holds: one byte asks for a stop, end of file
means that the daemon is gone, by whatever signal. Either way the process group gets SIGTERM and,
GRACE_S later, SIGKILL. When the instance ends, its exit code goes to STATUS_FD and the group is
killed: nothing that it started stays.
"""

import os
import select
import signal
import sys
import time

CANNOT_START = 127
_SIGNALS = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def main(arguments: list[str]) -> None:
    """Start the program and stay until it has ended; does not return when it started."""
    status, grace, program = int(arguments[0]), float(arguments[1]), arguments[2:]
    os.set_inheritable(status, False)  # noqa: FBT003 - the library has no keyword
    wake = _wake_on_signals()
    try:
        child = _spawn(program)
    except OSError as error:
        sys.stderr.write(f"cannot start {program[0]}: {error.strerror}\n")
        sys.exit(CANNOT_START)
    os.write(status, b"%d\n" % _supervise(child, wake, grace))
    os.killpg(0, signal.SIGKILL)


def _wake_on_signals() -> int:
    """A descriptor that is readable after a signal; a handler, unlike SIG_IGN, ends at exec."""
    readable, writable = os.pipe()
    for end in (readable, writable):
        os.set_blocking(end, False)
    for number in _SIGNALS:
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(writable, warn_on_full_buffer=False)
    return readable


def _spawn(program: list[str]) -> int:
    nothing = (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)
    return os.posix_spawn(program[0], program, os.environ, file_actions=[nothing])


def _supervise(child: int, wake: int, grace: float) -> int:
    """Wait for the child, passing on the daemon's wishes; its exit code (128 + signal)."""
    inputs = [wake, 0]
    deadline: float | None = None
    while True:
        timeout = None if deadline is None else max(0.0, deadline - time.monotonic())
        ready, _, _ = select.select(inputs, [], [], timeout)
        if deadline is not None and time.monotonic() >= deadline:
            os.killpg(0, signal.SIGKILL)
        if 0 in ready:
            if not os.read(0, 1):
                inputs.remove(0)
            if deadline is None:
                deadline = time.monotonic() + grace
                os.killpg(0, signal.SIGTERM)
        if wake in ready:
            os.read(wake, 512)
        ended, code = os.waitpid(child, os.WNOHANG)
        if ended:
            exit_code = os.waitstatus_to_exitcode(code)
            return exit_code if exit_code >= 0 else 128 - exit_code


if __name__ == "__main__":
    main(sys.argv[1:])
