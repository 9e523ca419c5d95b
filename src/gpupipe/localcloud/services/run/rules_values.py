"""Values that the local cloud does not emulate, of fields that it does: refused, never ignored.

Whole fields that it does not emulate are left out of `Rpc.fields` (services/run/methods.py).
"""

from collections.abc import Callable

from gpupipe.localcloud.errors import Code
from gpupipe.localcloud.services.run import messages
from gpupipe.localcloud.services.run.rule import Rule, Shape

_CONTAINER = "service.template.containers"


def _rule(path: str, what: str, applies: Callable[[Shape], bool]) -> Rule:
    text = f"The local cloud does not emulate {what} ({path})."
    return Rule(what, path, lambda shape: text if applies(shape) else None, Code.UNIMPLEMENTED)


def _probe_port(shape: Shape) -> int:
    probe = shape.container.startup_probe
    kind = probe.WhichOneof("probe_type")
    return int(getattr(probe, kind).port if kind else shape.container.ports[0].container_port)


RULES = (
    _rule(_CONTAINER, "more than one container", lambda s: len(s.template.containers) > 1),
    _rule(
        "service.scaling.scaling_mode",
        "manual scaling",
        lambda s: s.service.scaling.scaling_mode == messages.MANUAL,
    ),
    _rule(
        "service.ingress",
        "services without any ingress",
        lambda s: s.service.ingress == messages.INGRESS_NONE,
    ),
    _rule(
        f"{_CONTAINER}.ports.name",
        "HTTP/2 to the container",
        lambda s: any(port.name == "h2c" for port in s.container.ports),
    ),
    _rule(
        f"{_CONTAINER}.startup_probe",
        "a probe of another port",
        lambda s: _probe_port(s) != s.container.ports[0].container_port,
    ),
)
