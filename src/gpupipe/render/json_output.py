"""Writes the JSON documents that are a command's answer."""

import json
import sys
from datetime import datetime
from typing import Any

from gpupipe.render.console import spelled


def print_json(document: dict[str, Any], *, one_line: bool = False) -> None:
    """The document on stdout; escaped where stdout cannot write a character or would obey it. Times are RFC 3339.

    one_line: for a command that writes one document after the other; else it is made for reading.
    """
    unicode = (sys.stdout.encoding or "").lower().startswith("utf")
    indent = None if one_line else 2
    encoder = json.JSONEncoder(ensure_ascii=not unicode, indent=indent, default=_plain)
    for part in encoder.iterencode(document):
        sys.stdout.write(spelled(part))
    sys.stdout.write("\n")


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
