"""Bundles of your own: what is refused and why, by the program and by the service, and what is served."""

import io
import json
import pickle
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fastjsonschema
import onnxruntime
import pytest
from PIL import Image

from common.bundle import MAX_IR_VERSION, MAX_OPSET, read_folder, vocabulary_lines
from common.images import encode_picture
from common.manifest import BundleError, read_manifest
from common.settings import Environment
from gpu_inference.app import create_app, read_settings
from gpu_inference.loading import BAKED, Ready, load
from preprocess import app as preprocess
from tests.services.fakes import FixedClock, MemoryStore, TestClient, client_of, error_of, opener
from tests.support.bundles import (
    IMAGE_MANIFEST,
    TEXT_MANIFEST,
    TOKENS,
    image_files,
    image_graph,
    manifest_of,
    text_files,
    text_graph,
    tokenizer_json,
    write_bundle,
)
from tests.support.onnx_writer import FLOAT, INT64, node, number, tensor, value_info

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ROOT / "service_images"
SCHEMA = json.loads((ROOT / "docs/reference/schemas/bundle.v1.json").read_text())
VALID = fastjsonschema.compile(SCHEMA)


def check(*arguments: str) -> tuple[int, dict[str, Any]]:
    """As a program that needs nothing but Python."""
    done = subprocess.run(
        [sys.executable, "-S", "-m", "common.check_bundle", *arguments],
        cwd=SERVICES, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, json.loads(done.stdout)


@contextmanager
def served(folder: Path, store: MemoryStore | None = None) -> Iterator[TestClient]:
    """The service with the bundle of a folder, from a bucket."""
    store = store or MemoryStore()
    for path in folder.iterdir():
        store.put("models", f"models/x/1/{path.name}", path.read_bytes())
    variables = {"DEVICE": "cpu", "WORK_BUCKET": "work", "MODEL_URI": "gs://models/models/x/1"}
    settings = read_settings(Environment(variables))

    def ready() -> Ready:
        return load(settings.model, onnxruntime, opener(store), FixedClock())

    with client_of(create_app(settings, ready, FixedClock())) as client:
        yield client


def test_the_default_bundle_is_valid() -> None:
    VALID(json.loads((BAKED / "manifest.json").read_text()))
    code, answer = check(str(BAKED))
    assert (code, answer["valid"], answer["warnings"]) == (0, True, [])
    assert answer["total_bytes"] == sum(file["size"] for file in answer["files"])


def test_a_manifest_is_completed(tmp_path: Path) -> None:
    draft = {key: value for key, value in TEXT_MANIFEST.items() if key not in {"name", "version"}}
    folder = write_bundle(tmp_path, draft, text_files(), listed=False)
    assert "name" in check(str(folder), "--complete")[1]["reason"]
    code, answer = check(str(folder), "--complete", "--name", "mine", "--version", "2")
    assert (code, answer["name"], answer["version"]) == (0, "mine", "2")
    VALID(answer["manifest"])
    assert set(answer["manifest"]["files"]) == {"model.onnx", "tokenizer.json"}
    (folder / "manifest.json").write_text(json.dumps(answer["manifest"]))
    assert check(str(folder))[1]["files"] == answer["files"]


def changed(document: dict[str, Any], **values: Any) -> dict[str, Any]:
    return {key: value for key, value in {**document, **values}.items() if value is not ...}


TEXT = manifest_of(TEXT_MANIFEST, {"model.onnx": b"m", "tokenizer.json": b"t"})
PICTURE = manifest_of(IMAGE_MANIFEST, {"model.onnx": b"m"})
IMAGE = {"width": 8, "height": 8}


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (changed(TEXT, schema_version=2), "schema_version"),
        (changed(TEXT, schema_version=True), "schema_version"),
        (changed(TEXT, name="Not Good"), "name"),
        (changed(TEXT, name="a/b"), "name"),
        (changed(TEXT, version="../1"), "version"),
        (changed(TEXT, task="translation"), "task"),
        (changed(TEXT, labels=...), "labels"),
        (changed(TEXT, labels=["one"]), "labels"),
        (changed(TEXT, labels=["a", "a"]), "labels"),
        (changed(TEXT, labels=["a", 1]), "labels"),
        (changed(TEXT, graph="a/model.onnx"), "graph"),
        (changed(TEXT, graph="manifest.json"), "graph"),
        (changed(TEXT, output={"name": "x", "values": "scores"}), "output.values"),
        (changed(TEXT, output={"name": "", "values": "logits"}), "output.name"),
        (changed(TEXT, output={"name": "x", "values": "logits", "more": 1}), "output.more"),
        (changed(TEXT, max_tokens=2), "max_tokens"),
        (changed(TEXT, max_tokens=...), "max_tokens"),
        (changed(TEXT, tokenizer=...), "tokenizer"),
        (changed(TEXT, tokenizer={"type": "spm", "file": "x"}), "tokenizer.type"),
        (changed(TEXT, tokenizer={"type": "wordpiece", "vocab": "v.txt"}), "lowercase"),
        (changed(TEXT, image=IMAGE), "image"),
        (changed(TEXT, files={}), "files"),
        (changed(TEXT, files={**TEXT["files"], "model.onnx": {"size": 0}}), "model.onnx"),
        (changed(PICTURE, image=...), "image"),
        (changed(PICTURE, image={"width": 8}), "image.height"),
        (changed(PICTURE, image={**IMAGE, "width": 2000}), "image.width"),
        (changed(PICTURE, image={**IMAGE, "std": [0, 1, 1]}), "image.std"),
        (changed(PICTURE, image={**IMAGE, "scale": 0}), "image.scale"),
        (changed(PICTURE, image={**IMAGE, "mean": ["x", 1, 1]}), "image.mean"),
        (changed(PICTURE, image={**IMAGE, "resize": "fit"}), "image.resize"),
        (changed(PICTURE, image={**IMAGE, "colour": "rgb"}), "image.colour"),
        (changed(PICTURE, max_tokens=3), "max_tokens"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_schema_and_program_refuse_the_same_manifests(
    document: dict[str, Any], reason: str
) -> None:
    with pytest.raises(fastjsonschema.JsonSchemaException):
        VALID(document)
    with pytest.raises(BundleError, match=reason):
        read_manifest(document)


@pytest.mark.parametrize(
    "document",
    [
        TEXT,
        PICTURE,
        changed(TEXT, output=...),
        changed(TEXT, provenance={"any": [1]}),
        changed(PICTURE, image={**IMAGE, "resize": "crop", "resize_to": 10, "color": "bgr"}),
        changed(PICTURE, image={**IMAGE, "color": "gray", "mean": [0.5], "layout": "nhwc"}),
    ],
)
def test_schema_and_program_take_the_same_manifests(document: dict[str, Any]) -> None:
    VALID(document)
    read_manifest(document)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"mean": [0.5]}, "list of 3"),
        ({"color": "gray", "std": [1, 1, 1]}, "list of 1"),
        ({"resize": "crop", "resize_to": 4}, "resize_to"),
    ],
)
def test_what_a_schema_cannot_say_is_refused_too(values: dict[str, Any], reason: str) -> None:
    with pytest.raises(BundleError, match=reason):
        read_manifest(changed(PICTURE, image={**IMAGE, **values}))


