"""Bundles, sessions, and the real model: what may be served and on what."""

import json
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import onnxruntime
import pytest

from common.bundle import Bundle, checked_bundle, read_folder
from common.manifest import BundleError, parse_manifest
from common.onnx_file import read_graph
from common.settings import Environment
from gpu_inference.app import create_app, read_settings
from gpu_inference.cpus import usable_cpus
from gpu_inference.fetch import read_uri
from gpu_inference.gpu import gpu_name
from gpu_inference.loading import BAKED, ModelSettings, load
from gpu_inference.session import DeviceError, open_session
from tests.services.fakes import FixedClock, MemoryStore, TestClient, client_of, opener

MANIFEST = (BAKED / "manifest.json").read_bytes()
FILES = {name: (BAKED / name).read_bytes() for name in ("model.onnx", "vocab.txt")}


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return read_folder(BAKED)


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    settings = read_settings(Environment({"DEVICE": "cpu", "WORK_BUCKET": "work"}))

    def ready() -> Any:
        return load(settings.model, onnxruntime, opener(MemoryStore()), FixedClock())

    with client_of(create_app(settings, ready, FixedClock())) as client:
        yield client


@pytest.mark.promise("S79")
@pytest.mark.promise("D2")
def test_default_model_knows_good_from_bad(client: TestClient) -> None:
    texts = ["This is wonderful, I love it!", "Terrible. I hate this broken thing."]
    answer = client.post("/predict", json={"instances": texts}).json()
    assert [one["label"] for one in answer["predictions"]] == ["positive", "negative"]
    for one in answer["predictions"]:
        assert one["score"] > 0.9
        assert sum(one["scores"].values()) == pytest.approx(1, abs=2e-6)
        assert all(value == round(value, 6) for value in one["scores"].values())


def test_answer_does_not_depend_on_the_batch(client: TestClient) -> None:
    texts = [f"It was {'very ' * number}good" for number in range(8)]
    together = client.post("/predict", json={"instances": texts}).json()["predictions"]
    for text, one in zip(texts, together, strict=True):
        alone = client.post("/predict", json={"instances": [text]}).json()["predictions"][0]
        assert alone["scores"] == pytest.approx(one["scores"], abs=2e-6)


def broken(change: Any) -> bytes:
    document = json.loads(MANIFEST)
    change(document)
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    "manifest",
    [
        b"{",
        b"[]",
        broken(lambda d: d.update(schema_version=2)),
        broken(lambda d: d.update(task="token-classification")),
        broken(lambda d: d.update(labels=["one"])),
        broken(lambda d: d.update(labels=["one", "one"])),
        broken(lambda d: d.update(max_tokens=2)),
        broken(lambda d: d.update(max_tokens="256")),
        broken(lambda d: d["tokenizer"].update(type="pickle")),
        broken(lambda d: d["tokenizer"].update(lowercase=None)),
        broken(lambda d: d["files"].update(extra={"size": 1, "sha256": "0" * 64})),
        broken(lambda d: d["files"].pop("vocab.txt")),
        broken(lambda d: d["files"]["vocab.txt"].update(sha256="00")),
        broken(lambda d: d["files"]["vocab.txt"].update(size="1")),
        broken(lambda d: d.update(graph="../x", files={"../x": {}, "vocab.txt": {}})),
    ],
)
def test_manifest_is_refused(manifest: bytes) -> None:
    with pytest.raises(BundleError):
        parse_manifest(manifest)


@pytest.mark.parametrize("name", ["model.onnx", "vocab.txt"])
def test_changed_file_is_refused(name: str) -> None:
    data = bytearray(FILES[name])
    data[-2] ^= 1
    with pytest.raises(BundleError, match=name):
        checked_bundle(parse_manifest(MANIFEST), FILES | {name: bytes(data)})


def test_missing_bundle_is_refused(tmp_path: Any) -> None:
    with pytest.raises(BundleError, match=r"manifest\.json"):
        read_folder(tmp_path)


def field(number: int, payload: bytes) -> bytes:
    assert len(payload) < 128
    return bytes([number << 3 & 0x7F | 2]) + bytes([len(payload)]) + payload


EXTERNAL = b"\x70\x01"  # TensorProto.data_location = EXTERNAL


def test_graph_with_external_data_is_refused() -> None:
    assert not read_graph(FILES["model.onnx"]).external_data
    initializer = field(7, field(5, EXTERNAL))
    in_node = field(7, field(1, field(5, field(5, EXTERNAL))))
    in_subgraph = field(7, field(1, field(5, field(6, field(5, EXTERNAL)))))
    in_sparse = field(7, field(15, field(1, EXTERNAL)))
    for model in (initializer, in_node, in_subgraph, in_sparse):
        assert read_graph(model).external_data
    document = json.loads(MANIFEST)
    digest = {"size": len(initializer), "sha256": sha256(initializer).hexdigest()}
    document["files"]["model.onnx"] = digest
    manifest = parse_manifest(json.dumps(document).encode())
    with pytest.raises(BundleError, match="outside the file"):
        checked_bundle(manifest, FILES | {"model.onnx": initializer})


