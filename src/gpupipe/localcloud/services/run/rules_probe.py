"""Refusals of startup probes. What Google takes for the whole time of a probe is UNSURE."""

from gpupipe.localcloud.services.run.rule import Rule, Shape

_PATH = "service.template.containers.startup_probe"
_LONGEST_DELAY_S = 240
_LONGEST_PERIOD_S = 240
_LONGEST_S = 240
# Read of jobs; it is what lets a large model load, so services with a GPU get it too.
_LONGEST_GPU_S = 1800


def _kind(shape: Shape) -> str | None:
    if shape.container.startup_probe.WhichOneof("probe_type"):
        return None
    return "Exactly one of http_get, tcp_socket and grpc must be specified."


def _delay(shape: Shape) -> str | None:
    if 0 <= shape.container.startup_probe.initial_delay_seconds <= _LONGEST_DELAY_S:
        return None
    return f"initial_delay_seconds must be a number between 0 and {_LONGEST_DELAY_S}."


def _period(shape: Shape) -> str | None:
    if 0 < shape.container.startup_probe.period_seconds <= _LONGEST_PERIOD_S:
        return None
    return f"period_seconds must be a number between 0 and {_LONGEST_PERIOD_S}."


def _timeout(shape: Shape) -> str | None:
    probe = shape.container.startup_probe
    if probe.timeout_seconds < 1:
        return "timeout_seconds must be at least 1."
    # The recorded default has 240 for both, whatever the words of the refusal say.
    if probe.timeout_seconds > probe.period_seconds:
        return f"{_PATH}.timeout_seconds: must be less than period_seconds"
    return None


def _threshold(shape: Shape) -> str | None:
    probe = shape.container.startup_probe
    longest = _LONGEST_GPU_S if shape.has_gpu else _LONGEST_S
    if probe.failure_threshold >= 1 and probe.failure_threshold * probe.period_seconds <= longest:
        return None
    return (
        "failure_threshold must be at least 1, and failure_threshold times period_seconds at most "
        f"{longest} seconds."
    )


RULES = (
    Rule("probe-kind", _PATH, _kind),
    Rule("probe-delay", f"{_PATH}.initial_delay_seconds", _delay),
    Rule("probe-period", f"{_PATH}.period_seconds", _period),
    Rule("probe-timeout", f"{_PATH}.timeout_seconds", _timeout),
    Rule("probe-threshold", f"{_PATH}.failure_threshold", _threshold),
)
