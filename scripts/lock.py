"""Resolves the requirements files anew, with hashes and without any index or file address.

An image's packages are resolved together and written to several files, each installed by a step of its own: those
of all services (`service_images/common`), the inference image's runtime (onnxruntime, CUDA), the rest.
"""

import re
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COMPILE = ("pip", "compile", "--quiet", "--generate-hashes", "--universal", "--no-header",
           "--python-version", "3.11", "--no-emit-index-url", "--no-annotate",
           "--overrides", "requirements/overrides.in")  # fmt: skip
FILES: tuple[tuple[str, ...], ...] = (
    ("pyproject.toml", "-o", "requirements/run.txt"),
    ("pyproject.toml", "--group", "dev", "-c", "requirements/run.txt", "-o", "requirements/dev.txt"),
    ("requirements/build.in", "-c", "requirements/dev.txt", "-o", "requirements/build.txt"),
    ("requirements/docs.in", "-o", "requirements/docs.txt"),
    ("requirements/bootstrap.in", "-c", "requirements/run.txt", "-o", "requirements/bootstrap.txt"),
    ("service_images/common/requirements.in", "-c", "requirements/run.txt",
     "-o", "service_images/common/requirements.txt"),
    *((f"service_images/{name}.in", "-c", "service_images/common/requirements.txt", "-o", f"service_images/{name}.txt")
      for name in ("preprocess/requirements", "gpu_inference/requirements-cpu", "gpu_inference/requirements-cuda")),
)  # fmt: skip


INFERENCE = tuple(
    ROOT / f"service_images/gpu_inference/requirements-{kind}.txt" for kind in ("cpu", "cuda")
)
COMMON = ROOT / "service_images/common/requirements.txt"
RUNTIME = re.compile(r"(onnxruntime|nvidia-)")


def join(path: Path) -> None:
    """One file again, so that the resolver keeps the pins of both."""
    runtime = runtime_of(path)
    if runtime.exists():
        path.write_text(path.read_text() + runtime.read_text())


def split(path: Path) -> None:
    """The runtime's packages into their own file; the common ones are in theirs."""
    entries = entries_of(path)
    runtime_of(path).write_text("".join(entry for entry in entries if RUNTIME.match(entry)))
    path.write_text("".join(entry for entry in entries if not RUNTIME.match(entry)))
    without_common(path)


def without_common(path: Path) -> None:
    """Leaves what the file of all services does not have."""
    common = entries_of(COMMON)
    path.write_text("".join(entry for entry in entries_of(path) if entry not in common))


def entries_of(path: Path) -> list[str]:
    """The packages with their hashes."""
    return re.split(r"(?m)^(?=[a-z0-9])", path.read_text())[1:]


def runtime_of(path: Path) -> Path:
    """The file beside."""
    return path.with_stem(f"{path.stem}-runtime")


def main() -> None:
    """Write every file; uv comes from the environment or from PATH."""
    uv = shutil.which("uv") or str(ROOT / ".venv" / "bin" / "uv")
    for path in INFERENCE:
        join(path)
    for arguments in FILES:
        subprocess.run([uv, *COMPILE, *arguments], cwd=ROOT, check=True)
    for path in INFERENCE:
        split(path)
    without_common(ROOT / "service_images/preprocess/requirements.txt")


if __name__ == "__main__":
    main()
