"""Writes the one JSON document that is a command's answer."""

import json
import sys
from typing import Any


def print_json(document: dict[str, Any]) -> None:
    """The document on stdout, readable and with every character."""
    json.dump(document, sys.stdout, ensure_ascii=False, indent=2, default=str)
    sys.stdout.write("\n")
