"""What `gpupipe results` does: list what came out, get it."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from gpupipe.context import Context, open_context
from gpupipe.core.errors import Exit, GpupipeError, UsageError
from gpupipe.core.flags import Flags
from gpupipe.deploy.fetch import Fetcher
from gpupipe.deploy.follow import parsed
from gpupipe.deploy.pipelines import pipelines
from gpupipe.deploy.results import Result, content, fetch_all, newest, results
from gpupipe.deploy.uploads import require_bucket
from gpupipe.render.console import answer, say, talk
from gpupipe.render.json_output import print_json
from gpupipe.render.output import Output
from gpupipe.render.progress import LOOKING, busy
from gpupipe.render.results import print_results, results_json

_DOC = "reference/cli.md#results-get"


@dataclass(frozen=True, slots=True)
class ListRequest:
    """The command line, parsed."""

    flags: Flags
    prefix: str
    failed: bool
    limit: int
    output: Output


@dataclass(frozen=True, slots=True)
class GetRequest:
    """The command line, parsed."""

    flags: Flags
    name: str
    generation: int | None
    out: Path | None


def run_list(request: ListRequest) -> int:
    """Carry out the request; the exit code."""
    context = _open(request.flags)
    with busy(talk(), LOOKING):
        found = (
            one
            for one in results(context.cloud, context.spec, request.prefix)
            if one.failed or not request.failed
        )
        some = list(islice(found, request.limit + 1))
    shown, more = some[: request.limit], len(some) > request.limit
    if request.output is Output.JSON:
        print_json(results_json(context.spec.names.bucket("output"), shown, more=more))
    else:
        print_results(answer(), shown, more=more)
    return Exit.DONE


def run_get(request: GetRequest) -> int:
    """Carry out the request; the exit code, 1 for an error record."""
    many = request.name == "" or request.name.endswith("/")
    if many and (request.out is None or request.generation is not None):
        raise UsageError(
            f"{request.name or 'An empty name'} names many results.",
            resolution="Say with --out DIR where to write them; --generation goes with one name.",
            doc=_DOC,
        )
    context = _open(request.flags)
    found = results(context.cloud, context.spec, request.name) if many else _one(request, context)
    if request.out is not None:
        return _write(context, found, request.out)
    (result,) = found
    print_json(parsed(content(context.cloud, result)))
    return Exit.FAILED if result.failed else Exit.DONE


def _one(request: GetRequest, context: Context) -> Iterator[Result]:
    found = newest(context.cloud, context.spec, request.name, request.generation)
    if found is None:
        which = f" of generation {request.generation}" if request.generation else ""
        raise GpupipeError(
            f"There is no result{which} of {request.name}.",
            resource=f"gs://{context.spec.names.bucket('output')}/results/",
            resolution="gpupipe status shows what is still at work, gpupipe results list what came out.",
            doc=_DOC,
        )
    yield found


def _write(context: Context, found: Iterator[Result], folder: Path) -> int:
    fetcher = Fetcher(context.cloud, context.spec.names.bucket("output"), folder)
    total = failed = 0
    with busy(talk(), f"Writing to {folder}"):
        for one in fetch_all(context.cloud, found, fetcher):
            total += 1
            failed += one.failed
    say(talk(), f"Wrote {total:,} to {folder}" + (f", {failed:,} of them errors" if failed else ""))
    return Exit.DONE


def _open(flags: Flags) -> Context:
    context = open_context(flags)
    require_bucket(context.cloud, context.spec.names.bucket("output"), pipelines(context.cloud))
    return context
