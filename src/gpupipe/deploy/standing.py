"""What has become of objects of the input bucket, read from the output bucket."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import TypeVar

from gpupipe.cloud.cloud import Cloud
from gpupipe.cloud.storage import Object
from gpupipe.deploy.follow import output_name
from gpupipe.deploy.spec import PipelineSpec
from gpupipe.deploy.uploads import Upload

_PARALLEL = 16
_AT_ONCE = 1000
T = TypeVar("T")


class State(StrEnum):
    """What there is of an object's generation. A result counts, also beside an error record."""

    DONE = "done"
    FAILED = "failed"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Standing:
    """A file that may be in the input bucket; `object` is None where it is not."""

    upload: Upload
    object: Object | None
    state: State


def state_of(cloud: Cloud, spec: PipelineSpec, found: Object) -> State:
    """The state of the live generation of an input."""
    bucket = spec.names.bucket("output")
    for kind, state in (("results", State.DONE), ("errors", State.FAILED)):
        name = output_name(kind, found.name, found.generation)
        if cloud.storage.stat(bucket, name) is not None:
            return state
    return State.OPEN


def states(
    cloud: Cloud, spec: PipelineSpec, objects: Iterable[Object]
) -> Iterator[tuple[Object, State]]:
    """Objects with their states, in order; however many, only some are held."""
    with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="states") as pool:
        for some in _batches(objects):
            yield from pool.map(lambda one: (one, state_of(cloud, spec, one)), some)


def standings(cloud: Cloud, spec: PipelineSpec, uploads: Iterable[Upload]) -> Iterator[Standing]:
    """How files stand that may have been sent before, in order."""

    def one(upload: Upload) -> Standing:
        found = cloud.storage.stat(spec.names.bucket("input"), upload.name)
        state = State.OPEN if found is None else state_of(cloud, spec, found)
        return Standing(upload, found, state)

    with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="states") as pool:
        for some in _batches(uploads):
            yield from pool.map(one, some)


def _batches(items: Iterable[T]) -> Iterator[list[T]]:
    """A pool's `map` takes all that it is given at once; so it is given some."""
    rest = iter(items)
    while some := list(islice(rest, _AT_ONCE)):
        yield some
