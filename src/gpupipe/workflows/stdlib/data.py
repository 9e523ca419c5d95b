"""base64, hash, json, list, map, math and uuid."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import replace

from gpupipe.workflows.errors import raised
from gpupipe.workflows.stdlib.function import NUMBER, Function, Runtime, may, need, pure
from gpupipe.workflows.values import Value, copy, from_json, integer, kind, to_json, type_error

_MOST_INDENT = 64
_ALGORITHMS = frozenset({"MD5", "SHA1", "SHA224", "SHA256", "SHA384", "SHA512"})


def _encode(data: bytes, padding: bool) -> str:  # noqa: FBT001  # the language's argument
    text = base64.b64encode(data).decode()
    return text if padding else text.rstrip("=")


def _decode(data: str, padding: bool) -> bytes:  # noqa: FBT001  # the language's argument
    text = data.replace("\r", "").replace("\n", "")
    if not padding:
        text += "=" * (-len(text) % 4)
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise raised("ValueError", "the text is not valid base64") from error


def _algorithm(name: str) -> str:
    if name not in _ALGORITHMS:
        raise raised("ValueError", f"unknown algorithm {name!r}")
    return name.lower()


def _checksum(data: bytes, algorithm: str) -> bytes:
    return hashlib.new(_algorithm(algorithm), data).digest()


def _hmac(key: bytes, data: bytes, algorithm: str) -> bytes:
    return hmac.new(key, data, _algorithm(algorithm)).digest()


def _json_text(data: Value, indent: Value) -> str:
    if indent is None or indent is False:
        return to_json(data)
    if indent is True:
        return to_json(data, indent=" " * 4)
    prefix, step = (_part(indent, name) for name in ("prefix", "indent"))
    return to_json(data, indent=step).replace("\n", f"\n{prefix}")


def _part(indent: Value, name: str) -> str:
    part = indent.get(name, "")
    if not isinstance(part, str):
        raise type_error(f"json.encode: {name!r} of indent must be string; got: {kind(part)}")
    # So that a small value cannot become a huge text.
    if len(part) > _MOST_INDENT:
        raise raised("ValueError", f"{name!r} of indent is longer than {_MOST_INDENT} characters")
    return part


def _get(container: Value, path: Value) -> Value:
    """Null when a key is absent or what is asked is no map."""
    for key in path if isinstance(path, list) else [path]:
        if not isinstance(key, str):
            raise type_error(f"map.get takes string keys; got: {kind(key)}")
        if not isinstance(container, dict) or key not in container:
            return None
        container = container[key]
    return container


def _merge_nested(first: Mapping[str, Value], second: Mapping[str, Value]) -> dict[str, Value]:
    merged = dict(first)
    for key, value in second.items():
        below = merged.get(key)
        both = isinstance(below, dict) and isinstance(value, dict)
        merged[key] = _merge_nested(below or {}, value) if both else value
    return merged


async def _uuid(runtime: Runtime, _: Mapping[str, Value]) -> Value:
    return runtime.effects.new_uuid()


FUNCTIONS: tuple[Function, ...] = (
    pure("base64.encode", _encode, need("data", "bytes"), may("padding", True, "boolean")),  # noqa: FBT003  # its default  # its default
    pure("base64.decode", _decode, need("data", "string"), may("padding", True, "boolean")),  # noqa: FBT003  # its default  # its default
    pure("hash.compute_checksum", _checksum, need("data", "bytes"), need("algorithm", "string")),
    pure("hash.compute_hmac", _hmac, need("key", "bytes"), need("data", "bytes"),
         need("algorithm", "string")),
    pure("json.decode", from_json, need("data", "string", "bytes")),
    pure("json.encode", lambda data, indent: _json_text(data, indent).encode(),
         need("data"), may("indent", None, "boolean", "map")),
    pure("json.encode_to_string", _json_text, need("data"),
         may("indent", None, "boolean", "map")),
    pure("list.concat", lambda items, value: [*items, copy(value)],
         need("objs", "list"), need("val")),
    pure("list.prepend", lambda items, value: [copy(value), *items],
         need("objs", "list"), need("val")),
    replace(pure("map.get", _get, need("map"), need("keys", "string", "list")),
            aliases={"key": "keys"}),
    pure("map.delete", lambda value, key: {k: v for k, v in value.items() if k != key},
         need("map", "map"), need("key", "string")),
    pure("map.merge", lambda first, second: {**first, **second},
         need("first", "map"), need("second", "map")),
    pure("map.merge_nested", _merge_nested, need("first", "map"), need("second", "map")),
    pure("math.abs", lambda x: integer(abs(x)) if isinstance(x, int) else abs(x),
         need("x", *NUMBER)),
    pure("math.max", max, need("x", *NUMBER), need("y", *NUMBER)),
    pure("math.min", min, need("x", *NUMBER), need("y", *NUMBER)),
    Function("uuid.generate", (), _uuid),
)  # fmt: skip