@pytest.mark.parametrize("data", [b"\xff" * 20, b"\x0a\x7f", b"\x0b", b"\x0a", b"\x70"])
def test_what_is_no_protobuf_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"wire type|cut off|longer|too long"):
        read_graph(data)


@pytest.mark.promise(39)
@pytest.mark.promise("D19")
def test_bundle_comes_from_the_models_bucket_in_parts(bundle: Bundle) -> None:
    store = MemoryStore()
    for name, data in (FILES | {"manifest.json": MANIFEST}).items():
        store.put("models", f"mine/{name}", data)
    assert read_uri(store, "gs://models/mine/") == bundle
    parts = [(start, end) for name, start, end in store.reads if name == "mine/model.onnx"]
    assert sorted(parts) == [(0, 16_777_216), (16_777_216, 23_112_958)]


@pytest.mark.parametrize("uri", ["https://x/y", "gs://", "gs://models/none"])
def test_bundle_address_is_refused(uri: str) -> None:
    with pytest.raises(BundleError):
        read_uri(MemoryStore(), uri)


def test_bundle_of_another_size_is_not_downloaded() -> None:
    store = MemoryStore()
    for name, data in (FILES | {"manifest.json": MANIFEST, "vocab.txt": b"x"}).items():
        store.put("models", name, data)
    with pytest.raises(BundleError, match=r"vocab\.txt has 1 bytes"):
        read_uri(store, "gs://models")
    assert [name for name, _, _ in store.reads] == ["manifest.json"]


class Runtime:
    """onnxruntime that lists CUDA; `works` says whether a session comes up on it."""

    def __init__(self, *, works: bool) -> None:
        self.works = works
        self.preloaded = False

    SessionOptions = onnxruntime.SessionOptions

    def get_available_providers(self) -> list[str]:
        return ["CUDAExecutionProvider", "CPUExecutionProvider"]

    def preload_dlls(self) -> None:
        self.preloaded = True

    def InferenceSession(self, graph: bytes, options: Any, providers: list[str]) -> Any:  # noqa: N802
        session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        return Session(session, providers if self.works else ["CPUExecutionProvider"])


class Session:
    def __init__(self, session: Any, providers: list[str]) -> None:
        self.session, self.providers = session, providers

    def get_providers(self) -> list[str]:
        return self.providers

    def get_inputs(self) -> Any:
        return self.session.get_inputs()

    def get_outputs(self) -> Any:
        return self.session.get_outputs()


def test_cuda_is_refused_where_there_is_none(bundle: Bundle) -> None:
    with pytest.raises(DeviceError, match="DEVICE=cuda"):
        open_session(onnxruntime, bundle.graph, wanted="cuda", cpus=1, emulated="")


def test_silent_fall_back_to_the_cpu_is_refused(bundle: Bundle) -> None:
    runtime = Runtime(works=False)
    with pytest.raises(DeviceError):
        open_session(runtime, bundle.graph, wanted="cuda", cpus=1, emulated="")
    assert runtime.preloaded
    opened = open_session(runtime, bundle.graph, wanted="auto", cpus=1, emulated="")
    assert not opened.device.cuda


def test_cuda_is_used_where_it_works(bundle: Bundle) -> None:
    for wanted in ("cuda", "auto"):
        opened = open_session(Runtime(works=True), bundle.graph, wanted=wanted, cpus=8, emulated="")
        assert opened.device.cuda
        assert opened.device.label.startswith("cuda:")


def test_emulated_accelerator_is_said(bundle: Bundle) -> None:
    opened = open_session(onnxruntime, bundle.graph, wanted="cpu", cpus=1, emulated="nvidia-l4")
    assert opened.device.label == "cpu (L4 emulated)"
    assert not opened.device.cuda


def test_graph_that_is_none_is_refused() -> None:
    with pytest.raises(BundleError, match="cannot load"):
        open_session(onnxruntime, b"\x08\x07", wanted="cpu", cpus=1, emulated="")


def test_baked_model_is_checked_before_credentials_are_asked_for() -> None:
    settings = ModelSettings("cuda", "", "", 0)
    asked: list[int] = []

    def open_store() -> MemoryStore:
        asked.append(1)
        return MemoryStore()

    with pytest.raises(DeviceError):
        load(settings, onnxruntime, open_store, FixedClock())
    assert asked == []


def test_gpu_name_without_a_driver() -> None:
    assert gpu_name("libno-such-driver.so.1") == "unknown GPU"


@pytest.mark.parametrize(
    ("content", "most"), [("50000 100000", 1), ("max 100000", 10_000), ("x", 10_000), ("", 10_000)]
)
def test_cpus_follow_the_quota(tmp_path: Any, content: str, most: int) -> None:
    (tmp_path / "cpu.max").write_text(content)
    assert 1 <= usable_cpus(tmp_path) <= most
    assert usable_cpus(tmp_path / "none") >= 1
