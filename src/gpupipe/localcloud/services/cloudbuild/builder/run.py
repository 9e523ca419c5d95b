"""RUN: uv, and python with a file of the context; as processes of this user, without a shell."""

from collections.abc import Callable, Sequence
from pathlib import Path

from gpupipe.localcloud.runner import paths
from gpupipe.localcloud.runner.process import Process
from gpupipe.localcloud.services.cloudbuild.builder.dockerfile import Instruction
from gpupipe.localcloud.services.cloudbuild.builder.job import Job
from gpupipe.localcloud.services.cloudbuild.builder.layers import Layers, key
from gpupipe.localcloud.services.cloudbuild.builder.machine import Machine
from gpupipe.localcloud.services.cloudbuild.builder.state import StageState
from gpupipe.localcloud.services.cloudbuild.builder.tree import TreeError, inside, resolved
from gpupipe.localcloud.services.cloudbuild.builder.uv_command import UvError, command

_POLL_S = 0.05
_GRACE_S = 2.0
_PINNED = "--require-hashes"
_PATHS = ("UV_", "VIRTUAL_ENV", "PYTHONPATH")


class Runner:
    """Runs the commands of one build; `scratch` is its own folder for HOME and TMPDIR."""

    def __init__(self, machine: Machine, scratch: Path, job: Job) -> None:
        self._machine = machine
        self._scratch = scratch
        self._job = job

    def run(self, instruction: Instruction, stage: StageState) -> None:
        """One RUN; BuildError when it is not one of the two forms or does not end with 0."""
        flags, _ = instruction.flags()
        if flags:
            raise instruction.refuse(f"the flag --{next(iter(flags))} is not supported")
        words = instruction.exec_form()
        program = self._program(instruction, words, stage)
        try:
            name = key(self._machine, stage, words)
        except ValueError as error:
            raise instruction.refuse(str(error)) from error
        layers = Layers(self._machine.layers)
        with layers.only_maker(name, self._job):
            if layers.restore(name, stage.root):
                self._job.log(" ---> Using cache")
                return
            self._carry_out(instruction, program, stage)
            layers.keep(name, stage.root)

    def _carry_out(self, instruction: Instruction, program: list[str], stage: StageState) -> None:
        folder, environment = paths.workdir(stage.root, stage.workdir), self._environment(stage)
        if _PINNED in program and self._from_cache(program, environment, folder):
            return
        code = self._wait(program, environment, folder, self._job.log)
        if code != 0:
            raise instruction.refuse(f"the command ended with code {code}")

    def _from_cache(self, program: list[str], environment: dict[str, str], folder: Path) -> bool:
        """What is pinned and in uv's cache needs no index; asking it costs megabytes each time."""
        lines: list[str] = []
        offline = environment | {"UV_OFFLINE": "1"}
        if self._wait(program, offline, folder, lines.append) != 0:
            return False
        for line in lines:
            self._job.log(line)
        return True

    def _program(
        self, instruction: Instruction, words: Sequence[str], stage: StageState
    ) -> list[str]:
        name = words[0].rpartition("/")[2]
        try:
            if name == "uv":
                self._check_uv(words[0], stage)
                return command(tuple(words[1:]), stage, self._machine)
            if name in {"python", "python3"} and len(words) > 1:
                return self._python(words, stage)
        except (UvError, TreeError, paths.ProgramNotFoundError) as error:
            raise instruction.refuse(str(error)) from error
        raise instruction.refuse(
            "the local cloud runs only uv, and python with a file of the build context"
        )

    def _check_uv(self, word: str, stage: StageState) -> None:
        folders = stage.env.get("PATH", "").split(":")
        places = [word] if "/" in word else [f"{folder}/uv" for folder in folders]
        if not any((stage.root / place.lstrip("/")).exists() for place in places):
            raise UvError("uv is not in this stage: COPY --from=ghcr.io/astral-sh/uv brings it")

    def _python(self, words: Sequence[str], stage: StageState) -> list[str]:
        file = words[1]
        place = inside(stage.root, resolved(stage.workdir, file))
        if file.startswith("-") or not place.is_file():
            raise UvError(f"{file} is not a file of the image: only python FILE is run")
        path = paths.search_path(stage.root, stage.env.get("PATH", ""))
        folder = paths.workdir(stage.root, stage.workdir)
        if words[0] in {"/usr/local/bin/python", "/usr/local/bin/python3"}:
            words = [words[0].rpartition("/")[2], *words[1:]]
        return paths.resolve(stage.root, (words[0], str(place), *words[2:]), path, folder)

    def _environment(self, stage: StageState) -> dict[str, str]:
        own = {
            name: paths.mapped_list(stage.root, value) if name.startswith(_PATHS) else value
            for name, value in stage.variables.items()
        }
        machine = self._machine
        return {
            "UV_LINK_MODE": "copy",
            **own,
            **machine.passed,
            "UV_CACHE_DIR": str(machine.cache),
            "UV_PYTHON_DOWNLOADS": "never",
            "UV_NO_PROGRESS": "1",
            "NO_COLOR": "1",
            "XDG_CONFIG_HOME": str(machine.config),
            "HOME": str(self._scratch),
            "TMPDIR": str(self._scratch),
            "PATH": paths.search_path(stage.root, stage.env.get("PATH", "")),
        }

    def _wait(
        self,
        program: list[str],
        environment: dict[str, str],
        folder: Path,
        log: Callable[[str], None],
    ) -> int | None:
        process = Process(
            program,
            environment=environment,
            folder=folder,
            on_line=lambda _, line: log(line),
            on_exit=lambda _: None,
            grace_s=_GRACE_S,
        )
        try:
            while not process.exited.wait(_POLL_S):
                self._job.check()
        finally:
            process.kill()
            process.exited.wait()
        return process.exit_code
