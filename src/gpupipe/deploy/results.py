"""What lies in the output bucket: results and error records, by the input that they belong to."""

import heapq
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from urllib.parse import unquote

from gpupipe.cloud.cloud import Cloud
from gpupipe.cloud.storage import Object
from gpupipe.core.errors import GpupipeError
from gpupipe.deploy.canary import PREFIX as CANARY
from gpupipe.deploy.fetch import Fetcher
from gpupipe.deploy.follow import output_name
from gpupipe.deploy.spec import PipelineSpec

RESULTS, ERRORS = "results", "errors"
_PARALLEL = 8
_AT_ONCE = 200
_SUFFIX = ".json"
# As long as generations of Cloud Storage are: the length decides whether a name is hashed.
_ANY_GENERATION = 10**15


@dataclass(frozen=True, slots=True)
class Result:
    """A result, or an error record where `failed`, of one generation of an input."""

    input: str
    generation: int
    failed: bool
    object: Object

    @property
    def created(self) -> datetime | None:
        """When it was written."""
        return self.object.created


def results(cloud: Cloud, spec: PipelineSpec, prefix: str = "") -> Iterator[Result]:
    """Those of the inputs below a prefix, in the order of their names; a page is held at a time.

    An error record beside a result of the same generation does not count. Inputs whose names
    were hashed come where no prefix is given.
    """
    bucket = spec.names.bucket("output")
    merged = heapq.merge(
        _listed(cloud, bucket, RESULTS, prefix), _listed(cloud, bucket, ERRORS, prefix),
        key=lambda one: one.name.partition("/")[2],
    )  # fmt: skip
    last = ""
    for one in merged:
        place = one.name.partition("/")[2]
        found = _result(one) if place != last else None
        if found is not None and not found.input.startswith(CANARY):
            yield found
        last = place


def _listed(cloud: Cloud, bucket: str, kind: str, prefix: str) -> Iterator[Object]:
    return cloud.storage.each_object(bucket, f"{kind}/{prefix}")


def _result(found: Object) -> Result | None:
    kind, _, place = found.name.partition("/")
    name, _, generation = place.removesuffix(_SUFFIX).rpartition(".")
    if not place.endswith(_SUFFIX) or not generation.isdecimal():
        return None
    told = found.metadata.get("gpupipe-input-name")
    return Result(unquote(told) if told else name, int(generation), kind == ERRORS, found)


def newest(
    cloud: Cloud, spec: PipelineSpec, name: str, generation: int | None = None
) -> Result | None:
    """The result or error record of an input: of its newest generation, or of the one that is given."""
    # What all of its generations have in common, also where the name is hashed.
    common = output_name(RESULTS, name, _ANY_GENERATION).removesuffix(f"{_ANY_GENERATION}{_SUFFIX}")
    found = [
        one
        for one in results(cloud, spec, common.removeprefix(f"{RESULTS}/"))
        if one.input == name and generation in {None, one.generation}
    ]
    return max(found, key=lambda one: one.generation, default=None)


def content(cloud: Cloud, found: Result) -> bytes:
    """What a result holds. GpupipeError where it has been deleted meanwhile."""
    data = cloud.storage.read(found.object.bucket, found.object.name)
    if data is None:
        raise GpupipeError(
            "The result is gone: it was deleted after it was listed.",
            resource=f"gs://{found.object.bucket}/{found.object.name}",
            resolution="Look what there is with gpupipe results list.",
            doc="reference/cli.md#results-get",
        )
    return data


def fetch_all(cloud: Cloud, found: Iterator[Result], fetcher: Fetcher) -> Iterator[Result]:
    """Write each below the fetcher's folder, of an input with several generations the last."""

    def one(result: Result) -> Result:
        fetcher.keep(result.input, result.object.name, content(cloud, result))
        return result

    with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="fetch") as pool:
        while some := list(islice(found, _AT_ONCE)):
            # Two of one input must not be written at the same time.
            last = {(result.input, result.failed): result for result in some}
            yield from pool.map(one, last.values())
