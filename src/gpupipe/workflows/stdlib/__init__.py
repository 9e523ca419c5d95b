"""The standard library: one table of functions, from an explicit list of namespaces."""

from gpupipe.workflows.stdlib import data, helpers, http_, system, text
from gpupipe.workflows.stdlib.function import Function

FUNCTIONS: dict[str, Function] = {
    function.name: function
    for namespace in (helpers, data, text, system, http_)
    for function in namespace.FUNCTIONS
}