def torch_checkpoint() -> bytes:
    return b"PK\x03\x04" + b"\0" * 30 + b"archive/data.pkl"


def outside() -> bytes:
    return text_graph([tensor("far", FLOAT, (1,), b"", number(14, 1))])


CUSTOM = node("Evil", ["s"], ["unused"], domain="my.ops")
TYPES = [value_info(11, name, INT64, ("b", "t")) for name in ("input_ids", "types")]
FIXED = [value_info(11, name, INT64, (1, "t")) for name in ("input_ids", "attention_mask")]
WRONG = [value_info(11, name, FLOAT, ("b", "t")) for name in ("input_ids", "attention_mask")]


@pytest.mark.parametrize(
    ("graph", "reason"),
    [
        (lambda: pickle.dumps({"weights": [1]}), "is a pickle"),
        (torch_checkpoint, "checkpoint of PyTorch"),
        (lambda: (7).to_bytes(8, "little") + b'{"a":0}', "safetensors"),
        (lambda: b"\x89HDF\r\n\x1a\n", "Keras"),
        (lambda: b"version https://git-lfs.github.com/spec/v1\n", "pointer of Git LFS"),
        (lambda: b"\x1c\0\0\0TFL3", "TensorFlow Lite"),
        (lambda: b"no model at all", "not an ONNX file"),
        (lambda: text_graph(opset=MAX_OPSET + 1), "operators of version 27; .* takes up to 26"),
        (lambda: text_graph(ir_version=MAX_IR_VERSION + 1), "a file format of version 14"),
        (lambda: number(1, 8), "holds no graph"),
        (outside, "outside the file"),
        (lambda: text_graph([CUSTOM], domains=["my.ops"]), r"custom operators: my\.ops\.Evil"),
        (lambda: text_graph(inputs=TYPES), "takes input_ids, types"),
        (lambda: text_graph(inputs=FIXED), r"both free, not int64 \[1, free\]"),
        (lambda: text_graph(inputs=WRONG), "must be int64"),
        (lambda: text_graph(output=("b", 3)), r"\[batch, 2\], one column for each label"),
        (lambda: text_graph(output=("b", "t", 2)), "one column for each label"),
    ],
)
def test_a_bad_graph_is_refused_before_the_push_and_by_the_service(
    tmp_path: Path, graph: Callable[[], bytes], reason: str
) -> None:
    folder = write_bundle(tmp_path, TEXT_MANIFEST, text_files(graph()))
    with pytest.raises(BundleError, match=reason) as caught:
        read_folder(folder)
    code, answer = check(str(folder))
    assert (code, answer) == (1, {"valid": False, "reason": caught.value.reason})
    with served(folder) as client:
        response = client.get("/ready")
        assert response.status_code == 503
        assert caught.value.reason in error_of(response)["message"]


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ((1, 3, 8, 8), "free batch"),
        (("b", 8, 8, 3), r"\[batch, 3, 8, 8\]"),
        (("b", 3, 8), "float32"),
    ],
)
def test_a_picture_graph_of_another_shape_is_refused(
    tmp_path: Path, shape: tuple[int | str, ...], reason: str
) -> None:
    folder = write_bundle(tmp_path, IMAGE_MANIFEST, image_files(image_graph(shape)))
    with pytest.raises(BundleError, match=reason):
        read_folder(folder)


