"""Which address an API has on Google Cloud. Explicit, so that no variable can divert a real deploy."""

import os
from collections.abc import Mapping

from gpupipe.core.errors import UsageError

# Cloud Build must be asked in its region: an operation made there is not found elsewhere.
_REGIONAL = frozenset({"cloudbuild"})


def endpoint(api: str, region: str) -> str:
    """The host of an API, by the short name of its service ("run", "cloudbuild", …)."""
    host = f"{api}.googleapis.com"
    return f"{region}-{host}" if api in _REGIONAL else host


def refuse_emulators(environment: Mapping[str, str] = os.environ) -> None:
    """A Google command does not start while a variable points some client at an emulator."""
    found = sorted(
        name for name, value in environment.items() if name.endswith("_EMULATOR_HOST") and value
    )
    if found:
        raise UsageError(
            f"{found[0]} is set: a client library could send calls to an emulator instead of Google.",
            details=f"Set: {', '.join(found)}" if len(found) > 1 else None,
            resolution=f"Unset it (unset {' '.join(found)}), or use --local.",
        )
