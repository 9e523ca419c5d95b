"""The Dockerfiles keep to the subset that is built without Docker, and to what they promise."""

import json
import re
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


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.parent.name)
@pytest.mark.promise("D13")
def test_dockerfile_keeps_the_rules(path: Path) -> None:
    found = instructions(path)
    words = [word for word, _ in found]
    bases = [rest.split()[0] for word, rest in found if word == "FROM"]
    # One base for all stages, by its full tag, with a place for its digest.
    assert len(set(bases)) == 1
    assert re.fullmatch(r"python:\d+\.\d+\.\d+-slim-bookworm\$\{PYTHON_DIGEST\}", bases[0])
    assert found[0][0] == "ARG"
    assert re.fullmatch(r"PYTHON_DIGEST=(@sha256:[0-9a-f]{64})?", found[0][1])
    (uv,) = [rest for word, rest in found if word == "COPY" and "uv:" in rest]
    assert re.match(r"--from=ghcr\.io/astral-sh/uv:\d+\.\d+\.\d+(@sha256:[0-9a-f]{64})? ", uv)
    # Nothing of the builder but what was installed; no package manager, nobody's home, no secrets.
    last = found[len(words) - 1 - words[::-1].index("FROM") :]
    assert [word for word, _ in last].count("RUN") == 0
    assert words.count("CMD") == words.count("USER") == 1
    assert words.index("USER") > max(at for at, word in enumerate(words) if word == "COPY")
    assert not re.search(r"(?i)secret|token|password|apt-get|curl|latest", path.read_text("utf-8"))
    assert all(rest.startswith("/") for word, rest in found if word == "WORKDIR")
    assert [word for word in words if word == "ENV"] == ["ENV"] * sum(
        rest.count("=") == 1 for word, rest in found if word == "ENV"
    )
    # What changes seldom comes first: what is installed, then the model, then the code.
    copied = [rest.split()[-1] for word, rest in last if word == "COPY"]
    order = ["/app/runtime", "/app/.venv", "gpu_inference/bundle/", "common/"]
    assert [name for name in copied if name in order] == [name for name in order if name in copied]
    assert copied[-1] == f"{path.parent.name}/"


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.parent.name)
def test_every_package_is_installed_from_pins_with_hashes(path: Path) -> None:
    installs = [json.loads(rest) for word, rest in instructions(path) if word == "RUN"]
    for command in installs[1:]:
        assert command[:3] == ["uv", "pip", "install"]
        assert {"--require-hashes", "--no-deps"} <= set(command)
    assert installs[0] == ["uv", "venv", "/app/.venv"]


@pytest.mark.parametrize(("kind", "other"), [("cuda", "onnxruntime="), ("cpu", "onnxruntime-gpu=")])
def test_an_image_never_holds_both_runtimes(kind: str, other: str) -> None:
    text = requirements(kind) + requirements(f"{kind}-runtime")
    assert not any(line.startswith(other) for line in text.splitlines())
    assert "aiohttp" not in text
    assert "huggingface" not in text


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.parent.name)
def test_the_packages_of_all_services_are_installed_once_from_one_file(path: Path) -> None:
    files = [rest.split()[0] for word, rest in instructions(path) if "requirements" in rest]
    assert "common/requirements.txt" in files
    common = pins(ROOT / "common/requirements.txt")
    for own in path.parent.glob("requirements*.txt"):
        assert not common & pins(own)


def test_a_local_build_finds_the_packages_of_all_services_where_gpupipe_is_installed() -> None:
    """Versions as in gpupipe's own environment, so uv's cache has them and no index is asked."""
    ours = pins(ROOT.parent / "requirements/run.txt")
    assert pins(ROOT / "common/requirements.txt") <= ours


def pins(path: Path) -> set[str]:
    return set(re.findall(r"(?m)^[a-z0-9][^ ;]*==[^ ;]+", path.read_text("utf-8")))


def requirements(kind: str) -> str:
    return (ROOT / "gpu_inference" / f"requirements-{kind}.txt").read_text("utf-8")


@pytest.mark.promise(66)
def test_cuda_runtime_is_the_last_one_for_cuda_12_and_a_layer_of_its_own() -> None:
    text = requirements("cuda-runtime")
    assert "onnxruntime-gpu==1.26.0 " in text
    assert "-cu12==" in text
    assert "-cu13==" not in text
    assert "nvidia" not in requirements("cuda")
    assert ("ARG", "ACCELERATOR=cuda") in instructions(ROOT / "gpu_inference" / "Dockerfile")


def test_the_uv_of_the_images_is_the_one_that_is_tested() -> None:
    pinned = re.search(r"(?m)^uv==(\S+)", (ROOT.parent / "requirements" / "dev.txt").read_text())
    assert pinned is not None
    for path in DOCKERFILES:
        assert f"astral-sh/uv:{pinned[1]}" in path.read_text("utf-8")
