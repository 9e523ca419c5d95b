"""Models in the models bucket, through the real client: pushed once, listed, chosen, required."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.bundles import (
    IMAGE_MANIFEST,
    TEXT_MANIFEST,
    image_files,
    text_files,
    write_bundle,
)
from tests.support.clock import FakeClock
from tests.support.localcloud import RunningCloud
from tests.support.pipeline import Deployer

from gpupipe.cloud.cloud import Cloud
from gpupipe.core.errors import GpupipeError, UsageError
from gpupipe.deploy.bundles import Bundle, read_bundle
from gpupipe.deploy.models import chosen, models, push, require_model, takes_images
from gpupipe.deploy.spec import PipelineSpec

PROJECT = "models-project"


@pytest.fixture(scope="module")
def deployer(module_cloud: RunningCloud) -> Deployer:
    module_cloud.kernel.projects.ensure(PROJECT)
    module_cloud.enable("storage.googleapis.com", project=PROJECT)
    return Deployer(module_cloud, FakeClock(), PROJECT)  # type: ignore[arg-type]


@pytest.fixture
def cloud(deployer: Deployer) -> Iterator[Cloud]:
    """With an empty models bucket."""
    cloud, spec = deployer.connect(), deployer.spec
    cloud.storage.create(spec.bucket("models"))
    yield cloud
    bucket = spec.names.bucket("models")
    for one in list(cloud.storage.each_object(bucket)):
        cloud.storage.remove(bucket, one.name)
    cloud.storage.delete(bucket)


@pytest.fixture
def spec(deployer: Deployer) -> PipelineSpec:
    return deployer.spec


def bundle(folder: Path, version: str = "1", text: bool = True, name: str = "tiny") -> Bundle:
    document = TEXT_MANIFEST if text else IMAGE_MANIFEST
    files = text_files() if text else image_files()
    where = write_bundle(folder / f"{name}-{version}", document, files, listed=False)
    return read_bundle(where, name, version)


def configured(spec: PipelineSpec, model: str | None) -> PipelineSpec:
    options = spec.config.options.model_copy(update={"model": model})
    return replace(spec, config=replace(spec.config, options=options))


@pytest.mark.promise(139)
def test_a_push_writes_every_file_and_the_manifest_last(
    cloud: Cloud, spec: PipelineSpec, module_cloud: RunningCloud, tmp_path: Path
) -> None:
    before = max(row["seq"] for row in module_cloud.requests())
    assert push(cloud, spec, bundle(tmp_path)) is True
    bucket = spec.names.bucket("models")
    names = [one.name for one in cloud.storage.each_object(bucket)]
    assert names == [
        f"models/tiny/1/{name}" for name in ("manifest.json", "model.onnx", "tokenizer.json")
    ]
    writes = [row for row in module_cloud.requests(before) if row["writes"]]
    manifest = cloud.storage.stat(bucket, "models/tiny/1/manifest.json")
    assert manifest is not None
    others = [cloud.storage.stat(bucket, name) for name in names[1:]]
    assert all(one and one.generation < manifest.generation for one in others)
    assert len(writes) == 3
    assert push(cloud, spec, bundle(tmp_path)) is False


def test_another_model_under_a_version_is_refused_and_nothing_changes(
    cloud: Cloud, spec: PipelineSpec, tmp_path: Path
) -> None:
    push(cloud, spec, bundle(tmp_path))
    other = bundle(tmp_path / "other", text=False)
    with pytest.raises(UsageError, match="tiny@1 is another model already"):
        push(cloud, spec, other)
    assert models(cloud, spec)[0].task == "text-classification"


def test_a_push_that_was_cut_off_goes_on_and_is_no_model_before(
    cloud: Cloud, spec: PipelineSpec, tmp_path: Path
) -> None:
    ours, bucket = bundle(tmp_path), spec.names.bucket("models")
    push(cloud, spec, ours)
    for name in ("manifest.json", "tokenizer.json"):
        cloud.storage.remove(bucket, f"models/tiny/1/{name}")
    assert models(cloud, spec) == []
    with pytest.raises(UsageError, match="is another model already"):
        push(cloud, spec, bundle(tmp_path / "other", text=False))
    assert push(cloud, spec, ours) is True
    assert [str(one) for one in models(cloud, spec)] == ["tiny@1"]


def test_models_are_listed_by_name_the_newest_first_and_chosen(
    cloud: Cloud, spec: PipelineSpec, tmp_path: Path
) -> None:
    for version in ("2", "10"):
        push(cloud, spec, bundle(tmp_path, version))
    push(cloud, spec, bundle(tmp_path, text=False, name="bright"))
    bucket = spec.names.bucket("models")
    cloud.storage.upload(bucket, "models/odd/1/manifest.json", b"[]", content_type="text/plain")
    found = models(cloud, spec)
    assert [str(one) for one in found] == ["bright@1", "odd@1", "tiny@10", "tiny@2"]
    assert [one.task for one in found[:2]] == ["image-classification", "unreadable"]
    assert str(chosen(cloud, spec, "tiny")) == "tiny@10"
    assert str(chosen(cloud, spec, "tiny@2")) == "tiny@2"
    assert chosen(cloud, spec, "default") is None
    for wrong in ("tiny@3", "none", "tin", "Tiny", "tiny@", "../x"):
        with pytest.raises(UsageError) as caught:
            chosen(cloud, spec, wrong)
        assert "tiny@10" in str(caught.value.details)


def test_a_configured_model_must_be_there(cloud: Cloud, spec: PipelineSpec, tmp_path: Path) -> None:
    push(cloud, spec, bundle(tmp_path, text=False))
    require_model(cloud, configured(spec, None))
    require_model(cloud, configured(spec, "tiny@1"))
    assert takes_images(cloud, configured(spec, "tiny@1"))
    assert not takes_images(cloud, spec)
    with pytest.raises(GpupipeError, match="tiny@2 of the configuration is not in the models"):
        require_model(cloud, configured(spec, "tiny@2"))
    uri = f"gs://{spec.names.bucket('models')}/models/tiny/1"
    service = configured(spec, "tiny@1").service("gpu-inference", "image", 1)
    assert service.environment["MODEL_URI"] == uri
    written = cloud.storage.read(spec.names.bucket("models"), "models/tiny/1/manifest.json")
    assert json.loads(written or b"")["name"] == "tiny"


@pytest.mark.promise(39, 139, "D19")
def test_the_service_is_told_where_its_model_lies(spec: PipelineSpec) -> None:
    def told(model: str | None) -> str:
        return configured(spec, model).service("gpu-inference", "", 1).environment["MODEL_URI"]

    assert told("mine@7") == f"gs://{spec.names.bucket('models')}/models/mine/7"
    assert told(None) == ""
