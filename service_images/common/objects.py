"""References to Cloud Storage objects and the names of those that the pipeline writes.

Contract: a reference travels as {"bucket", "name", "generation"}, the generation as a string.
Chunks and scores lie under `<kind>/<16 hex of the input name>.<generation>/<number>.jsonl` in the
work bucket; results and error records under the input's own name in the output bucket, hashed
when the whole name would pass Cloud Storage's 1,024 bytes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from urllib.parse import quote

from common import logs
from common.fields import Fields
from common.problems import JsonObject, invalid

MAX_NAME_BYTES = 1024
GENERATION_KEY = "gpupipe-input-generation"
NAME_KEY = "gpupipe-input-name"


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """One generation of one object."""

    bucket: str
    name: str
    generation: str

    def to_json(self) -> JsonObject:
        """The reference as it travels."""
        return {"bucket": self.bucket, "name": self.name, "generation": self.generation}


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What a stat tells: the reference, the size in bytes and the object's metadata."""

    ref: ObjectRef
    size: int
    content_type: str | None = None
    crc32c: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> JsonObject:
        """The input as the result describes it."""
        return {
            **self.ref.to_json(),
            "size": self.size,
            "content_type": self.content_type,
            "crc32c": self.crc32c,
        }


@dataclass(frozen=True, slots=True)
class InputKey:
    """The input object that a request is about; no generation means the current one."""

    bucket: str
    name: str
    generation: str | None


def object_name(fields: Fields, name: str = "name") -> str:
    """An object name within Cloud Storage's own rules."""
    value = fields.text(name)
    if len(value.encode()) > MAX_NAME_BYTES:
        raise invalid(fields.path(name), f"is longer than {MAX_NAME_BYTES} bytes")
    if "\r" in value or "\n" in value:
        raise invalid(fields.path(name), "must not hold a line break")
    return value


def object_ref(fields: Fields) -> ObjectRef:
    """A full reference; the generation is required."""
    return ObjectRef(fields.text("bucket", max_chars=222), object_name(fields), fields.generation())


def input_key(fields: Fields) -> InputKey:
    """The `input` of a stage request."""
    return InputKey(
        fields.text("bucket", max_chars=222), object_name(fields), fields.optional_generation()
    )


def bind_log(execution_id: str, source: "ObjectRef | InputKey") -> None:
    """Adds to every further log line of this request what it is about."""
    logs.bind(execution_id=execution_id, object=source.name, generation=source.generation)


def work_name(kind: str, name: str, generation: str, number: int) -> str:
    """The name of chunk or score object `number` of an input object."""
    return f"{kind}/{sha256(name.encode()).hexdigest()[:16]}.{generation}/{number:05d}.jsonl"


def output_name(kind: str, name: str, generation: str, suffix: str = ".json") -> str:
    """The name of what is written about an input object in the output bucket."""
    plain = f"{kind}/{name}.{generation}{suffix}"
    if len(plain.encode()) <= MAX_NAME_BYTES:
        return plain
    return f"{kind}/{sha256(name.encode()).hexdigest()}.{generation}{suffix}"


def input_metadata(name: str, generation: str) -> dict[str, str]:
    """The metadata that ties a written object to its input; headers carry ASCII only."""
    return {GENERATION_KEY: generation, NAME_KEY: quote(name, safe="")}
