"""Resolves the requirements files anew, with hashes and without any index or file address."""

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
    ("requirements/bootstrap.in", "-c", "requirements/run.txt", "-o", "requirements/bootstrap.txt"),
    ("service_images/preprocess/requirements.in", "-o", "service_images/preprocess/requirements.txt"),
    ("service_images/postprocess/requirements.in", "-o", "service_images/postprocess/requirements.txt"),
    ("service_images/gpu_inference/requirements-cpu.in", "-o", "service_images/gpu_inference/requirements-cpu.txt"),
    ("service_images/gpu_inference/requirements-cuda.in", "-o", "service_images/gpu_inference/requirements-cuda.txt"),
)  # fmt: skip


def main() -> None:
    """Write every file; uv comes from the environment or from PATH."""
    uv = shutil.which("uv") or str(ROOT / ".venv" / "bin" / "uv")
    for arguments in FILES:
        subprocess.run([uv, *COMPILE, *arguments], cwd=ROOT, check=True)


if __name__ == "__main__":
    main()
