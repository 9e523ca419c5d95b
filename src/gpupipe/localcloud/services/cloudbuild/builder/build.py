"""Builds a Dockerfile: stage after stage, instruction after instruction, into a folder."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from gpupipe.localcloud.kernel.registry_images import ImageConfig
from gpupipe.localcloud.services.cloudbuild.builder import stages
from gpupipe.localcloud.services.cloudbuild.builder.copying import Copying
from gpupipe.localcloud.services.cloudbuild.builder.dockerfile import Instruction, parse
from gpupipe.localcloud.services.cloudbuild.builder.job import BuildError, Job
from gpupipe.localcloud.services.cloudbuild.builder.machine import Machine
from gpupipe.localcloud.services.cloudbuild.builder.run import Runner
from gpupipe.localcloud.services.cloudbuild.builder.stages import Plan, Stage
from gpupipe.localcloud.services.cloudbuild.builder.state import StageState
from gpupipe.localcloud.services.cloudbuild.builder.tree import TreeError, inside, resolved
from gpupipe.localcloud.services.cloudbuild.builder.words import WordError, one, pairs

# The only argument that the builder overrides: there is no CUDA behind the local cloud.
_ACCELERATOR, _CPU = "ACCELERATOR", "cpu"
_HIGHEST_PORT = 65_535


@dataclass(frozen=True, slots=True)
class Order:
    """What to build: folders (context, work), the Dockerfile's path in the context, arguments."""

    context: Path
    work: Path
    dockerfile: str
    arguments: Mapping[str, str]
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Built:
    """The image's folder, inside the work folder, and its configuration."""

    folder: Path
    config: ImageConfig


def build(order: Order, machine: Machine, job: Job) -> Built:
    """Build the last stage and what it needs; BuildError, BuildEndedError."""
    return _Build(order, machine, job).build()


