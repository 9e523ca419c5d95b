"""What `gpupipe model` does: check a bundle, push it, list what there is, use one."""

from dataclasses import dataclass, replace
from pathlib import Path

from gpupipe.commands import _deploy
from gpupipe.context import Context, open_context
from gpupipe.core.config import DEFAULT as NOBODY
from gpupipe.core.config import FILE, is_url
from gpupipe.core.errors import Exit, GpupipeError, UsageError
from gpupipe.core.flags import Flags
from gpupipe.core.toml_file import set_values
from gpupipe.deploy.bundles import read_bundle, start_s
from gpupipe.deploy.models import DEFAULT, Model, chosen, last_load_s, models, push
from gpupipe.deploy.pipelines import pipelines
from gpupipe.deploy.uploads import require_bucket
from gpupipe.render.console import answer, say, talk
from gpupipe.render.json_output import print_json
from gpupipe.render.models import (
    models_json,
    print_bundle,
    print_models,
    push_json,
    validate_json,
)
from gpupipe.render.output import Output
from gpupipe.render.progress import LOOKING, busy

_PARALLELISM = 8


@dataclass(frozen=True, slots=True)
class PushRequest:
    """The command line, parsed."""

    flags: Flags
    folder: Path
    name: str | None
    version: str | None
    output: Output


@dataclass(frozen=True, slots=True)
class ListRequest:
    """The command line, parsed."""

    flags: Flags
    output: Output


@dataclass(frozen=True, slots=True)
class UseRequest:
    """The command line, parsed."""

    flags: Flags
    model: str
    yes: bool
    canary: bool
    output: Output


def run_validate(folder: Path, name: str | None, version: str | None, output: Output) -> int:
    """Check a bundle; a UsageError tells why it cannot be served."""
    with busy(talk(), "Checking the model"):
        bundle = read_bundle(folder, name, version)
    if output is Output.JSON:
        print_json(validate_json(bundle))
    else:
        print_bundle(answer(), bundle)
    return Exit.DONE


def run_push(request: PushRequest) -> int:
    """Carry out the request; the exit code."""
    with busy(talk(), "Checking the model"):
        bundle = read_bundle(request.folder, request.name, request.version)
    context = open_context(request.flags)
    _require(context)
    uri = context.spec.model_uri(bundle.name, bundle.version)
    with busy(talk(), f"Pushing {bundle.total_bytes:,} bytes to {uri}"):
        written = push(context.cloud, context.spec, bundle)
    if request.output is Output.JSON:
        print_json(push_json(bundle, uri, written=written))
        return Exit.DONE
    print_bundle(answer(), bundle)
    say(answer(), f"{'Pushed to' if written else 'It was there already:'} {uri}")
    say(talk(), f"Use it with gpupipe model use {bundle.name}@{bundle.version}")
    return Exit.DONE


def run_list(request: ListRequest) -> int:
    """Carry out the request; the exit code."""
    context = open_context(request.flags)
    _require(context)
    with busy(talk(), LOOKING):
        found = models(context.cloud, context.spec)
        service = context.cloud.run.get(context.spec.service_name("gpu-inference"))
    uri = service.service.environment.get("MODEL_URI", "") if service else ""
    used = next(
        (str(one) for one in found if context.spec.model_uri(one.name, one.version) == uri), ""
    )
    if request.output is Output.JSON:
        print_json(models_json(found, used, context.spec.config.options.model))
    else:
        print_models(answer(), found, used)
    return Exit.DONE


def run_use(request: UseRequest) -> int:
    """Deploy with the model; once that is agreed to, the file names it."""
    context = open_context(request.flags)
    _require(context)
    if is_url(request.flags.config):
        raise UsageError(
            "`model use` writes the configuration file, and this one is in a bucket.",
            resource=str(request.flags.config),
            resolution="Change `model` in the object, then run gpupipe deploy.",
        )
    path = Path(request.flags.config or Path.cwd() / FILE)
    _require_file_counts(context, path)
    with busy(talk(), LOOKING):
        model = chosen(context.cloud, context.spec, request.model)
    value = None if model is None else str(model)

    def accepted() -> None:
        set_values(path, {"model": value})
        say(talk(), f"{path} names {value or 'no model: the one inside the image'}")

    deploy = _deploy.DeployRequest(
        flags=request.flags,
        yes=request.yes,
        dry_run=False,
        exit_code=False,
        allow_replace=False,
        adopt=False,
        rollback=True,
        verify=False,
        canary=request.canary,
        parallelism=_PARALLELISM,
        output=request.output,
    )
    code = _deploy.carry_out(deploy, _with_model(context, value), accepted)
    if code != Exit.DONE:
        before = context.config.options.model or DEFAULT
        say(
            talk(),
            f"{path} names what was to be used. Back to what it named: gpupipe model use {before}",
        )
    elif model is not None:
        _tell_load(context, model)
    return code


def _tell_load(context: Context, model: Model) -> None:
    """The first start beside the estimate; who may not read logs goes without."""
    try:
        load_s = last_load_s(context.cloud, context.spec, model)
    except GpupipeError:
        return
    if load_s is not None:
        say(talk(), f"The service took {load_s:.1f} s to load {model} ({start_s(model.bytes):.0f} s "
                    "were estimated until an instance is ready).")  # fmt: skip


def _require_file_counts(context: Context, path: Path) -> None:
    """UsageError where something else than the file says which model is used."""
    source = context.config.source("model")
    if source not in {NOBODY, path.name}:
        raise UsageError(
            f"The model is set by {source}, which wins over {path}.",
            resolution=f"Leave {source} out, then run the same command again.",
        )


def _with_model(context: Context, model: str | None) -> Context:
    """The context as the file will make it."""
    options = context.config.options.model_copy(update={"model": model})
    sources = {**context.config.sources, "model": FILE}
    config = replace(context.config, options=options, sources=sources)
    return replace(context, config=config, spec=replace(context.spec, config=config))


def _require(context: Context) -> None:
    bucket = context.spec.names.bucket("models")
    require_bucket(context.cloud, bucket, pipelines(context.cloud))