def test_a_file_that_was_changed_or_lost_is_refused(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path, TEXT_MANIFEST, text_files())
    data = bytearray((folder / "tokenizer.json").read_bytes())
    data[-2] ^= 1
    (folder / "tokenizer.json").write_bytes(data)
    assert "sha256" in check(str(folder))[1]["reason"]
    (folder / "tokenizer.json").write_bytes(data[:-1])
    assert "another file" in check(str(folder))[1]["reason"]
    with served(folder) as client:
        assert "tokenizer.json" in error_of(client.get("/ready"))["message"]
    (folder / "tokenizer.json").unlink()
    assert "cannot read tokenizer.json" in check(str(folder))[1]["reason"]


def test_a_tokenizer_that_is_none_is_refused(tmp_path: Path) -> None:
    files = {**text_files(), "tokenizer.json": b"[]"}
    folder = write_bundle(tmp_path, TEXT_MANIFEST, files)
    assert "tokenizers library" in check(str(folder))[1]["reason"]
    files["tokenizer.json"] = b'{"model": {"type": "Unheard"}}'
    folder = write_bundle(tmp_path, TEXT_MANIFEST, files)
    with served(folder) as client:
        assert "cannot be loaded" in error_of(client.get("/ready"))["message"]


def test_a_graph_that_onnxruntime_cannot_load_is_refused_by_the_service(tmp_path: Path) -> None:
    graph = text_graph([node("NoSuchOperator", ["s"], ["t"])])
    folder = write_bundle(tmp_path, TEXT_MANIFEST, text_files(graph))
    assert check(str(folder))[0] == 0
    with served(folder) as client:
        assert "cannot load the graph" in error_of(client.get("/ready"))["message"]