class _Build:
    def __init__(self, order: Order, machine: Machine, job: Job) -> None:
        self._order = order
        self._machine = machine
        self._job = job
        self._arguments = dict(order.arguments)
        self._used: set[str] = set()
        self._states: dict[int, StageState] = {}
        self._plan: Plan
        scratch = order.work / "scratch"
        scratch.mkdir(mode=0o700, parents=True)
        self._copying = Copying(order.context, machine, job)
        self._runner = Runner(machine, scratch, job)
        self._simple: dict[str, Callable[[Instruction, StageState], None]] = {
            "ARG": self._arg,
            "CMD": _cmd,
            "ENTRYPOINT": _entrypoint,
            "ENV": _env,
            "EXPOSE": _expose,
            "LABEL": _label,
            "RUN": self._runner.run,
            "STOPSIGNAL": _stop_signal,
            "USER": _user,
            "WORKDIR": _workdir,
        }

    def build(self) -> Built:
        instructions = parse(self._text())
        self._override(instructions)
        self._plan = stages.plan(instructions, self._arguments)
        chosen = [stage for stage in self._plan.stages if stage.index in self._plan.needed]
        total = sum(1 + len(stage.instructions) for stage in chosen)
        number = 0
        for stage in chosen:
            state = self._begin(stage, number := number + 1, total)
            for instruction in stage.instructions:
                self._job.check()
                self._job.log(f"Step {(number := number + 1)}/{total} : {instruction}")
                self._carry_out(instruction, stage, state)
        for name in sorted(self._arguments.keys() - self._used - self._plan.arguments.keys()):
            self._job.log(f"The build argument {name} is not used by the Dockerfile.")
        final = self._states[self._plan.stages[-1].index]
        final.labels |= self._order.labels
        return Built(final.root, final.config())

    def _text(self) -> str:
        try:
            path = inside(self._order.context, self._order.dockerfile)
            return path.read_text("utf-8")
        except (OSError, UnicodeDecodeError, TreeError) as error:
            raise BuildError(
                f"The Dockerfile {self._order.dockerfile} cannot be read from the source."
            ) from error

    def _override(self, instructions: tuple[Instruction, ...]) -> None:
        declared = any(
            one.keyword == "ARG" and one.text.partition("=")[0].strip() == _ACCELERATOR
            for one in instructions
        )
        if declared:
            self._arguments[_ACCELERATOR] = _CPU
            self._job.log(
                f"ARG {_ACCELERATOR}: the local cloud has no CUDA and builds with "
                f"{_ACCELERATOR}={_CPU}."
            )

    def _begin(self, stage: Stage, number: int, total: int) -> StageState:
        self._job.log(f"Step {number}/{total} : {stage.origin}")
        root = self._order.work / f"stage-{stage.index}"
        if stage.base is None:
            root.mkdir(mode=0o755)
            state = StageState(root)
            self._report_python(stage.image)
        else:
            base = self._states[stage.base]
            shutil.copytree(base.root, root, symlinks=True)
            state = base.child(root)
        self._states[stage.index] = state
        return state

    def _report_python(self, image: str) -> None:
        own, wanted = self._machine.python_version, stages.python_version(image)
        self._job.log(f"FROM {image}: the local cloud uses this machine's Python {own}.")
        if wanted and not own.startswith(f"{wanted}."):
            self._job.log(f"That is another version than the image's Python {wanted}.")

    def _carry_out(self, instruction: Instruction, stage: Stage, state: StageState) -> None:
        try:
            if instruction.keyword == "COPY":
                self._copy(instruction, stage, state)
            else:
                self._simple[instruction.keyword](instruction, state)
        except (WordError, TreeError) as error:
            raise instruction.refuse(str(error)) from error
        except OSError as error:
            raise instruction.refuse(f"{error.strerror}: {error.filename}") from error

    def _copy(self, instruction: Instruction, stage: Stage, state: StageState) -> None:
        source = instruction.flags()[0].get("from", "")
        image = one(source, state.variables) if source else ""
        found = self._plan.find(image, stage.index) if image else None
        origin = None if found is None else self._states[found]
        self._copying.copy(instruction, state, origin, image)

    def _arg(self, instruction: Instruction, state: StageState) -> None:
        declared = stages.defaults(
            instruction, state.variables, self._arguments, self._plan.arguments
        )
        state.arguments |= declared
        self._used |= declared.keys()


def _env(instruction: Instruction, state: StageState) -> None:
    state.env |= pairs(instruction.text, state.variables)


def _label(instruction: Instruction, state: StageState) -> None:
    state.labels |= pairs(instruction.text, state.variables)


def _workdir(instruction: Instruction, state: StageState) -> None:
    state.workdir = resolved(state.workdir, one(instruction.text, state.variables))
    inside(state.root, state.workdir).mkdir(mode=0o755, parents=True, exist_ok=True)


def _user(instruction: Instruction, state: StageState) -> None:
    state.user = one(instruction.text, state.variables)


def _stop_signal(instruction: Instruction, state: StageState) -> None:
    # Cloud Run sends SIGTERM whatever the image says; another signal would not be what runs.
    if one(instruction.text, state.variables) not in {"SIGTERM", "15"}:
        raise WordError("only SIGTERM is supported")


def _expose(instruction: Instruction, state: StageState) -> None:
    port, _, protocol = one(instruction.text, state.variables).partition("/")
    if not port.isdecimal() or not 0 < int(port) <= _HIGHEST_PORT or protocol not in {"", "tcp"}:
        raise WordError("one TCP port is expected")
    state.port = int(port)


def _cmd(instruction: Instruction, state: StageState) -> None:
    state.cmd, state.cmd_is_own = instruction.exec_form(), True


def _entrypoint(instruction: Instruction, state: StageState) -> None:
    state.entrypoint = instruction.exec_form()
    if not state.cmd_is_own:
        state.cmd = ()  # an ENTRYPOINT does away with the CMD of the image below
