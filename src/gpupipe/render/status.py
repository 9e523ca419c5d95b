"""The state of a pipeline: resources, health, the last executions."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.text import Text

from gpupipe.cloud.executions import Execution
from gpupipe.cloud.target import Target
from gpupipe.core.prices import Prices, prices
from gpupipe.deploy.activity import Activity
from gpupipe.deploy.checks import HEALTHY, NOT_CHECKED, UNHEALTHY, Check
from gpupipe.deploy.costs import Cost, cost_of, text, total
from gpupipe.deploy.firing import Alerts
from gpupipe.deploy.health import State
from gpupipe.deploy.pipelines import Pipeline
from gpupipe.deploy.spec import PipelineSpec
from gpupipe.render.activity import activity_json, activity_lines, alert_lines, alerts_json
from gpupipe.render.columns import Cell, columns
from gpupipe.render.console import say
from gpupipe.render.cost import amount_json
from gpupipe.render.executions import execution_json
from gpupipe.render.pipelines import pipelines_json, print_pipelines
from gpupipe.render.summary import outputs as names_of

SCHEMA = "gpupipe.status/1"
_EXECUTIONS = 8
_STYLES = {"ready": "green", "absent": "dim", "changing": "yellow", "held": "yellow", "failed": "bold red",
           HEALTHY: "green", UNHEALTHY: "bold red", NOT_CHECKED: "yellow",
           "SUCCEEDED": "green", "FAILED": "bold red", "ACTIVE": "cyan"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Status:
    """What status shows."""

    target: Target
    spec: PipelineSpec
    resources: tuple[State, ...]
    uris: Mapping[str, str]
    activity: Activity
    alerts: Alerts
    pipelines: tuple[Pipeline, ...]
    outputs: Mapping[str, Any] = field(default_factory=dict)
    checks: tuple[Check, ...] = ()

    def cost(self) -> tuple[Cost, Cost, Prices]:
        """What the services cost as they are: a month without any file, an hour at worst, by which prices."""
        table = prices(self.spec.names.region)
        services = [one.service for one in self.resources if one.service is not None]
        each = [cost_of(one.name, one, table) for one in services]
        idle, worst = (one.idle_month for one in each), (one.worst_hour for one in each)
        return total(idle), total(worst), table

    @property
    def executions(self) -> tuple[Execution, ...]:
        """The last ones, the newest first; those of canary files are left out."""
        runs = self.activity.runs
        return runs.newest[:_EXECUTIONS] if runs else ()

    @property
    def exists(self) -> bool:
        """Whether there is anything of this pipeline.

        Grants say nothing: their members name no region, and none of ours outlives its account.
        """
        return any(
            one.state not in {"absent", "foreign"}
            for one in self.resources
            if one.kind != "project grants"
        )

    @property
    def healthy(self) -> bool:
        """Whether all is there and serves, be it with an older release; with checks, also whether no
        service is unhealthy and no alert policy fires.

        An image of this very source that is not built yet and what was not checked say nothing.
        """
        serves = all(
            one.state in {"ready", "held"} for one in self.resources if one.kind != "image"
        )
        alarmed = bool(self.checks and self.alerts.firing)
        return (
            self.exists
            and serves
            and not alarmed
            and all(one.verdict != UNHEALTHY for one in self.checks)
        )


def status_json(status: Status) -> dict[str, Any]:
    """The documented shape; resources are empty where there is no pipeline."""
    return {
        "schema": SCHEMA,
        **names_of(status.target, status.spec, dict(status.uris)),
        "exists": status.exists,
        "healthy": status.healthy,
        "health": [
            {
                "service": one.service,
                "verdict": one.verdict,
                "detail": one.detail,
                "said": dict(one.said),
            }
            for one in status.checks
        ],
        "cost": _cost_json(status) if status.exists else None,
        "outputs": dict(status.outputs) if status.exists else {},
        "resources": [
            {"kind": one.kind, "name": one.name, "state": one.state, "detail": one.detail}
            for one in status.resources
            if status.exists
        ],
        "activity": activity_json(status.activity) if status.exists else None,
        "alerts": alerts_json(status.alerts) if status.exists else None,
        "executions": [execution_json(one) for one in status.executions],
        "pipelines": pipelines_json(status.pipelines),
    }


def _cost_json(status: Status) -> dict[str, Any]:
    idle, worst, table = status.cost()
    return {
        "currency": table.currency,
        "prices_as_of": table.as_of,
        "idle_month": amount_json(idle),
        "worst_hour": amount_json(worst),
    }


def print_status(console: Console, status: Status) -> None:
    """The tables for people."""
    if not status.exists:
        names = status.spec.names
        say(console, f"There is no pipeline {names.prefix} in {names.region}.")
        print_pipelines(console, status.pipelines)
        return
    for line in columns(
        ("state", "resource", "name", ""), [_resource(x) for x in status.resources]
    ):
        say(console, line)
    _print_checks(console, status.checks)
    healthy, word = (True, "healthy") if status.healthy else (False, "not healthy")
    say(console, "")
    say(console, f"The pipeline is {word}.", "green" if healthy else "bold red")
    _print_cost(console, status)
    say(console, "")
    for line in (*activity_lines(status.activity), *alert_lines(status.alerts)):
        say(console, line)
    if status.executions:
        say(console, "")
    for line in _execution_lines(status.executions):
        say(console, line)


def watch_lines(status: Status) -> Iterator[Text]:
    """All of it on one screen of 24 lines: of the resources only those that are not ready, a line each."""
    names = status.spec.names
    if not status.exists:
        yield Text(f"There is no pipeline {names.prefix} in {names.region}.")
        return
    word, style = ("healthy", "green") if status.healthy else ("not healthy", "bold red")
    at = f"{status.activity.at:%H:%M:%S}Z"
    ready = sum(one.state == "ready" for one in status.resources)
    told = f"{ready} of {len(status.resources)} resources ready"
    yield Text.assemble(
        (names.prefix, "bold"), f" in {names.region} is ", (word, style), f", {told}"
    )
    rest = [one for one in status.resources if one.state != "ready"]
    yield from columns(("", "", "", ""), [_resource(one) for one in rest])[1:]
    for one in status.checks:
        yield Text.assemble(one.service, " ", (one.verdict, _STYLES[one.verdict]), f" {one.detail}")
    yield Text()
    yield from activity_lines(status.activity)
    yield from alert_lines(status.alerts)
    yield Text()
    yield from _execution_lines(status.executions)
    yield Text(f"As of {at}. Ctrl-C ends it.", "dim")


def _print_cost(console: Console, status: Status) -> None:
    idle, worst, table = status.cost()
    would = (
        "On Google Cloud the services would cost" if status.target.is_local else "The services cost"
    )
    say(
        console,
        f"{would} {text(idle, table)} a month while idle, {text(worst, table)} an hour at worst "
        "(gpupipe cost).",
        "dim",
    )


def status_env(status: Status) -> str:
    """The outputs that are one text each, as lines that a shell of the POSIX family reads.

    Names in capitals. GPUPIPE_TARGET stands first: the project alone would mean Google Cloud. Nothing where
    there is no pipeline: names of what is not there would be taken for it.
    """
    if not status.exists:
        return ""
    target = {"gpupipe_target": status.target.kind.value}
    return "".join(
        f"export {name.upper()}={shlex.quote(value)}\n"
        for name, value in {**target, **status.outputs}.items()
        if isinstance(value, str)
    )


def _print_checks(console: Console, checks: Sequence[Check]) -> None:
    if not checks:
        return
    say(console, "")
    rows: list[list[Cell]] = [
        [Text(one.verdict, _STYLES[one.verdict]), one.service, one.detail] for one in checks
    ]
    for line in columns(("health", "service", ""), rows):
        say(console, line)


def _resource(one: State) -> list[Cell]:
    return [
        Text(one.state, style=_STYLES.get(one.state, "yellow")),
        one.kind,
        one.name,
        Text(one.detail, style="dim"),
    ]


def _execution_lines(executions: Sequence[Execution]) -> Iterator[Text]:
    if executions:
        yield Text("Last executions", "bold")
        head = ("state", ">seconds", "execution", "file")
        yield from columns(head, [_run(one) for one in executions])


def _run(one: Execution) -> list[Cell]:
    seconds = (one.ended - one.started).total_seconds() if one.ended and one.started else None
    return [
        Text(one.state.lower(), style=_STYLES.get(one.state, "")),
        "" if seconds is None else f"{seconds:.1f}",
        one.execution_id[:8],
        one.file,
    ]
