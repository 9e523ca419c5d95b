"""Layers: what a RUN made is used again where nothing that it depends on has changed, and only then."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gpupipe.localcloud.services.cloudbuild.builder.build import Order, build
from gpupipe.localcloud.services.cloudbuild.builder.job import BuildEndedError, BuildError, Job
from gpupipe.localcloud.services.cloudbuild.builder.layers import KEPT, Layers
from gpupipe.localcloud.services.cloudbuild.builder.machine import this_machine

# Each run of it makes another file, so that two runs are told from one.
MAKE = "import uuid\nopen('made', 'w').write(str(uuid.uuid4()))\n"
DOCKERFILE = (
    'FROM python:3.11-slim\nWORKDIR /app\nCOPY make.py make.py\nRUN ["python", "make.py"]\n'
)


class Builds:
    """Builds one after another, each in folders of its own, over one folder of layers."""

    def __init__(self, folder: Path) -> None:
        self.layers = folder / "layers"
        self._folder = folder
        self._number = 0
        self.log: list[str] = []

    def image(self, dockerfile: str = DOCKERFILE, make: str = MAKE, **variables: str) -> Path:
        """The image's folder."""
        self._number += 1
        context, work = (self._folder / f"{kind}-{self._number}" for kind in ("context", "work"))
        context.mkdir()
        (context / "Dockerfile").write_text(dockerfile)
        (context / "make.py").write_text(make)
        order = Order(context, work, "Dockerfile", variables, {})
        machine = this_machine({"HOME": str(self._folder)}, self.layers)
        return build(order, machine, Job(self.log.append, lambda: False)).folder

    def made(self, dockerfile: str = DOCKERFILE, make: str = MAKE, **variables: str) -> str:
        """What the RUN wrote."""
        return (self.image(dockerfile, make, **variables) / "app/made").read_text()


@pytest.fixture
def builds(tmp_path: Path) -> Builds:
    return Builds(tmp_path)


def test_the_same_run_is_carried_out_once(builds: Builds) -> None:
    first = builds.made()
    assert " ---> Using cache" not in builds.log
    assert builds.made() == first
    assert " ---> Using cache" in builds.log


@pytest.mark.parametrize(
    "changed",
    [
        {"make": MAKE + "# changed\n"},
        {"dockerfile": DOCKERFILE.replace('"make.py"]', '"make.py", "again"]')},
        {"dockerfile": DOCKERFILE.replace("RUN", "ENV A=b\nRUN")},
        {"dockerfile": DOCKERFILE.replace("RUN", "WORKDIR /app/deeper\nWORKDIR /app\nRUN")},
    ],
    ids=["file", "command", "variable", "folder"],
)
def test_a_run_is_carried_out_again_when_what_it_depends_on_changed(
    builds: Builds, changed: dict[str, str]
) -> None:
    assert builds.made() != builds.made(**changed)


def test_a_build_argument_is_a_variable_of_the_run(builds: Builds) -> None:
    dockerfile = DOCKERFILE.replace("RUN", "ARG KIND=a\nRUN")
    first = builds.made(dockerfile)
    assert builds.made(dockerfile, KIND="a") == first
    assert builds.made(dockerfile, KIND="b") != first


def test_what_an_image_does_to_its_files_reaches_no_other_image(builds: Builds) -> None:
    builds.made()
    image = builds.image()
    first = (image / "app/made").read_text()
    with (image / "app/made").open("r+") as file:
        file.write("spoilt")
    assert builds.made() == first


def test_a_layer_that_was_changed_is_not_used(builds: Builds) -> None:
    first = builds.made()
    (layer,) = builds.layers.glob("*/*/app/made")
    layer.write_text("spoilt")
    second = builds.made()
    assert second not in {first, "spoilt"}
    assert builds.made() == second


def test_a_run_that_fails_leaves_no_layer(builds: Builds) -> None:
    for _ in range(2):
        with pytest.raises(BuildError, match="ended with code 3"):
            builds.image(make=f"{MAKE}raise SystemExit(3)\n")
    assert not [path for path in builds.layers.iterdir() if path.is_dir()]


def test_builds_at_once_wait_for_the_one_that_makes_the_layer(builds: Builds) -> None:
    others = [Builds(builds.layers.parent / name) for name in "abc"]
    for other in others:
        other.layers.parent.mkdir()
        other.layers = builds.layers
    with ThreadPoolExecutor() as pool:
        assert len(set(pool.map(Builds.made, others))) == 1


def test_a_build_that_is_told_to_end_waits_no_longer(tmp_path: Path) -> None:
    layers, ended = Layers(tmp_path), Job(lambda _: None, lambda: True)
    with (
        layers.only_maker("one", Job(lambda _: None, lambda: False)),
        pytest.raises(BuildEndedError),
        layers.only_maker("one", ended),
    ):
        pass


def test_the_layers_that_were_not_used_for_longest_go(tmp_path: Path) -> None:
    layers, root = Layers(tmp_path / "layers"), tmp_path / "root"
    root.mkdir()
    job = Job(lambda _: None, lambda: False)
    for number in range(KEPT + 1):
        with layers.only_maker(f"{number}", job):
            layers.keep(f"{number}", root)
        assert layers.restore("0", root)
    assert layers.restore("0", root)
    assert not layers.restore("1", root)
    assert layers.restore("2", root)
