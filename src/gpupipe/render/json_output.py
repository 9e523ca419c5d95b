"""Writes the one JSON document that is a command's answer."""

import json
import sys
from typing import Any


def print_json(document: dict[str, Any]) -> None:
    """The document on stdout, readable; escaped where stdout cannot write every character."""
    unicode = (sys.stdout.encoding or "").lower().startswith("utf")
    json.dump(document, sys.stdout, ensure_ascii=not unicode, indent=2, default=str)
    sys.stdout.write("\n")
