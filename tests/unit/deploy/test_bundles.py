"""A bundle is checked before it is pushed, by the program that the service uses."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.bundles import (
    IMAGE_MANIFEST,
    TEXT_MANIFEST,
    image_files,
    image_graph,
    text_files,
    text_graph,
    write_bundle,
)
from tests.support.onnx_writer import FLOAT, node, number, tensor

from gpupipe.core.assets import service_images
from gpupipe.core.errors import Exit, UsageError
from gpupipe.deploy import bundles
from gpupipe.deploy.bundles import read_bundle, start_s


def refusal(folder: Path, **given: str) -> str:
    with pytest.raises(UsageError) as caught:
        read_bundle(folder, **given)
    assert caught.value.exit is Exit.USAGE
    assert caught.value.doc == "reference/bundle.md"
    return str(caught.value.details)


def test_the_default_bundle_can_be_served() -> None:
    found = read_bundle(service_images() / "gpu_inference" / "bundle")
    assert found.task == "text-classification"
    assert found.labels == ("negative", "neutral", "positive")
    assert found.sizes["model.onnx"] == 23_112_958
    assert 10 < found.start_s < 15


def test_what_a_manifest_leaves_out_is_filled_in(tmp_path: Path) -> None:
    draft = {key: value for key, value in IMAGE_MANIFEST.items() if key not in {"name", "version"}}
    folder = write_bundle(tmp_path / "b", draft, image_files(), listed=False)
    before = (folder / "manifest.json").read_bytes()
    assert refusal(folder).startswith("name must match")
    found = read_bundle(folder, "mine", "2")
    assert (found.name, found.version, found.task) == ("mine", "2", "image-classification")
    assert found.manifest["files"]["model.onnx"]["sha256"] == found.digests["model.onnx"]
    assert (folder / "manifest.json").read_bytes() == before


EXTERNAL = tensor("far", FLOAT, (1,), b"", number(14, 1))


@pytest.mark.parametrize(
    ("graph", "manifest", "reason"),
    [
        (text_graph([EXTERNAL]), {}, "data outside the file"),
        (text_graph([node("Mine", ["logits"], ["x"], domain="my.own")], domains=["my.own"]), {},
         "custom operators: my.own.Mine"),
        (text_graph(output=("batch", 3)), {}, "one column for each label"),
        (text_graph(), {"labels": ["one", "two", "three"]}, "one column for each label"),
        (text_graph(), {"labels": []}, "labels"),
        (b"\x80\x04\x95pickled", {}, "pickle"),
        (b"not a graph at all", {}, "not an ONNX file"),
    ],
)  # fmt: skip
def test_what_is_refused(
    tmp_path: Path, graph: bytes, manifest: dict[str, Any], reason: str
) -> None:
    folder = write_bundle(tmp_path, {**TEXT_MANIFEST, **manifest}, text_files(graph))
    assert reason in refusal(folder)


def test_a_file_that_is_not_the_listed_one_is_refused(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path, TEXT_MANIFEST, text_files())
    document = json.loads((folder / "manifest.json").read_text())
    document["files"]["model.onnx"]["sha256"] = "0" * 64
    (folder / "manifest.json").write_text(json.dumps(document))
    assert "sha256" in refusal(folder)
    (folder / "model.onnx").unlink()
    assert "cannot read model.onnx" in refusal(folder)


def test_wrong_input_sizes_of_pictures_are_refused(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path, IMAGE_MANIFEST, image_files(image_graph(("batch", 3, 9, 9))))
    assert "float32" in refusal(folder)


def test_where_there_is_no_folder_or_no_manifest_it_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no folder"):
        read_bundle(tmp_path / "none")
    assert "manifest.json" in refusal(tmp_path)


def test_one_that_takes_longer_than_the_probe_gives_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_bundle(tmp_path, IMAGE_MANIFEST, image_files())
    size = read_bundle(folder).total_bytes
    monkeypatch.setattr(bundles, "ASSUMED_BYTES_PER_S", size / 200)
    assert "the startup probe gives 120 s" in refusal(folder)


def test_the_estimate_grows_with_the_size() -> None:
    assert start_s(0) == 10
    assert start_s(100_000_000) == pytest.approx(15.2, abs=0.1)
    assert start_s(2_000_000_000) < 120 < start_s(2**31)
