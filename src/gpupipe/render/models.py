"""Models of the user's own: one that was checked or pushed, and those that there are."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console

from gpupipe.deploy.bundles import ASSUMED_BYTES_PER_S, Bundle
from gpupipe.deploy.models import Model
from gpupipe.render.columns import columns
from gpupipe.render.console import say

_MB = 1_000_000


def validate_json(bundle: Bundle) -> dict[str, Any]:
    """The documented shape of `model validate`."""
    return {"schema": "gpupipe.model-validate/1", **_bundle_json(bundle)}


def push_json(bundle: Bundle, uri: str, *, written: bool) -> dict[str, Any]:
    """The documented shape of `model push`."""
    return {
        "schema": "gpupipe.model-push/1",
        "uri": uri,
        "written": written,
        **_bundle_json(bundle),
    }


def _bundle_json(bundle: Bundle) -> dict[str, Any]:
    return {
        "name": bundle.name,
        "version": bundle.version,
        "task": bundle.task,
        "labels": list(bundle.labels),
        "bytes": bundle.total_bytes,
        "start_seconds": round(bundle.start_s, 1),
        "warnings": list(bundle.warnings),
    }


def print_bundle(console: Console, bundle: Bundle) -> None:
    """For people."""
    say(console, f"{bundle.name}@{bundle.version}: {bundle.task}, {len(bundle.labels)} labels")
    say(
        console,
        f"{bundle.total_bytes / _MB:,.1f} MB; an instance is estimated to be ready after "
        f"{bundle.start_s:.0f} s (at {ASSUMED_BYTES_PER_S / _MB:.0f} MB/s)",
    )
    for warning in bundle.warnings:
        say(console, f"Note: {warning}", "yellow")


def models_json(found: Sequence[Model], used: str, configured: str | None) -> dict[str, Any]:
    """The documented shape of `model list`."""
    return {
        "schema": "gpupipe.models/1",
        "used": used,
        "configured": configured or "",
        "models": [
            {
                "name": one.name,
                "version": one.version,
                "task": one.task,
                "labels": one.labels,
                "bytes": one.bytes,
                "pushed": one.pushed.isoformat() if one.pushed else "",
                "used": str(one) == used,
            }
            for one in found
        ],
    }


def print_models(console: Console, found: Sequence[Model], used: str) -> None:
    """A row a version; the one that the service has is marked."""
    if found:
        rows = [
            (
                "used" if str(one) == used else "",
                f"{one.pushed:%Y-%m-%d %H:%M} UTC" if one.pushed else "",
                f"{one.bytes / _MB:,.1f}",
                str(one.labels),
                one.task,
                str(one),
            )
            for one in found
        ]
        for line in columns(("", "pushed", ">MB", ">labels", "task", "model"), rows):
            say(console, line)
    else:
        say(console, "No model was pushed.")
    if not used:
        say(console, "The service uses the model inside its image.")
