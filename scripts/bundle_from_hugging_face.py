"""Makes a model bundle of a Hugging Face model that was exported to ONNX, without any network.

Usage: python scripts/bundle_from_hugging_face.py FOLDER BUNDLE --name NAME --version VERSION

FOLDER holds config.json, the graph (model.onnx or onnx/model.onnx) and, of a text model, tokenizer.json or
vocab.txt; of an image model, preprocessor_config.json. docs/how-to/bring-a-hugging-face-model.md tells how
to get there. Weights in other forms (safetensors, pickles) are not read.
"""

import argparse
import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gpupipe.core.errors import GpupipeError
from gpupipe.deploy.bundles import Bundle, read_bundle

_GRAPHS = ("model.onnx", "onnx/model.onnx")
_LONGEST = 8192
_USUAL = 512
# These count positions from behind their padding token.
_OFFSET = frozenset({"roberta", "xlm-roberta", "camembert", "xlm-roberta-xl", "mpnet"})
_INTERPOLATIONS = {0: "nearest", 2: "bilinear", 3: "bicubic"}  # as Pillow counts them
# ConvNeXT's processor crops pictures only below this size, as its own documentation has it.
_CROPPED_BELOW = 384
_SCALE = 1 / 255


class NotConvertedError(Exception):
    """The folder is not what this script can make a bundle of."""


def main(arguments: list[str]) -> int:
    """Write the bundle; the exit code, 1 where there is none."""
    given = _options(arguments)
    try:
        found = convert(given.folder, given.bundle, given.name, given.version, given.labels)
    except (NotConvertedError, GpupipeError, OSError, ValueError) as error:
        why = f"{error.brief} {error.details}" if isinstance(error, GpupipeError) else str(error)
        print(f"No bundle was made: {why}", file=sys.stderr)
        return 1
    for warning in found.warnings:
        print(f"Note: {warning}", file=sys.stderr)
    print(f"{given.bundle}: {found.name}@{found.version}, {found.task}, {len(found.labels)} labels")
    print(f"Push it with: gpupipe model push {given.bundle}")
    return 0


def convert(
    folder: Path, target: Path, name: str, version: str, labels: list[str] | None = None
) -> Bundle:
    """The bundle in `target`, a new folder. Raises NotConvertedError or what its check raises."""
    config = _json(folder / "config.json")
    manifest: dict[str, Any] = {
        "schema_version": 1,
        "name": name,
        "version": version,
        "labels": labels or _labels(config),
        "graph": "model.onnx",
        "output": {"name": "logits", "values": "logits"},
    }
    files = {"model.onnx": _graph(folder)}
    if (folder / "preprocessor_config.json").exists():
        image = _image(_json(folder / "preprocessor_config.json"))
        manifest |= {"task": "image-classification", "image": image}
    else:
        tokenizer, file = _tokenizer(folder, config)
        files[file.name] = file
        manifest |= {"task": "text-classification", "tokenizer": tokenizer,
                     "max_tokens": _max_tokens(folder, config)}  # fmt: skip
    return _write(target, manifest, files)


def _write(target: Path, manifest: Mapping[str, Any], files: Mapping[str, Path]) -> Bundle:
    target.mkdir(parents=True)
    try:
        for name, source in files.items():
            shutil.copyfile(source, target / name)
        _put(target, manifest)
        found = read_bundle(target)
        _put(target, found.manifest)
    except BaseException:
        shutil.rmtree(target)
        raise
    return found


def _put(target: Path, manifest: Mapping[str, Any]) -> None:
    text = json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
    (target / "manifest.json").write_text(text, encoding="utf-8")


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise NotConvertedError(f"there is no {path.name} in {path.parent}")
    found = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(found, dict):
        raise NotConvertedError(f"{path.name} holds no object")
    return found


def _graph(folder: Path) -> Path:
    for name in _GRAPHS:
        if (folder / name).is_file():
            return folder / name
    raise NotConvertedError(
        f"there is no {' or '.join(_GRAPHS)} in {folder}; export the model to ONNX first"
    )


