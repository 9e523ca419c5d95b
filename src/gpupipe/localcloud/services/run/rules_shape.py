"""Refusals of names, labels, probes, limits of time and number (sources: gcp-facts §1 and §2)."""

import re
from collections.abc import Iterable
from typing import Any

from gpupipe.localcloud.services.run import messages
from gpupipe.localcloud.services.run.examples import attribute, container, label, variable
from gpupipe.localcloud.services.run.rule import Certainty, Rule, Shape

_ID = re.compile(r"[a-z]([a-z0-9-]{0,47}[a-z0-9])?")
_LABEL_KEY = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_LABEL_VALUE = re.compile(r"[a-z0-9_-]{0,63}")
_RESERVED = (
    "run.googleapis.com",
    "cloud.googleapis.com",
    "serving.knative.dev",
    "autoscaling.knative.dev",
)
_MOST_LABELS = 64
_LONGEST_TIMEOUT_S = 3600
_MOST_CONCURRENCY = 1000
_LONGEST_DESCRIPTION = 512
_LONGEST_DELAY_S = 240
_LONGEST_PROBE_S = 240
_LONGEST_GPU_PROBE_S = 1800
_PLATFORM_VARIABLES = frozenset({"PORT", "K_SERVICE", "K_REVISION", "K_CONFIGURATION"})
_LOCAL_VARIABLES = frozenset(
    {"GCE_METADATA_HOST", "GCE_METADATA_IP", "GCE_METADATA_TIMEOUT", "API_ENDPOINT_OVERRIDE"}
)


def _service_id(shape: Shape) -> str | None:
    if _ID.fullmatch(shape.service_id):
        return None
    return (
        f"Invalid service id {shape.service_id!r}: it must begin with a letter, must not end with "
        "a hyphen, hold only lower-case letters, digits and hyphens, and be shorter than 50 "
        "characters."
    )


def _all_keys(shape: Shape) -> Iterable[str]:
    for holder in (shape.service, shape.template):
        yield from holder.labels
        yield from holder.annotations


def _reserved_keys(shape: Shape) -> str | None:
    for key in _all_keys(shape):
        if key.partition("/")[0] in _RESERVED:
            return f"Labels and annotations of the namespace of {key!r} are not supported in v2."
    return None


def _labels(shape: Shape) -> str | None:
    for labels in (shape.service.labels, shape.template.labels):
        if len(labels) > _MOST_LABELS:
            return f"At most {_MOST_LABELS} labels are allowed."
        for key, value in labels.items():
            if not (_LABEL_KEY.fullmatch(key) and _LABEL_VALUE.fullmatch(value)):
                return f"Invalid label {key!r}: {value!r}."
    return None


def _timeout(shape: Shape) -> str | None:
    seconds = shape.template.timeout.seconds + shape.template.timeout.nanos / 1e9
    if 0 < seconds <= _LONGEST_TIMEOUT_S:
        return None
    return f"The timeout must be more than 0 and at most {_LONGEST_TIMEOUT_S} seconds."


def _concurrency(shape: Shape) -> str | None:
    if 1 <= shape.template.max_instance_request_concurrency <= _MOST_CONCURRENCY:
        return None
    return f"The concurrency must be between 1 and {_MOST_CONCURRENCY}."


def _instances(shape: Shape) -> str | None:
    scaling = shape.template.scaling
    # A maximum of 0 is one that was not set; the quotas decide it later.
    counts = (scaling.min_instance_count, scaling.max_instance_count)
    if min(counts) < 0 or 0 < counts[1] < counts[0]:
        return "The minimum of instances must be 0 or more and at most the maximum."
    return None


def _probe(shape: Shape) -> str | None:
    probe = shape.container.startup_probe
    longest = _LONGEST_GPU_PROBE_S if shape.has_gpu else _LONGEST_PROBE_S
    if not 0 <= probe.initial_delay_seconds <= _LONGEST_DELAY_S:
        return f"initial_delay_seconds must be between 0 and {_LONGEST_DELAY_S}."
    if not 1 <= probe.period_seconds <= _LONGEST_PROBE_S:
        return f"period_seconds must be between 1 and {_LONGEST_PROBE_S}."
    if not 1 <= probe.timeout_seconds <= probe.period_seconds:
        return "timeout_seconds must be between 1 and period_seconds."
    if probe.failure_threshold < 1 or probe.failure_threshold * probe.period_seconds > longest:
        return f"failure_threshold times period_seconds must be at most {longest} seconds."
    return None


