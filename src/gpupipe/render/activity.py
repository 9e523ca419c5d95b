"""What a pipeline does just now, and which alerts fire: a table for people, a shape for programs."""

from collections.abc import Iterator
from typing import Any

from rich.text import Text

from gpupipe.deploy.activity import MOST_ACTIVE, WINDOW_S, Activity, Gpu, Runs, Work
from gpupipe.deploy.firing import Alerts, Firing
from gpupipe.render.columns import Cell, columns

_MINUTES = WINDOW_S // 60
_HEAD = ("stage", ">count", ">per min", ">p50", ">p95", ">failed", "")
_FEW_S = 1.0


def activity_json(found: Activity) -> dict[str, Any]:
    """The documented shape."""
    runs = found.runs
    return {
        "at": found.at,
        "window_s": WINDOW_S,
        "executions": None if runs is None else _runs_json(runs),
        "services": None if found.work is None else [_work_json(one) for one in found.work],
        "gpu": None if found.gpu is None else {
            "utilization_p50": found.gpu.p50,
            "utilization_p95": found.gpu.p95,
            "memory_p95": found.gpu.memory_p95,
        },
        "undelivered_events": found.undelivered,
        "notes": list(found.notes),
    }  # fmt: skip


def _runs_json(runs: Runs) -> dict[str, Any]:
    return {
        "active": runs.active,
        "queued": runs.queued,
        "succeeded": runs.succeeded,
        "failed": runs.failed,
        "cancelled": runs.cancelled,
        "canaries": runs.canaries,
        "per_minute": runs.ended / _MINUTES,
        "p50_s": runs.p50_s,
        "p95_s": runs.p95_s,
    }


def _work_json(one: Work) -> dict[str, Any]:
    return {
        "service": one.service,
        "requests": one.requests,
        "per_minute": one.requests / _MINUTES,
        "refused": one.refused,
        "errors": one.errors,
        "error_rate": one.errors / one.requests if one.requests else None,
        "p50_s": one.p50_s,
        "p95_s": one.p95_s,
        "instances": one.instances,
        "active_instances": one.active,
    }


def alerts_json(found: Alerts) -> dict[str, Any]:
    """The documented shape."""
    return {
        "policies": None if found.why else found.policies,
        "why_not_known": found.why,
        "firing": [
            {
                "policy": one.policy,
                "condition": one.condition,
                "labels": dict(one.labels),
                "value": one.value,
                "threshold": one.threshold,
            }
            for one in found.firing
        ],
    }


def activity_lines(found: Activity) -> Iterator[Text]:
    """A row for the executions and for each service, then the GPU and the events."""
    yield Text(f"The last {_MINUTES} minutes", "bold")
    rows: list[list[Cell]] = [] if found.runs is None else [_runs(found.runs)]
    rows += [_work(one) for one in found.work or ()]
    yield from columns(_HEAD, rows) if rows else ()
    if found.work is not None:
        yield Text(f"GPU: {_gpu(found.gpu)}.{_events(found.undelivered)}")
    for note in found.notes:
        yield Text(f"Not known: {note}", "yellow")


def _runs(one: Runs) -> list[Cell]:
    waiting = f", {_most(one.queued)} queued" if one.queued else ""
    cells = _numbers("executions", one.ended, one.p50_s, one.p95_s, one.failed)
    canaries = f", {one.canaries:,} of canary files besides" if one.canaries else ""
    return [*cells, f"{_most(one.active)} active{waiting}{canaries}"]


def _work(one: Work) -> list[Cell]:
    up = f"{one.instances} instance{'' if one.instances == 1 else 's'}"
    busy = f", {one.active} at work" if one.active else ""
    answers = f"answer{'' if one.refused == 1 else 's'} 4xx"
    refused = f", {one.refused:,} {answers}" if one.refused else ""
    cells = _numbers(one.service, one.requests, one.p50_s, one.p95_s, one.errors)
    return [*cells, f"{up}{busy}{refused}"]


def _numbers(
    name: str, count: int, p50_s: float | None, p95_s: float | None, failed: int
) -> list[Cell]:
    share = f" {100 * failed / count:.1f}%" if failed and count else ""
    return [
        name,
        f"{count:,}",
        f"{count / _MINUTES:,.1f}",
        _seconds(p50_s),
        _seconds(p95_s),
        Text(f"{failed:,}{share}", "bold red" if failed else ""),
    ]


def _seconds(value: float | None) -> str:
    """Milliseconds of what is short, three places at most of what is not."""
    if value is None:
        return "-"
    return f"{1000 * value:.0f} ms" if value < _FEW_S else f"{value:.1f} s"


def _most(count: int) -> str:
    return f"{count:,}{'+' if count >= MOST_ACTIVE else ''}"


def _gpu(found: Gpu | None) -> str:
    if found is None:
        return "not measured"
    memory = "" if found.memory_p95 is None else f", memory {found.memory_p95:.0%}"
    return f"{found.p50:.0%} of the time at work, p95 {found.p95:.0%}{memory}"


def _events(undelivered: int | None) -> str:
    return "" if undelivered is None else f" Events that wait: {undelivered:,}."


def alert_lines(found: Alerts) -> Iterator[Text]:
    """One for each that fires; else that none does."""
    if found.why:
        yield Text(f"Whether alerts fire is not known: {found.why}", "yellow")
    elif not found.policies:
        yield Text("There is no alert policy.", "dim")
    elif not found.firing:
        yield Text(f"None of {found.policies} alert policies fires.")
    for one in found.firing:
        yield Text.assemble(("FIRING ", "bold red"), f"{one.policy}: {one.condition}{_which(one)}")


def _which(one: Firing) -> str:
    names = ", ".join(one.labels.values())
    return f" ({names})" if names else ""
