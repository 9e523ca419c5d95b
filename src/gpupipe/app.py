"""The root command: mounts every command from one explicit list. Imports typer and no more."""

from collections.abc import Callable
from typing import Annotated, Any

import typer
import typer.main

from gpupipe import __version__
from gpupipe.core.manners import Manners, behave

_EVERYWHERE = frozenset({"--quiet", "--verbose", "--no-input"})
_EPILOG = (
    "First time? `gpupipe deploy` needs no account: it deploys to a local cloud on this machine."
)


def _version(value: bool) -> None:  # noqa: FBT001  # typer calls it so
    if value:
        typer.echo(f"gpupipe {__version__}")
        raise typer.Exit


def _root(
    *,
    version: Annotated[  # noqa: ARG001  # handled by its callback
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="Only the answer, questions and errors.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Each request to an API too, with its time.")
    ] = False,
    no_input: Annotated[
        bool,
        typer.Option("--no-input", help="Ask nothing: a question is an error naming its option."),
    ] = False,
) -> None:
    """A serverless GPU pipeline on Google Cloud, and a local cloud to try it on."""
    behave(Manners(quiet=quiet, verbose=verbose, no_input=no_input))


def everywhere(arguments: list[str]) -> list[str]:
    """The arguments with those options first that may stand anywhere, as people write them."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    first = [one for one in arguments[:end] if one in _EVERYWHERE]
    return first + [one for one in arguments[:end] if one not in _EVERYWHERE] + arguments[end:]


def build() -> Callable[..., Any]:
    """The command line as one callable."""
    from gpupipe.commands import (
        config,
        cost,
        deploy,
        destroy,
        doctor,
        executions,
        history,
        init,
        local,
        logs,
        model,
        plan,
        process,
        results,
        rollback,
        status,
        test_upload,
        validate,
        workflow,
    )

    app = typer.Typer(
        add_completion=True,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        epilog=_EPILOG,
    )
    app.callback()(_root)
    for name, command, short in (
        ("deploy", deploy.deploy, "Deploy the pipeline, or bring it up to date."),
        (
            "test-upload",
            test_upload.test_upload,
            "Send files, see each result and where the time went.",
        ),
        ("status", status.status, "See what exists, its health, what happened lately."),
        ("destroy", destroy.destroy, "Remove all of it, then prove that nothing is left."),
        ("logs", logs.logs, "See what services, workflow and builds say, also as it comes."),
        ("history", history.history, "See who deployed or destroyed it when, and the result."),
        ("cost", cost.cost, "See what the pipeline costs: idle, at worst, for files, so far."),
        ("doctor", doctor.doctor, "See what would stop a deploy, and what to do about it."),
        ("init", init.init, "Write gpupipe.toml, also from the recipe's terraform.tfvars."),
        ("plan", plan.plan, "See what a deploy would do, and why."),
        ("process", process.process, "Start executions for files that were there before."),
        (
            "validate",
            validate.validate,
            "Prove it with work: health, a canary, many files at once.",
        ),
        ("rollback", rollback.rollback, "Give the traffic back to an earlier release."),
    ):
        app.command(name, short_help=short)(command)
    app.add_typer(results.app, name="results", short_help="List and get what came out.")
    app.add_typer(
        executions.app,
        name="executions",
        short_help="See, end and repeat the runs of the workflow.",
    )
    app.add_typer(model.app, name="model", short_help="Check, push, list and use your own models.")
    app.add_typer(local.app, name="local", short_help="Start, stop and look into the local cloud.")
    app.add_typer(workflow.app, name="workflow", short_help="Check a workflow's source, offline.")
    app.add_typer(config.app, name="config", short_help="See what is configured, and what may be.")
    return typer.main.get_command(app)
