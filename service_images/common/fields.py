"""Typed reading of a JSON request.

Contract: whatever is missing, of the wrong type or out of bounds is a ProblemError 400 that
names the field by its path (`input.bucket`, `scores[2].name`). Unknown keys are ignored, so that
a newer workflow can talk to an older service.
"""

import json
import re
from collections.abc import Mapping
from typing import NoReturn
from unicodedata import category

from common.problems import ProblemError, invalid

MAX_GENERATION = 2**63 - 1
_UNSEEN = frozenset({"Cc", "Cf"})
_DIGITS = re.compile(r"[0-9]{1,19}")


class Fields:
    """One JSON object of a request, with the path that leads to it."""

    def __init__(self, values: Mapping[str, object], path: str = "") -> None:
        self.values = values
        self._path = path

    def path(self, name: str) -> str:
        """The full path of the field `name`."""
        return f"{self._path}.{name}" if self._path else name

    def text(self, name: str, *, max_chars: int = 4096) -> str:
        """A string that is not empty and can be written as UTF-8."""
        value = self.values.get(name)
        if value is None:
            raise invalid(self.path(name), "is required")
        return checked_text(value, self.path(name), max_chars=max_chars)

    def optional_text(self, name: str, *, max_chars: int = 4096) -> str | None:
        """The string, or None where the field is absent or null."""
        return None if self.values.get(name) is None else self.text(name, max_chars=max_chars)

    def choice(self, name: str, allowed: tuple[str, ...]) -> str:
        """One of `allowed`."""
        value = self.text(name)
        if value not in allowed:
            raise invalid(self.path(name), f"must be one of {', '.join(allowed)}")
        return value

    def child(self, name: str) -> "Fields":
        """An object inside this one."""
        if self.values.get(name) is None:
            raise invalid(self.path(name), "is required")
        return as_fields(self.values[name], self.path(name))

    def optional_child(self, name: str) -> "Fields":
        """An object inside this one; empty where it is absent or null."""
        return Fields({}, self.path(name)) if self.values.get(name) is None else self.child(name)

    def items(self, name: str, *, most: int) -> list[object]:
        """A list of 1 to `most` values."""
        value = self.values.get(name)
        if not isinstance(value, list) or not value:
            raise invalid(self.path(name), "must be a list with at least one entry")
        if len(value) > most:
            raise invalid(self.path(name), f"has {len(value)} entries; at most {most} are taken")
        return value

    def children(self, name: str, *, most: int) -> list["Fields"]:
        """A list of 1 to `most` objects."""
        return [
            as_fields(value, f"{self.path(name)}[{index}]")
            for index, value in enumerate(self.items(name, most=most))
        ]

    def optional_generation(self, name: str = "generation") -> str | None:
        """An object generation as digits, given as a string or an integer."""
        value = self.values.get(name)
        if value is None or value == "":
            return None
        digits = str(value) if isinstance(value, (str, int)) else ""
        if (
            isinstance(value, bool)
            or not _DIGITS.fullmatch(digits)
            or not 0 < int(digits) <= MAX_GENERATION
        ):
            raise invalid(self.path(name), "must be an object generation: a positive number")
        return str(int(digits))

    def generation(self, name: str = "generation") -> str:
        """The same, required."""
        value = self.optional_generation(name)
        if value is None:
            raise invalid(self.path(name), "is required")
        return value

    def optional_count(self, name: str) -> int | None:
        """An integer of at least 0, or a string of digits as the Storage API writes one."""
        value = self.values.get(name)
        if value is None:
            return None
        if isinstance(value, str) and _DIGITS.fullmatch(value):
            return int(value)
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise invalid(self.path(name), "must be a whole number of at least 0")
        return value

    def numbers(self) -> dict[str, float]:
        """Every value of this object, all of which must be numbers of at least 0."""
        for name, value in self.values.items():
            if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
                raise invalid(self.path(name), "must be a number of at least 0")
        return {
            name: value for name, value in self.values.items() if isinstance(value, int | float)
        }


def checked_text(value: object, path: str, *, max_chars: int) -> str:
    """`value` when it is a string fit for storing; the field is `path`."""
    if not isinstance(value, str):
        raise invalid(path, "must be a string")
    if not value:
        raise invalid(path, "must not be empty")
    if len(value) > max_chars:
        raise ProblemError(
            413,
            "field_too_large",
            f"{path}: {len(value)} characters; at most {max_chars} are taken",
            details={"field": path, "characters": len(value), "limit": max_chars},
        )
    if not is_utf8(value):
        raise invalid(path, "holds half of a surrogate pair")
    return value


def is_utf8(text: str) -> bool:
    """Whether a string can be stored: JSON can spell halves of surrogate pairs, UTF-8 cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_blank(text: str) -> bool:
    """Whether nothing is there to read: white space, control and zero-width characters alone."""
    return all(char.isspace() or category(char) in _UNSEEN for char in text)


def as_fields(value: object, path: str) -> Fields:
    """`value` when it is a JSON object; the field is `path`."""
    if not isinstance(value, dict):
        raise invalid(path or "body", "must be a JSON object")
    return Fields(value, path)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def parse_json(body: bytes | str) -> object:
    """The JSON value of a body; of two equal keys the last one holds. Raises ValueError."""
    text = body if isinstance(body, str) else body.decode("utf-8")
    try:
        value: object = json.loads(text, parse_constant=_no_constant)
    except RecursionError as error:
        raise ValueError("the JSON is nested too deeply") from error
    return value


def parse_body(body: bytes) -> Fields:
    """The request body, which must be one JSON object."""
    try:
        value = parse_json(body)
    except ValueError as error:
        # The decoder's own message can quote the body, so it is not repeated.
        raise ProblemError(400, "invalid_json", "the body is not valid JSON in UTF-8") from error
    return as_fields(value, "")
