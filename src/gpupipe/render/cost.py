"""The cost of a pipeline as tables for people and as JSON for programs."""

from typing import Any

from rich.console import Console

from gpupipe.deploy.cost_report import Actual, Report
from gpupipe.deploy.costs import FILES, IDLE_TAIL_S, Cost, text, total
from gpupipe.render.columns import Cell, columns
from gpupipe.render.console import say

SCHEMA = "gpupipe.cost/1"


def cost_json(report: Report) -> dict[str, Any]:
    """The documented shape; amounts are text, so that no digit is lost."""
    return {
        "schema": SCHEMA,
        "currency": report.prices.currency,
        "prices_as_of": report.prices.as_of,
        "prices_source": report.prices.source,
        "region": report.prices.region,
        "idle_month": amount_json(report.idle_month),
        "worst_hour": amount_json(report.worst_hour),
        "files": None if report.files is None else amount_json(report.files),
        "files_count": FILES,
        "seconds_of_file": None if report.seconds_of_file is None else str(report.seconds_of_file),
        "idle_tail_s": IDLE_TAIL_S,
        "services": [
            {
                "service": one.service,
                "idle_month": amount_json(one.idle_month),
                "instance_hour": amount_json(one.instance_hour),
                "worst_hour": amount_json(one.worst_hour),
            }
            for one in report.services
        ],
        "actual": [_actual_json(one) for one in report.actual],
        "not_counted": list(report.elsewhere),
        "warnings": list(report.warnings),
    }


def _actual_json(one: Actual) -> dict[str, Any]:
    return {
        "service": one.service,
        "since": one.since,
        "instance_seconds": None if one.why else one.seconds,
        "cost": amount_json(one.cost),
        "why_not_known": one.why,
    }


def amount_json(cost: Cost) -> dict[str, Any]:
    """An amount in its documented shape."""
    return {"known": f"{cost.known:f}", "unknown": list(cost.unknown)}


def print_cost(console: Console, report: Report, *, by_service: bool, local: bool) -> None:
    """The tables: in all, or service by service."""
    if local:
        say(console, "The local cloud costs nothing. On Google Cloud the same would cost:")
    rows = _services(report) if by_service else _together(report)
    for line in columns(("", "cost"), rows)[1:]:
        say(console, line)
    for one in report.warnings:
        say(console, f"Warning: {one}", "yellow")
    say(console, f"Not counted, for want of a price: {', '.join(report.elsewhere)}.", "dim")
    table = report.prices
    say(console, f"Prices as of {table.as_of}, {table.region}: {table.source}.", "dim")


def _together(report: Report) -> list[list[Cell]]:
    rows: list[list[Cell]] = [
        ["idle, a month", text(report.idle_month, report.prices)],
        ["one instance of each, an hour",
         text(total(one.instance_hour for one in report.services), report.prices)],
        ["at worst (every maximum), an hour", text(report.worst_hour, report.prices)],
        _files(report),
    ]  # fmt: skip
    if report.actual:
        cost = total(one.cost for one in report.actual)
        since = min(one.since for one in report.actual)
        rows.append([f"so far, since {since:%Y-%m-%d %H:%M} UTC", text(cost, report.prices)])
    return rows


def _files(report: Report) -> list[Cell]:
    if report.files is None:
        return [f"{FILES:,} files", "not known: no file was measured; give --file-seconds"]
    how = f"{FILES:,} files of {report.seconds_of_file} s, one by one, with {IDLE_TAIL_S} s idle"
    return [how, text(report.files, report.prices)]


def _services(report: Report) -> list[list[Cell]]:
    rows: list[list[Cell]] = []
    actual = {one.service: one for one in report.actual}
    for one in report.services:
        for title, cost in (
            ("idle, a month", one.idle_month),
            ("an instance, an hour", one.instance_hour),
            ("at worst, an hour", one.worst_hour),
        ):
            rows.append([f"{one.service}: {title}", text(cost, report.prices)])
        if billed := actual.get(one.service):
            seconds = f"{billed.seconds:,.0f} instance seconds" if not billed.why else billed.why
            rows.append(
                [f"{one.service}: so far", f"{text(billed.cost, report.prices)}; {seconds}"]
            )
    return rows
