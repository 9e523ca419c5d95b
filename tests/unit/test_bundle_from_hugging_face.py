"""A folder as Hugging Face models come in becomes a bundle; what cannot become one is told."""

import json
from pathlib import Path
from typing import Any

import onnxruntime
import pytest
from scripts.bundle_from_hugging_face import NotConvertedError, convert, main
from tests.support.bundles import TOKENS, image_graph, text_graph, tokenizer_json

TEXT = {
    "model_type": "bert",
    "id2label": {"1": "no", "0": "yes"},
    "max_position_embeddings": 128,
    "pad_token_id": 0,
}
IMAGE = {"id2label": {"0": "bright", "1": "dark"}}
PROCESSOR = {
    "do_resize": True,
    "size": {"height": 8, "width": 8},
    "resample": 3,
    "image_mean": [0.5, 0.4, 0.3],
    "image_std": [0.1, 0.2, 0.3],
    "rescale_factor": 0.00392156862745098,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "model"
    found.mkdir()
    return found


def put(folder: Path, **files: Any) -> None:
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content))


def made(folder: Path) -> dict[str, Any]:
    found = convert(folder, folder.parent / "bundle", "mine", "1")
    written: dict[str, Any] = json.loads((folder.parent / "bundle/manifest.json").read_text())
    assert written == found.manifest
    return written


def test_a_text_model_with_a_tokenizers_file(folder: Path) -> None:
    put(folder, config=TEXT, tokenizer_config={"model_max_length": 10**30})
    (folder / "onnx").mkdir()
    (folder / "onnx/model.onnx").write_bytes(text_graph())
    (folder / "tokenizer.json").write_bytes(tokenizer_json())
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04 never read")
    found = made(folder)
    assert found["labels"] == ["yes", "no"]
    assert found["max_tokens"] == 128
    assert found["tokenizer"] == {"type": "tokenizer.json", "file": "tokenizer.json", "pad_id": 0}
    bundle = folder.parent / "bundle"
    assert {one.name for one in bundle.iterdir()} == {"manifest.json", *found["files"]}
    # It is a graph that runs, not only one that is well formed.
    session = onnxruntime.InferenceSession((bundle / "model.onnx").read_bytes())
    assert [one.name for one in session.get_outputs()] == [found["output"]["name"]]


@pytest.mark.parametrize(
    ("change", "settings", "expected"),
    [
        ({}, {}, 128),
        ({}, {"model_max_length": 64}, 64),
        ({"model_type": "roberta", "max_position_embeddings": 514, "pad_token_id": 1}, {}, 512),
        ({"max_position_embeddings": 32768}, {}, 8192),
        ({"max_position_embeddings": None}, {}, 512),
    ],
)
def test_the_longest_text_is_what_model_and_tokenizer_take(
    folder: Path, change: dict[str, Any], settings: dict[str, Any], expected: int
) -> None:
    put(folder, config=TEXT | change, tokenizer_config=settings)
    (folder / "model.onnx").write_bytes(text_graph())
    (folder / "vocab.txt").write_text("\n".join(TOKENS))
    found = made(folder)
    assert found["max_tokens"] == expected
    assert found["tokenizer"] == {"type": "wordpiece", "vocab": "vocab.txt", "lowercase": True}


def test_an_image_model(folder: Path) -> None:
    put(folder, config=IMAGE, preprocessor_config=PROCESSOR)
    (folder / "model.onnx").write_bytes(image_graph())
    found = made(folder)
    assert found["task"] == "image-classification"
    assert found["image"] == {
        "width": 8, "height": 8, "resize": "stretch", "interpolation": "bicubic",
        "scale": 0.00392156862745098, "mean": [0.5, 0.4, 0.3], "std": [0.1, 0.2, 0.3],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"size": 8}, (8, 8, "stretch", None)),
        ({"size": {"shortest_edge": 9}, "do_center_crop": True, "crop_size": 8}, (8, 8, "crop", 9)),
        ({"size": {"shortest_edge": 8}, "crop_pct": 0.875}, (8, 8, "crop", 9)),
        ({"size": {"shortest_edge": 8}}, "keep their proportions"),
        ({"size": {"longest_edge": 8}}, "not one that is known here"),
        ({"resample": 1}, "no bundle says the interpolation"),
        ({"do_resize": False}, "does not resize"),
    ],
)
def test_how_pictures_are_made_to_fit(
    folder: Path, settings: dict[str, Any], expected: Any
) -> None:
    put(folder, config=IMAGE, preprocessor_config=PROCESSOR | settings)
    (folder / "model.onnx").write_bytes(image_graph())
    if isinstance(expected, str):
        with pytest.raises(NotConvertedError, match=expected):
            made(folder)
        assert not (folder.parent / "bundle").exists()
        return
    image = made(folder)["image"]
    assert (image["width"], image["height"], image["resize"], image.get("resize_to")) == expected


def test_what_is_missing_or_refused_is_told_and_nothing_is_left(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = folder.parent / "bundle"
    arguments = [str(folder), str(bundle), "--name", "mine", "--version", "1"]
    said = []
    for step in (
        lambda: None,
        lambda: put(folder, config={}),
        lambda: put(folder, config=TEXT),
        lambda: (folder / "model.onnx").write_bytes(text_graph(output=("batch", 3))),
        lambda: (folder / "tokenizer.json").write_bytes(tokenizer_json()),
    ):
        step()
        assert main(arguments) == 1
        assert not bundle.exists()
        said.append(capsys.readouterr().err)
    for words, text in zip(
        ("no config.json", "--labels", "export the model", "tokenizer.json", "for each label"),
        said,
        strict=True,
    ):
        assert words in text
    (folder / "model.onnx").write_bytes(text_graph())
    assert main([*arguments, "--labels", "a,b"]) == 0
    assert "gpupipe model push" in capsys.readouterr().out
    assert main(arguments) == 1, "a folder that is there is not written over"
    assert bundle.exists()