def _variables(shape: Shape) -> str | None:
    names = [variable.name for variable in shape.container.env]
    for name in names:
        if not name or "=" in name or names.count(name) > 1:
            return f"The variable {name!r} has no valid name or is there twice."
        if name in _PLATFORM_VARIABLES:
            return f"The following reserved env names were provided: {name}."
    return None


def _local_variables(shape: Shape) -> str | None:
    taken = _LOCAL_VARIABLES.intersection(variable.name for variable in shape.container.env)
    if not taken:
        return None
    return f"The local cloud sets the variable {min(taken)} itself."


def _traffic(shape: Shape) -> str | None:
    targets = shape.service.traffic
    if any(target.percent < 0 for target in targets) or sum(t.percent for t in targets) != 100:  # noqa: PLR2004
        return "The traffic percentages must be 0 or more and sum to 100."
    for target in targets:
        if target.type_ == messages.LATEST and not target.revision:
            continue
        if target.type_ == messages.REVISION and target.revision:
            continue
        return "Each traffic target is either LATEST without a revision or REVISION with one."
    return None


def _revision_name(shape: Shape) -> str | None:
    name = shape.template.revision
    if not name or (name.startswith(f"{shape.service_id}-") and _ID.fullmatch(name)):
        return None
    return f"The revision name {name!r} must begin with the service name and a hyphen."


def _image(shape: Shape) -> str | None:
    if shape.template.containers and shape.container.image:
        return None
    return "The template must have a container with an image."


def _description(shape: Shape) -> str | None:
    if len(shape.service.description) <= _LONGEST_DESCRIPTION:
        return None
    return f"The description must have at most {_LONGEST_DESCRIPTION} characters."


def _too_long_probe(service: Any) -> None:
    probe = service.template.containers[0].startup_probe
    probe.tcp_socket.SetInParent()
    probe.period_seconds, probe.failure_threshold = 120, 3


_LIB = "run_v2 docstrings"
_LABELS = "gcp-facts §6: labels"

NEEDED = Rule(
    "image",
    "template.containers.image",
    _image,
    f"{_LIB}: Container.image",
    Certainty.RULE,
    container(lambda c: c.ClearField("image")),
)
"""Every other rule reads the container, so this one comes first."""

RULES = (
    Rule(
        "service-id",
        "service_id",
        _service_id,
        f"{_LIB}: CreateServiceRequest.service_id",
        Certainty.RULE,
        attribute("name", "Bad_Name"),
    ),
    Rule(
        "reserved-namespace",
        "labels",
        _reserved_keys,
        f"{_LIB}: Service.labels",
        Certainty.RULE,
        lambda s: s.annotations.update({"run.googleapis.com/ingress": "all"}),
    ),
    Rule("labels", "labels", _labels, _LABELS, Certainty.RULE, label("Upper", "x")),
    Rule(
        "description",
        "description",
        _description,
        f"{_LIB}: Service.description",
        Certainty.RULE,
        attribute("description", "d" * 513),
    ),
    Rule(
        "timeout",
        "template.timeout",
        _timeout,
        "run/docs/configuring/request-timeout",
        Certainty.RULE,
        attribute("template.timeout.seconds", 3601),
    ),
    Rule(
        "concurrency",
        "template.max_instance_request_concurrency",
        _concurrency,
        "own knowledge",
        Certainty.UNSURE,
        attribute("template.max_instance_request_concurrency", 1001),
    ),
    Rule(
        "instances",
        "template.scaling",
        _instances,
        "own knowledge",
        Certainty.UNSURE,
        attribute("template.scaling.min_instance_count", -1),
    ),
    Rule(
        "startup-probe",
        "template.containers.startup_probe",
        _probe,
        f"{_LIB}: Probe; run/docs/configuring/healthchecks",
        Certainty.RULE,
        _too_long_probe,
    ),
    Rule(
        "reserved-variable",
        "template.containers.env",
        _variables,
        "own knowledge",
        Certainty.UNSURE,
        variable("PORT"),
    ),
    Rule(
        "local-variable",
        "template.containers.env",
        _local_variables,
        "the runner points the libraries at this machine by these",
        Certainty.LOCAL,
        variable("GCE_METADATA_HOST"),
    ),
    Rule(
        "traffic",
        "traffic",
        _traffic,
        f"{_LIB}: TrafficTarget",
        Certainty.RULE,
        lambda s: s.traffic.add(type_=messages.LATEST, percent=90),
    ),
    Rule(
        "revision-name",
        "template.revision",
        _revision_name,
        "own knowledge",
        Certainty.UNSURE,
        attribute("template.revision", "other-00001"),
    ),
)
