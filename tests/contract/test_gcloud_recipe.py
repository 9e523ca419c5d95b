"""The recipe's own test steps, as the page of the docs has them, with the real gcloud and gsutil."""

import json
import re
from pathlib import Path

import pytest
from tests.support import documents
from tests.support.gcloud import Gcloud, needs_gcloud, needs_gsutil
from tests.support.pipeline import QuickPipeline

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "test-with-gcloud.md"
SETTING = {
    "PROJECT_ID": "gpupipe-local", "REGION": "us-central1", "SERVICE_PREFIX": "ml-pipeline",
}  # fmt: skip


def commands(*headings: str) -> str:
    """What the page has one type below its title and these headings (or all), but gpupipe's own."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    found, heading = [], ""
    typed = {command.line: command.text for command in documents.commands(PAGE)}
    for number, line in enumerate(lines, start=1):
        if line.startswith("## "):
            heading = line.removeprefix("## ")
        elif number in typed and (not heading or not headings or heading in headings):
            found.append(typed[number])
    return "\n".join(text for text in found if "gpupipe " not in text)


@pytest.fixture
def gcloud(quick_pipeline: QuickPipeline, tmp_path: Path) -> Gcloud:
    # Whatever came before: the tests of the operator's roles end with a destroy.
    quick_pipeline.deployer.deploy(canary=False)
    return Gcloud(quick_pipeline.cloud, tmp_path)


def told(gcloud: Gcloud, script: str) -> str:
    """What the commands print, in a project of the test's; one that fails fails the test."""
    assert "gsutil cp" in script
    project = SETTING["PROJECT_ID"]
    assert project in script
    script = script.replace(project, "quick-project")
    done = gcloud.run(["sh", "-ec", f"export CLOUDSDK_CORE_PROJECT=quick-project\n{script}"])
    assert done.returncode == 0, done.stderr
    return done.stdout


@needs_gcloud
@needs_gsutil
@pytest.mark.promise(83)
@pytest.mark.promise(84)
@pytest.mark.promise(85)
def test_from_upload_to_result(gcloud: Gcloud) -> None:
    out = told(gcloud, commands("From upload to result"))
    result = json.loads(out[out.index("{") :])
    assert result["input"]["name"] == "test-input.txt"
    assert [item["label"] for item in result["items"]] == ["positive"]
    assert re.search(r"executions/\S+ +(SUCCEEDED|ACTIVE)", out)


@needs_gcloud
@needs_gsutil
@pytest.mark.long
@pytest.mark.promise(90)
@pytest.mark.promise(112)
@pytest.mark.promise(130)
def test_the_whole_page(gcloud: Gcloud) -> None:
    out = told(gcloud, commands())
    for expected in (
        "state: SUCCEEDED",
        "service_name: ml-pipeline-gpu-inference",
        "ml-pipeline-storage-trigger",
        "workflows/ml-pipeline-ml-pipeline ",
        "ml-pipeline-pre@quick-project.iam.gserviceaccount.com",
        "roles/eventarc.eventReceiver",
        "gs://ml-pipeline-input-quick-project/",
    ):
        assert expected in out, out
