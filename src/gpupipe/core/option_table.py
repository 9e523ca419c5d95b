"""The options as a flat table: path, environment variables, what each takes, default, meaning.

Derived from the models of `gpupipe.core.options`, so that the checks, `config show`, the schema and
the reference page cannot say different things.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import BaseModel

from gpupipe.core.options import Options

# The recipe's names are accepted beside Google's and our own; the first one that is set wins.
_OTHER_NAMES: Mapping[str, tuple[str, ...]] = {
    "project": ("GOOGLE_CLOUD_PROJECT", "PROJECT_ID"),
    "region": ("GPUPIPE_REGION", "GOOGLE_CLOUD_REGION", "REGION"),
    "prefix": ("GPUPIPE_PREFIX", "SERVICE_PREFIX"),
}
_MOST_DIGITS = 18


@dataclass(frozen=True, slots=True)
class Option:
    """One option. path: "gpu_inference.memory"; variables: environment variables, first one wins.

    kind: "integer", "boolean", "string", "array" or "object"; allowed: what it takes, in words.
    """

    path: str
    variables: tuple[str, ...]
    kind: str
    allowed: str
    default: object
    description: str


@cache
def options() -> Mapping[str, Option]:
    """Every option by its path, in the order of the file."""
    return {option.path: option for option in _walk(Options, "")}


def _walk(model: type[BaseModel], before: str) -> Iterator[Option]:
    schema = model.model_json_schema()
    for name, field in model.model_fields.items():
        path = f"{before}{name}"
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _walk(field.annotation, f"{path}.")
            continue
        shape = _shape(schema["properties"][name])
        yield Option(
            path=path,
            variables=_OTHER_NAMES.get(path, (f"GPUPIPE_{path.replace('.', '_').upper()}",)),
            kind=str(shape.get("type", "string")),
            allowed=_words(shape),
            default=field.default,
            description=field.description or "",
        )


def _shape(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Without the alternative "not set", which a file cannot say."""
    others = [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]
    return {**schema, **others[0]} if others else schema


def _words(shape: Mapping[str, Any]) -> str:
    if words := shape.get("x-allowed"):
        return str(words)
    if "enum" in shape:
        *others, last = [json.dumps(one) for one in shape["enum"]]
        return f"{', '.join(others)} or {last}" if others else last
    if shape.get("type") == "integer":
        return f"a whole number from {shape['minimum']} to {shape['maximum']}"
    if shape.get("type") == "boolean":
        return "true or false"
    return "text"


def schema() -> dict[str, Any]:
    """The JSON Schema of gpupipe.toml."""
    found = Options.model_json_schema()
    # A class's docstring is about the class.
    for table in (found, *found["$defs"].values()):
        table.pop("description", None)
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": dialect, **found, "title": "gpupipe.toml"}


def typed(option: Option, text: str) -> object:
    """A value of an environment variable or `--set` as the file would have it.

    Text that cannot be read as the option's kind stays text, which the option's check then refuses.
    """
    if option.kind == "integer":
        digits = text.strip().removeprefix("-")
        # Longer ones are no sensible number, and Python refuses to read very long ones.
        return (
            int(text)
            if digits.isascii() and digits.isdigit() and len(digits) <= _MOST_DIGITS
            else text
        )
    if option.kind == "boolean":
        return {"true": True, "false": False}.get(text.strip().lower(), text)
    if option.kind == "array":
        numbers = [part.strip() for part in text.split(",")]
        known = all(one.isascii() and one.isdigit() and len(one) <= _MOST_DIGITS for one in numbers)
        return [int(one) for one in numbers] if known else text
    if option.kind == "object":
        pairs = [part.partition("=") for part in text.split(",") if part.strip()]
        if all(equals for _, equals, _ in pairs):
            return {key.strip(): value.strip() for key, _, value in pairs}
    return text
