"""The Dockerfiles keep to the subset that is built without Docker, and to what they promise."""

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2] / "service_images"
DOCKERFILES = sorted(ROOT.glob("*/Dockerfile"))
PLAIN = {"ARG", "FROM", "ENV", "LABEL", "WORKDIR", "EXPOSE", "USER", "STOPSIGNAL", "COPY"}
EXEC = {"RUN", "CMD", "ENTRYPOINT"}


def instructions(path: Path) -> list[tuple[str, str]]:
    lines = path.read_text("utf-8").splitlines()
    pairs = [line.partition(" ") for line in lines if line and not line.startswith("#")]
    return [(word, rest) for word, _, rest in pairs]


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.parent.name)
def test_dockerfile_is_in_the_subset(path: Path) -> None:
    for word, rest in instructions(path):
        assert word in PLAIN | EXEC
        if word in EXEC:
            assert isinstance(json.loads(rest), list)
        if word == "RUN":
            assert json.loads(rest)[0] == "uv"


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.parent.name)
def test_image_runs_its_package_as_nobody_with_hashed_packages(path: Path) -> None:
    found = instructions(path)
    assert ("USER", "10001") in found
    assert found[-1] == ("CMD", json.dumps(["/app/.venv/bin/python", "-m", path.parent.name]))
    assert any("--require-hashes" in rest for word, rest in found if word == "RUN")
    sources = [rest.split()[-2] for word, rest in found if word == "COPY" and "--from" not in rest]
    for source in sources:
        for accelerator in ("cuda", "cpu"):
            assert (ROOT / source.replace("${ACCELERATOR}", accelerator)).exists()


@pytest.mark.parametrize(("kind", "other"), [("cuda", "onnxruntime="), ("cpu", "onnxruntime-gpu=")])
def test_an_image_never_holds_both_runtimes(kind: str, other: str) -> None:
    text = (ROOT / "gpu_inference" / f"requirements-{kind}.txt").read_text("utf-8")
    assert not any(line.startswith(other) for line in text.splitlines())
    assert "aiohttp" not in text


def test_cuda_runtime_is_the_last_one_for_cuda_12() -> None:
    text = (ROOT / "gpu_inference" / "requirements-cuda.txt").read_text("utf-8")
    assert "onnxruntime-gpu==1.26.0 " in text
    assert "-cu12==" in text
    assert "-cu13==" not in text
