"""Writes the JSON documents that are a command's answer."""

import json
import sys
from datetime import datetime
from typing import Any


def print_json(document: dict[str, Any], *, one_line: bool = False) -> None:
    """The document on stdout; escaped where stdout cannot write every character. Times are RFC 3339.

    one_line: for a command that writes one document after the other; else it is made for reading.
    """
    unicode = (sys.stdout.encoding or "").lower().startswith("utf")
    indent = None if one_line else 2
    json.dump(document, sys.stdout, ensure_ascii=not unicode, indent=indent, default=_plain)
    sys.stdout.write("\n")


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
