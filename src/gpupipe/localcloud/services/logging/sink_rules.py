"""What a log sink must look like: google.logging.v2.LogSink."""

import re
from typing import Any

from google.cloud.logging_v2 import types

from gpupipe.localcloud.errors import invalid_argument, unimplemented
from gpupipe.localcloud.services.logging.filter import compiled
from gpupipe.localcloud.transport.rows import raw

LogSink = raw(types.LogSink)
BUILT_IN = ("_Default", "_Required")
"""Sinks that every project has from the start: they keep entries where lists find them."""
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_LONGEST = 8000
_BUCKET = "storage.googleapis.com/"
_OTHERS = ("bigquery.googleapis.com/", "pubsub.googleapis.com/", "logging.googleapis.com/")


def check(sink: Any) -> None:
    """Raise the first refusal that applies."""
    if not _ID.fullmatch(sink.name):
        _refuse("name", "has 1 to 100 letters, digits and _-., with a letter or digit first")
    if len(sink.description) > _LONGEST:
        _refuse("description", f"has at most {_LONGEST} characters")
    bucket_of(sink.destination)
    for text in (sink.filter, *(one.filter for one in sink.exclusions)):
        compiled(text)


def bucket_of(destination: str) -> str:
    """The bucket that a sink writes to. INVALID_ARGUMENT for what is no destination."""
    if destination.startswith(_OTHERS):
        raise unimplemented(f"log sinks to another place than a bucket: {destination}")
    bucket = destination.removeprefix(_BUCKET)
    if not destination.startswith(_BUCKET) or not bucket or "/" in bucket:
        _refuse("destination", f"is {_BUCKET}BUCKET, without a path")
    return bucket


def built_in(name: str, project: str) -> Any:
    """One of the sinks that are there from the start."""
    bucket = f"logging.googleapis.com/{project}/locations/global/buckets/{name}"
    return LogSink(name=name, destination=bucket)


def _refuse(field: str, rule: str) -> None:
    path = f"sink.{field}"
    raise invalid_argument(f"Field {path} {rule}.", path)
