"""One instance: a process with a port, a secret and a folder of its own, watched until its end."""

import contextlib
import secrets
import shutil
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from gpupipe.localcloud.runner.environment import Place, environment_of
from gpupipe.localcloud.runner.paths import ProgramNotFoundError, resolve, workdir
from gpupipe.localcloud.runner.ports import Ports
from gpupipe.localcloud.runner.process import Process
from gpupipe.localcloud.runner.readiness import wait_until_started
from gpupipe.localcloud.runner.revision import RunnableRevision

_TAIL_LINES = 20


class StartError(Exception):
    """An instance did not start; `tail` holds its last lines, `exited`: its program ended."""

    def __init__(self, reason: str, tail: tuple[str, ...] = (), *, exited: bool = True) -> None:
        super().__init__(reason)
        self.reason = reason
        self.tail = tail
        self.exited = exited


class Events(Protocol):
    """What a pool is told about an instance, from the instance's own threads."""

    def started(self, instance: "Instance") -> None:
        """The startup probe succeeded."""

    def ended(self, instance: "Instance", failure: StartError | None) -> None:
        """The process is gone; `failure` when it never started."""


class Instance(Protocol):
    """What a pool needs of an instance."""

    @property
    def address(self) -> str:
        """http://127.0.0.1:PORT."""

    @property
    def group(self) -> int | None:
        """The number of the process group of all that it runs; None where nothing runs."""

    def stop(self) -> None:
        """SIGTERM, then SIGKILL; returns at once."""


class Launch(Protocol):
    """Starts instances; `events` hears of each one's start and end exactly once."""

    def __call__(self, revision: RunnableRevision, events: Events) -> Instance:
        """Start one; returns before it is ready."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What the metadata server tells an instance about itself."""

    project: str
    project_number: int
    region: str
    account: str
    instance_id: str


class LogSink(Protocol):
    """Takes what instances write."""

    def __call__(
        self, revision: RunnableRevision, instance_id: str, stream: str, line: str
    ) -> None:
        """One line of "stdout", "stderr" or "system" (our own words about the instance)."""


class ProcessInstances:
    """Starts instances as processes and knows the living ones by their secrets."""

    def __init__(self, folder: Path, daemon_http: Callable[[], str], log: LogSink) -> None:
        self._folder = folder
        self._daemon_http = daemon_http
        self._log = log
        self._ports = Ports()
        self._living: dict[str, Identity] = {}
        self._running: set[ProcessInstance] = set()
        self._lock = threading.Lock()

    def __call__(self, revision: RunnableRevision, events: Events) -> Instance:
        """Start one instance of the revision."""
        instance_id = secrets.token_hex(32)
        place = self._place(instance_id)
        identity = Identity(
            revision.project,
            revision.project_number,
            revision.region,
            revision.account,
            instance_id,
        )
        instance = ProcessInstance(revision, instance_id, place, events, self._log, self._gone)
        with self._lock:
            self._living[place.secret] = identity
            self._running.add(instance)
        instance.start()
        return instance

    def identity(self, secret: str) -> Identity | None:
        """The living instance that holds this secret."""
        return self._living.get(secret)

    def wait_for_all(self, timeout_s: float) -> bool:
        """Wait until every instance has ended; False when some did not in time."""
        with self._lock:
            running = tuple(self._running)
        return all(instance.gone.wait(timeout_s) for instance in running)

    def _place(self, instance_id: str) -> Place:
        folder = self._folder / instance_id[:16]
        folder.mkdir(mode=0o700, parents=True)
        (folder / "tmp").mkdir(mode=0o700)
        return Place(self._ports.take(), secrets.token_hex(16), folder, self._daemon_http())

    def _gone(self, instance: "ProcessInstance") -> None:
        self._ports.give_back(instance.place.port)
        with self._lock:
            self._living.pop(instance.place.secret, None)
            self._running.discard(instance)


class ProcessInstance:
    """An instance as a process."""

    def __init__(
        self,
        revision: RunnableRevision,
        instance_id: str,
        place: Place,
        events: Events,
        log: LogSink,
        on_gone: Callable[["ProcessInstance"], None],
    ) -> None:
        self.place = place
        self.gone = threading.Event()
        self._revision = revision
        self._id = instance_id
        self._events = events
        self._log = log
        self._on_gone = on_gone
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self._ended = threading.Event()
        self._stopping = threading.Event()
        self._process: Process | None = None
        self._exit_code: int | None = None

    @property
    def address(self) -> str:
        """http://127.0.0.1:PORT."""
        return f"http://127.0.0.1:{self.place.port}"

    @property
    def group(self) -> int | None:
        """The number of the process group of all that it runs; None where nothing runs."""
        return None if self._process is None or self.gone.is_set() else self._process.pid

    def start(self) -> None:
        """Start the thread that starts the process and asks the startup probe."""
        threading.Thread(target=self._run, name=f"instance-{self._id[:8]}", daemon=True).start()

    def stop(self) -> None:
        """SIGTERM, then SIGKILL; returns at once."""
        self._stopping.set()
        if self._process is not None:
            self._process.terminate()

    def _run(self) -> None:
        failure = self._start()
        if failure is None:
            self._events.started(self)
        if self._process is not None:
            if failure is not None or self._stopping.is_set():
                self._process.terminate()
            self._ended.wait()
        self._say_end(failure)
        with contextlib.suppress(OSError):
            shutil.rmtree(self.place.folder)
        self._on_gone(self)
        self._events.ended(self, failure)
        self.gone.set()

    def _start(self) -> StartError | None:
        try:
            self._process = self._spawn()
        except (ProgramNotFoundError, OSError) as error:
            return StartError(f"Failed to start the container: {error}.")
        if self._stopping.is_set():
            # Asked for while there was no process yet.
            self._process.terminate()
        if wait_until_started(self._revision.probe, self.place.port, self._ended):
            return None
        exited = self._ended.is_set()
        if exited:
            reason = f"The container exited with code {self._exit_code} before it was ready."
        else:
            reason = "The startup probe did not succeed in time."
        return StartError(reason, tuple(self._tail), exited=exited)

    def _spawn(self) -> Process:
        program = self._revision.program
        variables = environment_of(self._revision, self.place)
        folder = workdir(program.root, program.workdir)
        command = resolve(program.root, program.command, variables["PATH"], folder)
        return Process(
            command,
            environment=variables,
            folder=folder,
            on_line=self._line,
            on_exit=self._exited,
        )

    def _line(self, stream: str, line: str) -> None:
        self._tail.append(line)
        self._log(self._revision, self._id, stream, line)

    def _exited(self, code: int | None) -> None:
        self._exit_code = code
        self._ended.set()

    def _say_end(self, failure: StartError | None) -> None:
        if failure is not None:
            self._log(self._revision, self._id, "system", failure.reason)
        elif not self._stopping.is_set():
            text = f"Container called exit({self._exit_code})."
            self._log(self._revision, self._id, "system", text)
