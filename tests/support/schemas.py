"""The published JSON Schemas, as functions that raise where a document does not fit."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fastjsonschema

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "reference" / "schemas"
Check = Callable[[Any], Any]


def schema(name: str) -> dict[str, Any]:
    """The schema of that name, such as "result.v1"."""
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return found


def checker(name: str, definition: str = "") -> Check:
    """Checks a document, or a part that the schema defines."""
    whole = schema(name)
    if definition:
        whole = {"$ref": f"#/definitions/{definition}", "definitions": whole["definitions"]}
    check: Check = fastjsonschema.compile(whole)
    return check