def test_the_newest_versions_that_are_let_in_are_served(tmp_path: Path) -> None:
    graph = text_graph(opset=MAX_OPSET, ir_version=MAX_IR_VERSION)
    with served(write_bundle(tmp_path, TEXT_MANIFEST, text_files(graph))) as client:
        assert client.get("/ready").status_code == 200


@pytest.mark.parametrize("kind", ["wordpiece", "tokenizer.json"])
def test_a_vocabulary_that_is_larger_than_the_graphs_is_refused(tmp_path: Path, kind: str) -> None:
    more = [*TOKENS, "better"]  # the graph knows six
    files = {"model.onnx": text_graph(), "tokenizer.json": tokenizer_json(more)}
    document = TEXT_MANIFEST
    if kind == "wordpiece":
        del files["tokenizer.json"]
        files["vocab.txt"] = "\n".join(more).encode()
        document = {
            **document,
            "tokenizer": {"type": "wordpiece", "vocab": "vocab.txt", "lowercase": True},
        }
    with served(write_bundle(tmp_path, document, files)) as client:
        reason = error_of(client.get("/ready"))["message"]
    assert "of the vocabulary's last entry" in reason


def test_a_vocabulary_without_an_end_is_refused() -> None:
    lines = b"[UNK]\n[CLS]\n[SEP]\n"
    assert vocabulary_lines(lines.replace(b"\n", b"\r\n")) == ["[UNK]", "[CLS]", "[SEP]"]
    with pytest.raises(BundleError, match="1000001 entries"):
        vocabulary_lines(lines + b"x\n" * 999_998)


def test_pickles_beside_a_bundle_are_told(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path, TEXT_MANIFEST, text_files())
    (folder / "optimizer.pt").write_bytes(b"x")
    assert "optimizer.pt" in check(str(folder))[1]["warnings"][0]


def test_a_text_model_with_a_tokenizer_json_and_logits_is_served(tmp_path: Path) -> None:
    with served(write_bundle(tmp_path, TEXT_MANIFEST, text_files())) as client:
        texts = ["Good", "bad bad", "[CLS] [SEP]", "good " * 100]
        answer = client.post("/predict", json={"instances": texts}).json()
        labels = [one["label"] for one in answer["predictions"]]
        assert labels == ["yes", "no", "yes", "yes"]
        scores = answer["predictions"][0]["scores"]
        assert scores["yes"] == pytest.approx(0.999665, abs=1e-6)  # softmax of (4, -4)
        # Markers that a text spells are words like others, here unknown ones: neither yes nor no.
        assert answer["predictions"][2]["scores"]["yes"] == pytest.approx(0.5)
        # 14 ids beside the markers: its own truncation to 4 is off, the 128 of padding too.
        assert answer["predictions"][3]["windows"] == 8
        assert answer["model"]["name"] == "tiny"


def test_an_item_for_which_the_model_has_no_number_fails_alone(tmp_path: Path) -> None:
    graph = text_graph(values=(0, 0, 0, 0, float("nan"), -4))
    with served(write_bundle(tmp_path, TEXT_MANIFEST, text_files(graph))) as client:
        answer = client.post("/predict", json={"instances": ["bad", "good", "bad"]})
        first, second, third = answer.json()["predictions"]
        assert first["label"] == third["label"] == "no"
        assert second["error"]["code"] == "no_scores"
        alone = client.post("/predict", json={"text": "good"})
        assert (alone.status_code, error_of(alone)["class"]) == (422, "system")


def test_a_wordpiece_model_may_be_cased(tmp_path: Path) -> None:
    document = changed(
        TEXT_MANIFEST, tokenizer={"type": "wordpiece", "vocab": "v.txt", "lowercase": False}
    )
    words = b"[PAD]\n[UNK]\n[CLS]\n[SEP]\nGood\nbad"
    files = {"model.onnx": text_graph(), "v.txt": words}
    with served(write_bundle(tmp_path, document, files)) as client:
        answer = client.post("/predict", json={"instances": ["Good", "good"]}).json()
    first, second = answer["predictions"]
    assert first["scores"]["yes"] > 0.99
    assert second["scores"]["yes"] == pytest.approx(0.5)


