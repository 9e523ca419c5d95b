"""The shapes of JSON documents, as docs/reference/output.md writes them in its blocks of `shape` and explains them.

`null` may stand where a value would.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from tests.support.documents import ROOT, blocks

PAGE = ROOT / "docs" / "reference" / "output.md"
_ALONE = re.compile(r'("[\w*?-]+")(?=\s*[,}])')
_PART = re.compile(r"^(\w+) = (.*(?:\n  .*)*)$", re.MULTILINE)
_NAME = re.compile(r"<(\w+)>")
_ANYTHING = "…"


@cache
def shapes() -> Mapping[str, tuple[Any, ...]]:
    """Schema -> the shapes that its documents have."""
    text = "\n".join("\n".join(one.lines) for one in blocks(PAGE) if one.language == "shape")
    found: dict[str, list[Any]] = defaultdict(list)
    for shape in read(text):
        found[shape["schema"]].append({**shape, "schema": None})
    return {schema: tuple(ones) for schema, ones in found.items()}


def read(text: str) -> Iterator[Any]:
    """The shapes of a page's blocks as values of Python, None for a plain value."""
    parts = dict(_PART.findall(text))
    rest = _PART.sub("", text)
    while names := _NAME.findall(rest):
        for name in names:
            rest = rest.replace(f"<{name}>", parts[name])
    rest = _ALONE.sub(r"\1: null", rest).replace(_ANYTHING, f'"{_ANYTHING}"').strip()
    while rest:
        shape, end = json.JSONDecoder().raw_decode(rest)
        yield shape
        rest = rest[end:].lstrip()


def faults(document: Mapping[str, Any]) -> list[str]:
    """What a printed document has besides or lacks, by the closest of its schema's shapes."""
    schema = str(document.get("schema"))
    if schema not in shapes():
        return [f"{PAGE.name} has no shape of {schema}"]
    found = [list(_differences(shape, document, schema)) for shape in shapes()[schema]]
    return min(found, key=len)


def faults_of(answer: str) -> list[str]:
    """The same for what a command wrote to stdout; nothing where that is no document with a schema."""
    try:
        document = json.loads(answer)
    except ValueError:
        return []
    has_schema = isinstance(document, dict) and "schema" in document
    return faults(document) if has_schema else []


def _differences(shape: Any, value: Any, at: str) -> Iterator[str]:
    if shape == _ANYTHING or value is None:
        return
    if isinstance(shape, dict):
        yield from _of_object(shape, value, at)
    elif isinstance(shape, list):
        if not isinstance(value, list):
            yield f"{at} is no list"
            return
        for one in value:
            yield from _differences(shape[0] if shape else None, one, f"{at}[]")
    elif isinstance(value, (dict, list)):
        yield f"{at} is no plain value"


def _of_object(shape: Mapping[str, Any], value: Any, at: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{at} is no object"
        return
    known = {name.removesuffix("?"): inner for name, inner in shape.items()}
    rest = known.pop("*", None)
    needed = {name for name in shape if not name.endswith("?") and name != "*"}
    yield from (f"{at} lacks {name}" for name in sorted(needed - value.keys()))
    for name, one in value.items():
        if name in known:
            yield from _differences(known[name], one, f"{at}.{name}")
        elif "*" in shape:
            yield from _differences(rest, one, f"{at}.*")
        else:
            yield f"{at} has {name} besides"
