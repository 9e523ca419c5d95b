"""Writes what is in each image as CycloneDX 1.5: packages with their hashes, the base, the model.

Usage: python scripts/sbom.py FOLDER. From the committed requirements files and manifests alone, so the
same source gives the same bytes. Standard library only.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "service_images"
_PIN = re.compile(
    r"(?m)^([a-z0-9][a-z0-9._-]*)(?:\[[^\]]*\])?==([^\s;\\]+)([^\n]*(?:\n +--hash=[^\n]+)*)"
)
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_BASE = re.compile(r"(?m)^FROM (?P<name>python):(?P<tag>[\w.-]+)")


def main(folder: Path) -> None:
    """One document for each image; two for the inference image, by accelerator."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in documents():
        (folder / f"{name}.cdx.json").write_text(json.dumps(content, indent=1) + "\n", "utf-8")
        print(f"{name}: {len(content['components'])} components")


def documents() -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and content of each."""
    common = IMAGES / "common" / "requirements.txt"
    readers = IMAGES / "preprocess" / "requirements.txt"
    yield "preprocess", document("preprocess", "preprocess", (common, readers))
    yield "postprocess", document("postprocess", "postprocess", (common,))
    inference = IMAGES / "gpu_inference"
    for kind in ("cpu", "cuda"):
        own = tuple(inference / f"requirements-{kind}{part}.txt" for part in ("", "-runtime"))
        found = document(f"gpu-inference-{kind}", "gpu_inference", (common, *own))
        found["components"].append(model(inference / "bundle" / "manifest.json"))
        yield f"gpu-inference-{kind}", found


def document(name: str, folder: str, requirements: tuple[Path, ...]) -> dict[str, Any]:
    """An image's bill of materials."""
    text = (IMAGES / folder / "Dockerfile").read_text(encoding="utf-8")
    base = _BASE.search(text)
    if base is None:
        raise ValueError(f"{folder}/Dockerfile has no python base")
    components = [
        {
            "type": "container",
            "name": base["name"],
            "version": base["tag"],
            "purl": f"pkg:docker/{base['name']}@{base['tag']}",
        }
    ]
    for file in requirements:
        components += packages(file.read_text(encoding="utf-8"))
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {"type": "container", "name": name}},
        "components": components,
    }


def packages(text: str) -> Iterator[dict[str, Any]]:
    """The pinned packages of a requirements file; the hashes are those of their distributions."""
    for match in _PIN.finditer(text):
        name, version, rest = match.groups()
        marker = rest.split("\n")[0].strip(" \\;")
        yield {
            "type": "library",
            "name": name,
            "version": version,
            "purl": f"pkg:pypi/{name}@{version}",
            "externalReferences": [
                {
                    "type": "distribution",
                    "url": f"pkg:pypi/{name}@{version}",
                    "hashes": [
                        {"alg": "SHA-256", "content": found} for found in _HASH.findall(rest)
                    ],
                }
            ],
            **({"properties": [{"name": "gpupipe:marker", "value": marker}]} if marker else {}),
        }


def model(manifest: Path) -> dict[str, Any]:
    """The default model, by its graph's hash, and what it was made from."""
    content = json.loads(manifest.read_text(encoding="utf-8"))
    base = content["provenance"]["base"]
    return {
        "type": "machine-learning-model",
        "name": content["name"],
        "version": content["version"],
        "hashes": [{"alg": "SHA-256", "content": content["files"][content["graph"]]["sha256"]}],
        "licenses": [{"license": {"id": "Apache-2.0"}}],
        "description": f"made from {base['upstream']} at {base['upstream_revision']}",
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]))