def _labels(config: Mapping[str, Any]) -> list[str]:
    named = config.get("id2label")
    if not isinstance(named, dict) or sorted(map(int, named)) != list(range(len(named))):
        raise NotConvertedError(
            "config.json names no labels (id2label); give them with --labels, in their order"
        )
    return [str(named[key]) for key in sorted(named, key=int)]


def _tokenizer(folder: Path, config: Mapping[str, Any]) -> tuple[dict[str, Any], Path]:
    whole, vocabulary = folder / "tokenizer.json", folder / "vocab.txt"
    if whole.is_file():
        pad = config.get("pad_token_id") or 0
        return {"type": "tokenizer.json", "file": whole.name, "pad_id": pad}, whole
    if vocabulary.is_file():
        lowercase = bool(_settings(folder).get("do_lower_case", True))
        return {"type": "wordpiece", "vocab": vocabulary.name, "lowercase": lowercase}, vocabulary
    raise NotConvertedError(
        f"there is no tokenizer.json or vocab.txt in {folder}, nor preprocessor_config.json"
    )


def _settings(folder: Path) -> dict[str, Any]:
    place = folder / "tokenizer_config.json"
    return _json(place) if place.exists() else {}


def _max_tokens(folder: Path, config: Mapping[str, Any]) -> int:
    """What the model has positions for, and what its tokenizer says if that is less."""
    positions = int(config.get("max_position_embeddings") or _USUAL)
    if config.get("model_type") in _OFFSET:
        positions -= int(config.get("pad_token_id") or 1) + 1
    # Where nothing was set this is a number with thirty digits.
    told = int(_settings(folder).get("model_max_length") or _LONGEST)
    return min(positions, told, _LONGEST)


def _image(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What a picture goes through, in the bundle's terms."""
    width, height, how = _size(settings)
    image = {"width": width, "height": height, **how}
    resample = settings.get("resample", 2)
    if resample not in _INTERPOLATIONS:
        raise NotConvertedError(f"no bundle says the interpolation {resample} of Pillow")
    image["interpolation"] = _INTERPOLATIONS[resample]
    image["scale"] = (
        float(settings.get("rescale_factor") or _SCALE) if settings.get("do_rescale", True) else 1.0
    )
    if settings.get("do_normalize", True) and "image_mean" in settings:
        image |= {"mean": settings["image_mean"], "std": settings["image_std"]}
    return image


def _size(settings: Mapping[str, Any]) -> tuple[int, int, dict[str, Any]]:
    if not settings.get("do_resize", True):
        raise NotConvertedError("the processor does not resize pictures: the graph has no one size")
    width, height = _sides(settings.get("size"))
    edge = width if width == height else None
    crop = settings.get("crop_pct")
    if crop and edge and edge < _CROPPED_BELOW:
        return edge, edge, {"resize": "crop", "resize_to": int(edge / crop)}
    shortest = isinstance(settings.get("size"), dict) and "shortest_edge" in settings["size"]
    if settings.get("do_center_crop") and not crop:
        if not edge:
            raise NotConvertedError("pictures are cropped after a resize to unequal sides")
        wide, high = _sides(settings.get("crop_size") or settings.get("size"))
        return wide, high, {"resize": "crop", "resize_to": edge}
    if shortest and not crop:
        raise NotConvertedError("pictures keep their proportions and are not cropped")
    return width, height, {"resize": "stretch"}


def _sides(size: Any) -> tuple[int, int]:
    match size:
        case int():
            return size, size
        case {"height": int(height), "width": int(width)}:
            return width, height
        case {"shortest_edge": int(edge)}:
            return edge, edge
        case _:
            raise NotConvertedError(f"the size of pictures is not one that is known here: {size}")


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="the exported model")
    parser.add_argument("bundle", type=Path, help="the folder to make")
    parser.add_argument("--name", required=True)
    parser.add_argument("--version", required=True)
    parser.add_argument("--labels", type=lambda text: text.split(","), help="a,b,c")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
