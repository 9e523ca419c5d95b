"""The standard library: one table of functions, from an explicit list of namespaces."""

from gpupipe.workflows.stdlib import connectors, data, events, helpers, http_, regex, system, text
from gpupipe.workflows.stdlib.function import Function

FUNCTIONS: dict[str, Function] = {
    function.name: function
    for namespace in (helpers, data, text, regex, system, http_, connectors, events)
    for function in namespace.FUNCTIONS
}
# What Workflows has and is not here, by the beginning of its name.
_NOT_EMULATED = {
    "googleapis.": "this connector is not emulated; call the API with http.request",
    "experimental.": "experimental functions are not emulated",
}


def not_emulated(name: str) -> str | None:
    """Why a function of Workflows cannot be used here; None for one that Workflows has not either."""
    for beginning, reason in _NOT_EMULATED.items():
        if name.startswith(beginning):
            return f"{name}: {reason}"
    return None