def test_token_type_ids_are_given_to_a_graph_that_wants_them(tmp_path: Path) -> None:
    types = [
        value_info(11, name, INT64, ("b", "t"))
        for name in ("input_ids", "attention_mask", "token_type_ids")
    ]
    files = text_files(text_graph(inputs=types))
    with served(write_bundle(tmp_path, TEXT_MANIFEST, files)) as client:
        assert client.post("/predict", json={"text": "bad"}).json()["label"] == "no"


def picture(color: str, size: tuple[int, int] = (20, 30)) -> dict[str, Any]:
    return {"image": {"b64": b64encode(encode_picture(Image.new("RGB", size, color))).decode()}}


def test_a_picture_model_is_served(tmp_path: Path) -> None:
    out = io.BytesIO()
    Image.new("L", (5000, 10), 255).save(out, "JPEG")
    jpeg = {"image": {"b64": b64encode(out.getvalue()).decode()}}
    with served(write_bundle(tmp_path, IMAGE_MANIFEST, image_files())) as client:
        body = {"instances": [picture("white"), picture("black"), jpeg]}
        answer = client.post("/predict", json=body).json()
        assert [one["label"] for one in answer["predictions"]] == ["bright", "dark", "bright"]
        response = client.post("/predict", json={"instances": ["a text"]})
        assert (response.status_code, error_of(response)["code"]) == (415, "not_the_models_kind")
        for bad, status in ({"b64": "??"}, 400), ({"b64": b64encode(b"x").decode()}, 422):
            response = client.post("/predict", json={"instances": [{"image": bad}]})
            assert response.status_code == status


@pytest.mark.promise("D5")
@pytest.mark.parametrize(("color", "label"), [("white", "bright"), ("black", "dark")])
def test_a_picture_goes_from_its_file_to_a_label(tmp_path: Path, color: str, label: str) -> None:
    store, out = MemoryStore(), io.BytesIO()
    Image.new("RGB", (50, 20), color).save(out, "JPEG")
    generation = store.put("in", "a.jpg", out.getvalue())
    body = {"input": {"bucket": "in", "name": "a.jpg", "generation": generation}}
    limits = preprocess.read_settings(Environment({"WORK_BUCKET": "work"}))
    with client_of(preprocess.create_app(limits, opener(store), FixedClock())) as client:
        prepared = client.post("/preprocess", json={**body, "execution_id": "e"}).json()
    folder = write_bundle(tmp_path, IMAGE_MANIFEST, image_files())
    request = {**body, "execution_id": "e", "chunk": prepared["chunks"][0]}
    with served(folder, store) as client:
        scored = client.post("/process", json=request).json()
    assert json.loads(store.data("work", scored["scores"]["name"]))["label"] == label


def test_a_text_model_refuses_pictures_clearly(tmp_path: Path) -> None:
    with served(write_bundle(tmp_path, TEXT_MANIFEST, text_files())) as client:
        response = client.post("/predict", json={"instances": [picture("white")]})
        assert response.status_code == 415
        assert "tiny 1.0 takes texts only" in error_of(response)["message"]


def test_a_dynamically_quantized_model_is_scored_one_by_one(tmp_path: Path) -> None:
    extra = node("DynamicQuantizeLinear", ["s"], ["q", "qs", "qz"])
    folder = write_bundle(tmp_path, TEXT_MANIFEST, text_files(text_graph([extra])))
    assert "dynamic quantisation" in check(str(folder))[1]["warnings"][0]
    bundle = read_folder(folder)
    assert bundle.depends_on_batch
    assert not read_folder(BAKED).depends_on_batch


def test_the_tokenizer_of_the_tests_is_one() -> None:
    assert json.loads(tokenizer_json())["truncation"]["max_length"] == 4
