"""Services and a workflow of the user's own are built, deployed, and found unchanged again."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from google.cloud import run_v2, workflows_v1
from tests.support.crashes import TinyImage, tiny_deployer
from tests.support.localcloud import RunningCloud, start_cloud
from tests.support.pipeline import Deployer, FastClock

from gpupipe.core.assets import pipeline_source
from gpupipe.core.errors import UsageError
from gpupipe.deploy.steps import STEPS
from gpupipe.deploy.steps.images import Image

PROJECT = "own-sources"
# As the others are built in no time: those whose source is the user's are built as they are.
STEPS_OF_IMAGES = tuple(
    TinyImage(step.service) if isinstance(step, Image) and step.service != "preprocess" else step
    for step in STEPS
)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    running = start_cloud(tmp_path_factory.mktemp("own") / "cloud", clock=FastClock())
    yield running
    running.stop()


def deployer(cloud: RunningCloud, folder: Path, text: str) -> Deployer:
    (folder / "gpupipe.toml").write_text(text, encoding="utf-8")
    file = folder / "gpupipe.toml"
    return replace(tiny_deployer(cloud, PROJECT, file=file), steps=STEPS_OF_IMAGES)


def image(cloud: RunningCloud, one: Deployer, service: str) -> str:
    client = cloud.client(run_v2.ServicesClient)
    return str(client.get_service(name=one.spec.service_name(service)).template.containers[0].image)


@pytest.mark.promise(140)
def test_own_source_image_and_workflow_are_deployed(cloud: RunningCloud, tmp_path: Path) -> None:
    service = tmp_path / "mine"
    service.mkdir()
    tiny = {file.path.rpartition("/")[2]: file.data for file in TinyImage("preprocess")._files()}
    for name, data in tiny.items():
        (service / name).write_bytes(data)
    (service / ".secret").write_text("not uploaded")
    workflow = tmp_path / "mine.yaml"
    workflow.write_text(pipeline_source() + "\n# mine\n", encoding="utf-8")
    text = '[preprocess]\nsource = "mine"\n[workflow]\nsource = "mine.yaml"\n'
    one = deployer(cloud, tmp_path, text)
    done = one.deploy(canary=False)
    assert not done.outcome.failed, done.outcome
    assert one.engine().plan().writes == ()
    found = cloud.client(workflows_v1.WorkflowsClient).get_workflow(name=one.spec.workflow_name)
    assert found.source_contents.endswith("# mine\n")

    (service / ".secret").write_text("changed")
    assert one.engine().plan().writes == ()
    (service / "server.py").write_bytes(tiny["server.py"] + b"# changed\n")
    assert [action.step for action in one.engine().plan().writes] == [
        "image:preprocess",
        "service:preprocess",
    ]

    given = image(cloud, one, "postprocess")
    two = deployer(cloud, tmp_path, f'{text}[gpu_inference]\nimage = "{given}"\n')
    (service / "server.py").write_bytes(tiny["server.py"])
    assert [action.step for action in two.engine().plan().writes] == ["service:gpu-inference"]
    assert not two.deploy(canary=False).outcome.failed
    assert image(cloud, two, "gpu-inference") == given
    assert two.engine().plan().writes == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[preprocess]\nsource = "nowhere"', "There is no such folder"),
        ('[postprocess]\nsource = "empty"', "neither a Dockerfile nor postprocess/Dockerfile"),
        ('[workflow]\nsource = "nowhere.yaml"', "No such file"),
        ('[workflow]\nsource = "broken.yaml"', "1:"),
        ('[workflow]\nsource = "empty"', "directory"),
        ('[workflow]\nsource = "long.yaml"', "more than 131072 bytes"),
    ],
)
def test_what_cannot_be_deployed_is_refused_before_any_request(
    cloud: RunningCloud, tmp_path: Path, text: str, words: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.yaml").write_text("main: [")
    (tmp_path / "long.yaml").write_text("#" * 131_073)
    before = cloud.cloud.pipeline.log.latest()
    with pytest.raises(UsageError, match="cannot be deployed") as caught:
        deployer(cloud, tmp_path, text).engine().plan()
    assert words in (caught.value.details or "")
    assert cloud.cloud.pipeline.log.since(before) == ()
