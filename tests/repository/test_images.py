"""What is said about the images: digests come from registries only, the bill of materials is whole."""

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from scripts import pin_images, sbom

DIGEST = "sha256:" + "ab" * 32
TEXT = """ARG PYTHON_DIGEST=
FROM {host}/python:3.11.14-slim-bookworm${{PYTHON_DIGEST}} AS build
COPY --from={host}/astral-sh/uv:0.13.9 /uv /usr/local/bin/uv
FROM {host}/python:3.11.14-slim-bookworm${{PYTHON_DIGEST}}
"""


class Registry(BaseHTTPRequestHandler):
    """Asks for a token, then tells a digest of what it has."""

    def do_GET(self) -> None:
        body = b'{"token": "a-token"}'
        self.send_response(200 if "scope=repository%3A" in self.path else 400)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_HEAD(self) -> None:
        if self.headers["Authorization"] != "Bearer a-token":
            self.send_response(401)
            host = self.headers["Host"]
            self.send_header("WWW-Authenticate", f'Bearer realm="http://{host}/token",service="r"')
        elif "/missing/" in self.path:
            self.send_response(404)
        else:
            self.send_response(200)
            self.send_header("Docker-Content-Digest", DIGEST)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def host() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def dockerfile(tmp_path: Path, host: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    # An address with a port is no part of the names in our files; the patterns take it here.
    for name in ("_BASE", "_COPIED"):
        pattern = getattr(pin_images, name).pattern.replace("[a-z0-9./_-]", "[a-z0-9./:_-]")
        monkeypatch.setattr(pin_images, name, re.compile(pattern))
    path = tmp_path / "Dockerfile"
    path.write_text(TEXT.format(host=host))
    return path


def test_digests_are_those_of_the_registry(dockerfile: Path, host: str) -> None:
    assert pin_images.main([str(dockerfile)]) == 0
    text = dockerfile.read_text()
    assert f"ARG PYTHON_DIGEST=@{DIGEST}\n" in text
    assert f"COPY --from={host}/astral-sh/uv:0.13.9@{DIGEST} /uv /usr/local/bin/uv\n" in text
    assert pin_images.main([str(dockerfile)]) == 0
    assert dockerfile.read_text() == text


def test_without_an_answer_nothing_is_changed(
    dockerfile: Path, host: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = dockerfile.read_text().replace("astral-sh", "missing")
    dockerfile.write_text(text)
    assert pin_images.main([str(dockerfile)]) == 1
    assert dockerfile.read_text() == text
    assert f"{host} gave no access: HTTP Error 404" in capsys.readouterr().err


def test_images_are_named_by_dockers_rules() -> None:
    urls = [
        pin_images.parse(name).url for name in ("python:3.11.14", "ghcr.io/astral-sh/uv:0.13.9")
    ]
    assert urls == [
        "https://registry-1.docker.io/v2/library/python/manifests/3.11.14",
        "https://ghcr.io/v2/astral-sh/uv/manifests/0.13.9",
    ]


@pytest.mark.parametrize("path", sorted(sbom.IMAGES.glob("*/Dockerfile")), ids=str)
def test_the_patterns_find_the_images_of_our_dockerfiles(path: Path) -> None:
    text = path.read_text()
    assert len(pin_images._BASE.findall(text)) == 2
    assert len(pin_images._ARGUMENT.findall(text)) == 1
    assert len(pin_images._COPIED.findall(text)) == 1


def test_the_bill_of_materials_has_every_pin_with_its_hashes(tmp_path: Path) -> None:
    sbom.main(tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {f"{name}.cdx.json" for name in
                     ("preprocess", "postprocess", "gpu-inference-cpu", "gpu-inference-cuda")}  # fmt: skip
    content = json.loads((tmp_path / "gpu-inference-cuda.cdx.json").read_text())
    assert (content["bomFormat"], content["specVersion"]) == ("CycloneDX", "1.5")
    pins = [
        line.partition(" ")[0]
        for part in (
            "common/requirements",
            "gpu_inference/requirements-cuda",
            "gpu_inference/requirements-cuda-runtime",
        )
        for line in (sbom.IMAGES / f"{part}.txt").read_text().splitlines()
        if re.match(r"[a-z0-9]", line)
    ]
    found = [one for one in content["components"] if one["type"] == "library"]
    assert [f"{one['name']}=={one['version']}" for one in found] == [
        re.sub(r"\[.*\]", "", pin) for pin in pins
    ]
    assert all(one["externalReferences"][0]["hashes"] for one in found)
    kinds = {one["type"] for one in content["components"]}
    assert kinds == {"container", "library", "machine-learning-model"}
