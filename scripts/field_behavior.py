"""Writes src/gpupipe/localcloud/transport/field_behavior.json: what the protos say of their fields.

The client libraries keep the words of the protos' comments ("Required.", "Output only.") in the
docstrings of their classes, while the descriptors that they build have lost the annotation. This
reads the docstrings of every message of the packages whose methods are emulated, and the
annotations where a request's descriptor has them.

Usage: python scripts/field_behavior.py
"""

import inspect
import json
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import proto
from google.api import field_behavior_pb2
from google.protobuf.descriptor import FieldDescriptor

from gpupipe.core.clock import SystemClock
from gpupipe.localcloud.cloud import LocalCloud
from gpupipe.localcloud.settings import Settings
from gpupipe.localcloud.transport import fields

TABLE = Path(fields.__file__).with_name("field_behavior.json")
# in a docstring without the indentation of its class, which is deeper for nested messages
_FIELD = re.compile(r"^ {4}(\w+) \([^\n]*\):\n {8}(.*?)(?=^ {4}\w|\Z)", re.MULTILINE | re.DOTALL)
_WORDS = {
    "Required.": "REQUIRED",
    "Output only.": "OUTPUT_ONLY",
    "Immutable.": "IMMUTABLE",
    "Identifier.": "IDENTIFIER",
}
_MARKS = frozenset(_WORDS.values())


def table() -> dict[str, dict[str, list[str]]]:
    """Message -> field -> behaviours, for every message of the packages that are emulated."""
    with tempfile.TemporaryDirectory() as folder:
        cloud = LocalCloud(Settings(Path(folder) / "home"), SystemClock())
        cloud.start()
        requests = [row.request.DESCRIPTOR for row in cloud.rpcs()]
        cloud.stop()
    packages = {descriptor.file.package for descriptor in requests}
    found = {
        kind.meta.full_name: marks
        for kind in _messages()
        if kind.pb(kind()).DESCRIPTOR.file.package in packages and (marks := _written(kind))
    }
    found |= {one.full_name: marks for one in requests if (marks := _annotated(one.fields))}
    return dict(sorted(found.items()))


def _messages() -> Iterator[Any]:
    for name, module in list(sys.modules.items()):
        if name.startswith(("google.cloud", "google.pubsub", "google.api", "google.iam")):
            yield from _messages_of(module)


def _messages_of(holder: Any) -> Iterator[Any]:
    for _, kind in inspect.getmembers(holder, inspect.isclass):
        if issubclass(kind, proto.Message) and kind is not proto.Message:
            yield kind
            yield from _messages_of(kind)


def _annotated(fields_: Iterable[Any]) -> dict[str, list[str]]:
    return {field.name: marks for field in fields_ if (marks := _marks(field))}


def _marks(field: FieldDescriptor) -> list[str]:
    numbers = field.GetOptions().Extensions[field_behavior_pb2.field_behavior]
    names = [field_behavior_pb2.FieldBehavior.Name(number) for number in numbers]
    return [name for name in names if name in _MARKS]


def _written(kind: Any) -> dict[str, list[str]]:
    documented = _FIELD.findall(inspect.cleandoc(kind.__doc__ or ""))
    return {name: marks for name, text in documented if (marks := _first_words(text))}


def _first_words(text: str) -> list[str]:
    """The marks at the beginning of a comment: "Output only. Identifier. The name …" has two."""
    text = " ".join(text.split())
    marks: list[str] = []
    while word := next((word for word in _WORDS if text.startswith(word)), ""):
        marks.append(_WORDS[word])
        text = text.removeprefix(word).lstrip()
    return marks


if __name__ == "__main__":
    lines = (f'"{name}": {json.dumps(marks)}' for name, marks in table().items())
    TABLE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
