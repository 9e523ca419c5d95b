"""Resolves the requirements files anew, with hashes and without any index or file address.

The inference image's runtime (onnxruntime, CUDA) is resolved with its other packages and written to a
file of its own: it is a layer of its own in the image.
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
    ("service_images/preprocess/requirements.in", "-o", "service_images/preprocess/requirements.txt"),
    ("service_images/postprocess/requirements.in", "-o", "service_images/postprocess/requirements.txt"),
    ("service_images/gpu_inference/requirements-cpu.in", "-o", "service_images/gpu_inference/requirements-cpu.txt"),
    ("service_images/gpu_inference/requirements-cuda.in", "-o", "service_images/gpu_inference/requirements-cuda.txt"),
)  # fmt: skip


SPLIT = tuple(
    ROOT / f"service_images/gpu_inference/requirements-{kind}.txt" for kind in ("cpu", "cuda")
)
RUNTIME = re.compile(r"(onnxruntime|nvidia-)")


def join(path: Path) -> None:
    """One file again, so that the resolver keeps the pins of both."""
    runtime = runtime_of(path)
    if runtime.exists():
        path.write_text(path.read_text() + runtime.read_text())


def split(path: Path) -> None:
    """The runtime's packages into their own file."""
    entries = re.split(r"(?m)^(?=[a-z0-9])", path.read_text())
    rest = [entry for entry in entries if not RUNTIME.match(entry)]
    runtime_of(path).write_text("".join(entry for entry in entries if RUNTIME.match(entry)))
    path.write_text("".join(rest))


def runtime_of(path: Path) -> Path:
    """The file beside."""
    return path.with_stem(f"{path.stem}-runtime")


def main() -> None:
    """Write every file; uv comes from the environment or from PATH."""
    uv = shutil.which("uv") or str(ROOT / ".venv" / "bin" / "uv")
    for path in SPLIT:
        join(path)
    for arguments in FILES:
        subprocess.run([uv, *COMPILE, *arguments], cwd=ROOT, check=True)
    for path in SPLIT:
        split(path)


if __name__ == "__main__":
    main()
