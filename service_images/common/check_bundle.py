"""Checks the model bundle in a folder, for whoever wants to push it: `python -m common.check_bundle`.

Contract: one JSON object on standard output, exit code 0 for a bundle that may be served, 1 for one
that is refused (`reason` says why). With --complete, `name`, `version` and `files` of the manifest
may be left out: the finished manifest is in the answer. Nothing is written, nothing of the bundle is
run. docs/reference/bundle.md has the fields.
"""

import argparse
import json
import sys
from hashlib import sha256
from pathlib import Path

from common.bundle import MAX_MANIFEST_BYTES, Bundle, checked_bundle, read_file, read_folder
from common.manifest import (
    MANIFEST,
    BundleError,
    needed_files,
    parse_document,
    read_manifest,
)
from common.problems import JsonObject

_LIMIT = 2**31 - 1
_PICKLES = frozenset({".pkl", ".pickle", ".pt", ".pth", ".bin", ".ckpt", ".joblib"})


def main(arguments: list[str]) -> int:
    """Prints the answer and gives the exit code."""
    options = _options(arguments)
    manifest: JsonObject | None = None
    try:
        if options.complete:
            manifest, bundle = complete(options.folder, options.name, options.version)
        else:
            bundle = read_folder(options.folder)
    except BundleError as error:
        answer: JsonObject = {"valid": False, "reason": error.reason}
    else:
        answer = {"valid": True, "reason": None, **_described(options.folder, bundle)}
        if manifest is not None:
            answer["manifest"] = manifest
    print(json.dumps(answer))  # noqa: T201 - this program's answer
    return 0 if answer["valid"] else 1


def complete(folder: Path, name: str | None, version: str | None) -> tuple[JsonObject, Bundle]:
    """The finished manifest of a folder, and its bundle. Raises BundleError."""
    draft = parse_document(read_file(folder, MANIFEST, MAX_MANIFEST_BYTES))
    given = {"name": name, "version": version}
    draft |= {key: value for key, value in given.items() if value is not None}
    names = needed_files(draft)
    files = {one: read_file(folder, one, _LIMIT) for one in names}
    if "files" not in draft:
        draft["files"] = {
            one: {"size": len(data), "sha256": sha256(data).hexdigest()}
            for one, data in files.items()
        }
    return draft, checked_bundle(read_manifest(draft), files)


def _described(folder: Path, bundle: Bundle) -> JsonObject:
    manifest = bundle.manifest
    return {
        "name": manifest.name,
        "version": manifest.version,
        "task": manifest.task,
        "labels": list(manifest.labels),
        "files": [
            {"name": entry.name, "size": entry.size, "sha256": entry.sha256}
            for entry in manifest.entries
        ],
        "total_bytes": sum(entry.size for entry in manifest.entries),
        "warnings": _warnings(folder, bundle),
    }


def _warnings(folder: Path, bundle: Bundle) -> list[str]:
    found = []
    if bundle.depends_on_batch:
        found.append(
            "dynamic quantisation: answers would depend on the batch, so one item is scored at a "
            "time and a GPU gains little"
        )
    found += [
        f"{path.name} may be a pickle; it is not part of the bundle and is never read"
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in _PICKLES
    ]
    return found


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m common.check_bundle")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--complete", action="store_true")
    parser.add_argument("--name")
    parser.add_argument("--version")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
