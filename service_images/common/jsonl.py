"""JSON Lines as the services exchange them.

Contract: records are separated by one line feed and nothing else: U+2028 and its kin are
ordinary characters inside a string. NaN and infinities are refused both ways.
"""

import json
from collections.abc import Iterable

from common.fields import parse_json
from common.objects import ObjectRef
from common.problems import Blame, JsonObject, ProblemError


def encode_json(value: object) -> bytes:
    """One JSON value, compact, in UTF-8."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode()


def encode_lines(records: Iterable[JsonObject]) -> bytes:
    """The records, each with its line feed."""
    return b"".join(encode_json(record) + b"\n" for record in records)


def decode_lines(data: bytes, ref: ObjectRef) -> list[JsonObject]:
    """The records of an intermediate object; `ref` names it in the ProblemError otherwise."""
    return [_record(line, number, ref) for number, line in enumerate(data.split(b"\n"), 1) if line]


def _record(line: bytes, number: int, ref: ObjectRef) -> JsonObject:
    try:
        value = parse_json(line)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise broken_record(ref, number)
    return value


def broken_record(ref: ObjectRef, number: int) -> ProblemError:
    """A line that the previous stage cannot have written."""
    message = f"line {number} of gs://{ref.bucket}/{ref.name} is not a record of this pipeline"
    details = {**ref.to_json(), "line": number}
    return ProblemError(422, "broken_work_object", message, blame=Blame.SYSTEM, details=details)
