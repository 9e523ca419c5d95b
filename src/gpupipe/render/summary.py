"""The end of a deploy: what was made, where it is, what to type next."""

from typing import Any

from rich.console import Console
from rich.text import Text

from gpupipe.cloud.target import Target
from gpupipe.core.names import BUCKETS, SERVICES
from gpupipe.deploy.canary import Proof
from gpupipe.deploy.engine import Deployed
from gpupipe.deploy.executor import Outcome
from gpupipe.deploy.spec import PipelineSpec
from gpupipe.render.columns import columns
from gpupipe.render.console import say
from gpupipe.render.errors import error_json, lines
from gpupipe.render.pace import duration
from gpupipe.render.plan import Shown, action_json, plan_json

SCHEMA = "gpupipe.deploy/1"


def outputs(target: Target, spec: PipelineSpec, uris: dict[str, str]) -> dict[str, Any]:
    """Names and addresses of the pipeline."""
    names = spec.names
    return {
        "target": target.kind.value,
        "project": names.project,
        "region": names.region,
        "prefix": names.prefix,
        "buckets": {role: names.bucket(role) for role in BUCKETS},
        "services": {service: uris.get(service, "") for service in SERVICES},
        "workflow": names.workflow,
        "trigger": names.trigger,
        "repository": names.repository,
    }


def deployed_json(
    target: Target, spec: PipelineSpec, done: Deployed, seconds: float
) -> dict[str, Any]:
    """The documented shape of a deploy's answer. seconds: how long it took."""
    return {
        "schema": SCHEMA,
        **outputs(target, spec, done.facts.uris),
        "plan": plan_json(
            Shown(done.plan.actions, tuple(done.facts.notes.values()), done.canary is not None)
        ),
        **outcome_json(done.outcome),
        "seconds": round(seconds, 3),
        "canary": None if done.canary is None else proof_json(done.canary),
    }  # fmt: skip


def outcome_json(outcome: Outcome) -> dict[str, Any]:
    """What became of each action."""
    return {
        "done": [action_json(one) for one in outcome.done],
        "failed": [
            {**action_json(one), "error": error_json(error)} for one, error in outcome.errors
        ],
        "skipped": [{**action_json(one), "why": why} for one, why in outcome.skipped],
    }


def proof_json(proof: Proof) -> dict[str, Any]:
    """The documented shape of what a canary showed."""
    return {
        "state": proof.outcome.state,
        "label": proof.outcome.label,
        "seconds": proof.outcome.seconds,
        "waited_s": proof.waited_s,
        "hops": [
            {"hop": one.name, "verdict": one.verdict, "seconds": one.seconds} for one in proof.hops
        ],
    }


def print_proof(console: Console, proof: Proof) -> None:
    """What a canary showed, hop by hop."""
    say(console, f"  Proof: a canary file went in and came out as {proof.outcome.label}.")
    if proof.waited_s:
        say(console, f"    trigger and grants were effective after {proof.waited_s:.0f} s")
    for hop in proof.hops:
        time = "" if hop.seconds is None else f"{hop.seconds:>8.2f} s"
        say(console, f"    {hop.name:<12}{hop.verdict}{time}", "dim")


def print_deployed(
    console: Console, target: Target, spec: PipelineSpec, done: Deployed, seconds: float
) -> None:
    """The summary for people. seconds: how long it took, told where something was done."""
    took = f"  It took {duration(seconds)}."
    if done.outcome.failed:
        print_failure(console, done.outcome)
        say(console, took, "dim")
        return
    names, where = spec.names, options(target, spec)
    say(console, "")
    say(console, "The pipeline is deployed.", "bold green")
    if done.outcome.done or done.canary is not None:
        say(console, took, "dim")
    if done.canary is not None:
        print_proof(console, done.canary)
    say(console, "")
    say(console, Text.assemble("  Put files into   ", (f"gs://{names.bucket('input')}", "cyan")))
    say(
        console,
        Text.assemble("  Results come to  ", (f"gs://{names.bucket('output')}/results/", "cyan")),
    )
    say(console, "  The services answer the workflow at")
    for service in SERVICES:
        # Nothing before it: so the local cloud's long addresses fit a window of 80 columns.
        say(console, f"  {done.facts.uris.get(service, '')}", "cyan")
    say(console, "")
    say(console, "Next:")
    commands = (
        (f"gpupipe test-upload{where}", "send sample files, see the predictions"),
        (f"gpupipe status{where}", "see how it is"),
        (f"gpupipe destroy{where}", "remove all of it"),
    )
    for line in columns(("", ""), [[Text(f"  {one}", "bold"), what] for one, what in commands])[1:]:
        say(console, line)


def print_failure(console: Console, outcome: Outcome) -> None:
    """What was done and what was not, with the reasons."""
    total = len(outcome.done) + len(outcome.errors) + len(outcome.skipped)
    say(console, "")
    say(console, f"Not finished: {len(outcome.done)} of {total} steps are done.", "bold red")
    for told, steps in _by_error(outcome).items():
        for line in (*told, f"  Steps: {', '.join(steps)}"):
            say(console, line)
    for action, why in outcome.skipped:
        say(console, f"Skipped {action.kind} {action.name}: {why}")
    say(console, "")
    say(console, "Run the same command again: it finds what is there and finishes the rest.")


def _by_error(outcome: Outcome) -> dict[tuple[str, ...], list[str]]:
    """Each error once, with the steps that met it: an interruption or an outage meets many."""
    found: dict[tuple[str, ...], list[str]] = {}
    for action, error in outcome.errors:
        found.setdefault(tuple(lines(error)), []).append(f"{action.kind} {action.name}")
    return found


def _from_flags_preset(spec: PipelineSpec, name: str) -> bool:
    """Whether a value came with a preset that other commands do not know of."""
    config = spec.config
    return config.source("preset") == "flag" and config.source(name).startswith("preset ")


def options(target: Target, spec: PipelineSpec) -> str:
    """The options that name this pipeline again."""
    parts = [" --local"] if target.is_local else []
    if target.project_source == "flag":
        parts.append(f" --project {target.project}")
    for name, value in (("region", spec.names.region), ("prefix", spec.names.prefix)):
        if spec.config.source(name) == "flag" or _from_flags_preset(spec, name):
            parts.append(f" --{name} {value}")
    return "".join(parts)
