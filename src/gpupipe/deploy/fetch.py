"""Brings results to this machine: each beside the others under the path of its input.

`FOLDER/mails/a.txt.json` is the result of `mails/a.txt`, `FOLDER/mails/a.txt.error.json` why it
failed, and `FOLDER/mails/a.txt.items.jsonl` the items of a result of more than 1,000.
"""

import json
import uuid
from pathlib import Path, PurePosixPath

from gpupipe.cloud.cloud import Cloud
from gpupipe.core.errors import GpupipeError

_ODD = {"": "%", ".": "%2E", "..": "%2E%2E"}


class Fetcher:
    """Writes results and error records below a folder, which is made when it is missing."""

    def __init__(self, cloud: Cloud, output_bucket: str, folder: Path) -> None:
        self._cloud = cloud
        self._bucket = output_bucket
        self._folder = folder

    def keep(self, name: str, output_object: str, content: bytes) -> None:
        """Write what came out of the input `name`; a file of an earlier one is replaced."""
        if output_object.startswith("errors/"):
            self._write(name + ".error.json", content)
            return
        items = _items_object(content)
        if items:
            self._write(name + ".items.jsonl", self._cloud.storage.read(self._bucket, items) or b"")
        self._write(name + ".json", content)

    def _write(self, name: str, content: bytes) -> None:
        place = self._folder / local_path(name)
        part = place.with_name(f".gpupipe-{uuid.uuid4().hex}")
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            try:
                part.write_bytes(content)
                part.replace(place)
            finally:
                part.unlink(missing_ok=True)
        except OSError as error:
            raise GpupipeError(
                f"A result cannot be written ({error.strerror}).",
                resource=str(place),
                resolution="Give a folder with --out that can be written and has room.",
                doc="reference/cli.md#test-upload",
            ) from error


def local_path(name: str) -> Path:
    """An object name as a path below a folder: whatever the name, it leads nowhere else."""
    parts = [part.replace("\0", "%00") for part in name.split("/")]
    return Path(PurePosixPath(*(_ODD.get(part, part) for part in parts)))


def _items_object(content: bytes) -> str:
    """The object that holds the items of a large result; "" for others."""
    try:
        found = json.loads(content)["items_object"]["name"]
    except (ValueError, KeyError, TypeError):
        return ""
    return str(found)
