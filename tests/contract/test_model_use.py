"""A model that does not work in the service gets no traffic: the one before goes on serving."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.bundles import TEXT_MANIFEST, text_files, write_bundle
from tests.support.pipeline import Deployer, QuickPipeline

from gpupipe.deploy.bundles import read_bundle
from gpupipe.deploy.models import last_load_s, models, push

# Its form is right; that its logits are no probabilities shows when it is asked.
WRONG = TEXT_MANIFEST | {"name": "wrong", "output": {"name": "logits", "values": "probabilities"}}


@pytest.fixture
def pipeline(quick_pipeline: QuickPipeline, tmp_path: Path) -> Iterator[Deployer]:
    quick_pipeline.deployer.deploy(canary=False)
    file = tmp_path / "gpupipe.toml"
    file.touch()
    yield replace(quick_pipeline.operator, file=file)
    assert not quick_pipeline.deployer.deploy(canary=False).outcome.failed


def use(pipeline: Deployer, model: str) -> bool:
    """Whether a deploy with this model went well."""
    assert pipeline.file is not None
    pipeline.file.write_text(f'model = "{model}"\n')
    return not pipeline.deploy().outcome.failed


@pytest.mark.promise("D19")
@pytest.mark.long
@pytest.mark.promise(139)
def test_a_model_that_answers_wrongly_is_not_served_and_the_one_before_is(
    pipeline: Deployer, tmp_path: Path
) -> None:
    cloud, spec = pipeline.connect(), pipeline.spec
    for document in (TEXT_MANIFEST, WRONG):
        folder = write_bundle(tmp_path / str(document["name"]), document, text_files())
        push(cloud, spec, read_bundle(folder))
    assert use(pipeline, "tiny@1.0")
    (tiny, _) = models(cloud, spec)
    load_s = last_load_s(cloud, spec, tiny)
    assert load_s is not None
    assert load_s >= 0

    assert not use(pipeline, "wrong@1.0")
    output = spec.names.bucket("output")
    sent = cloud.storage.upload(
        spec.names.bucket("input"), "after.txt", b"good", content_type="text/plain"
    )
    place = f"results/after.txt.{sent.generation}.json"
    while (written := cloud.storage.read(output, place)) is None:
        pipeline.clock.sleep(5)
    model = json.loads(written)["model"]
    assert (model["name"], model["version"]) == ("tiny", "1.0")
