"""COPY: from the context, from an earlier stage, or uv from its image."""

import json
import os
import re
from pathlib import Path

from gpupipe.localcloud.services.cloudbuild.builder import stages
from gpupipe.localcloud.services.cloudbuild.builder.dockerfile import Instruction
from gpupipe.localcloud.services.cloudbuild.builder.ignore import Ignored, expression
from gpupipe.localcloud.services.cloudbuild.builder.job import Job
from gpupipe.localcloud.services.cloudbuild.builder.machine import Machine
from gpupipe.localcloud.services.cloudbuild.builder.state import StageState
from gpupipe.localcloud.services.cloudbuild.builder.tree import (
    Copier,
    TreeError,
    inside,
    resolved,
)
from gpupipe.localcloud.services.cloudbuild.builder.words import WordError, split

_FLAGS = frozenset({"from", "link"})


class Copying:
    """Carries out COPY; `context` is the unpacked source, less what .dockerignore names."""

    def __init__(self, context: Path, machine: Machine, job: Job) -> None:
        self._context = context
        self._ignored = Ignored.of(context)
        self._machine = machine
        self._job = job
        self._copier = Copier(machine.roots, job.check)

    def copy(
        self, instruction: Instruction, state: StageState, origin: StageState | None, image: str
    ) -> None:
        """One COPY; `origin` is the stage that --from names, `image` its expanded text."""
        flags, rest = instruction.flags()
        for name in flags.keys() - _FLAGS:
            raise instruction.refuse(f"the flag --{name} is not supported")
        try:
            *sources, target = self._words(instruction, rest, state)
            if origin is None and image:
                self._uv(sources, target, state, image)
            else:
                self._files(sources, target, state, origin)
        except (TreeError, WordError) as error:
            raise instruction.refuse(str(error)) from error

    def _words(self, instruction: Instruction, rest: str, state: StageState) -> list[str]:
        if rest.startswith("["):
            words = [split(f'"{word}"', state.variables)[0] for word in _array(rest)]
        else:
            words = split(rest, state.variables)
        if len(words) < 2:  # noqa: PLR2004  # a source and a destination
            raise WordError("COPY needs a source and a destination")
        if any(word.startswith("<<") for word in words):
            raise instruction.refuse("here-documents are not supported")
        return words

    def _uv(self, sources: list[str], target: str, state: StageState, image: str) -> None:
        version = stages.uv_version(image)
        if version is None:
            raise TreeError(
                f"{image!r} is neither an earlier stage nor the uv image (ghcr.io/astral-sh/uv)"
            )
        if sources != ["/uv"]:
            raise TreeError("only /uv can be copied from the uv image")
        place = inside(state.root, resolved(state.workdir, target))
        place = place / "uv" if target.endswith("/") else place
        place.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        place.symlink_to(self._machine.uv)
        if version != self._machine.uv_version:
            self._job.log(f"{image}: the local cloud uses its own uv {self._machine.uv_version}")

    def _files(
        self, sources: list[str], target: str, state: StageState, origin: StageState | None
    ) -> None:
        root = origin.root if origin else self._context
        found = [path for source in sources for path in self._found(source, root, origin)]
        place = inside(state.root, resolved(state.workdir, target))
        if len(found) > 1 and not target.endswith("/"):
            raise TreeError("with several sources the destination must end with /")
        into = target.endswith("/") or (place.is_dir() and not place.is_symlink())
        for path in found:
            is_folder = path.is_dir() and not path.is_symlink()
            end = place / path.name if into and not is_folder else place
            self._copier.copy(path, end, root, self._left_out if origin is None else _nothing)

    def _found(self, source: str, root: Path, origin: StageState | None) -> list[Path]:
        if ".." in Path(source).parts:
            raise TreeError(f"{source!r} leads out of the build context")
        pattern = resolved("/", source).strip("/")
        if not re.search(r"[*?\[]", pattern):
            path = inside(root, pattern)
            hidden = origin is None and pattern and self._left_out(path)
            if not os.path.lexists(path) or hidden:
                raise TreeError(f"{source} is not there")
            return [path]
        wanted = re.compile(expression(pattern))
        found = [
            path
            for path in sorted(root.glob("/".join("*" * (pattern.count("/") + 1))))
            if wanted.fullmatch(path.relative_to(root).as_posix())
            and not (origin is None and self._left_out(path))
        ]
        if not found:
            raise TreeError(f"{source} matches nothing")
        return found

    def _left_out(self, path: Path) -> bool:
        return path.relative_to(self._context).as_posix() in self._ignored


def _nothing(_: Path) -> bool:
    return False


def _array(text: str) -> list[str]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise WordError(f"the array cannot be read: {error}") from error
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise WordError("an array of strings is expected")
    return value
