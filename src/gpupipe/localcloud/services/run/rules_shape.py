"""Refusals of names, labels, variables, traffic, and limits of time and number."""

import re
from collections.abc import Iterable, Mapping

from gpupipe.localcloud.errors import Code, ServiceError
from gpupipe.localcloud.kernel.labels import check_labels
from gpupipe.localcloud.services.run import messages
from gpupipe.localcloud.services.run.image_names import is_deployable
from gpupipe.localcloud.services.run.rule import Rule, Shape

_ID = re.compile(r"[a-z]([a-z0-9-]{0,47}[a-z0-9])?")
_CONTAINER_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
# gcloud marks what it deploys, so that each of its deployments makes a revision.
_MARKS = frozenset({"client.knative.dev/nonce"})
_RESERVED = (
    "run.googleapis.com",
    "cloud.googleapis.com",
    "serving.knative.dev",
    "autoscaling.knative.dev",
)
_PORT_NAMES = frozenset({"http1", "h2c"})
_LAST_PORT = 65535
_LONGEST_TIMEOUT_S = 3600
_MOST_CONCURRENCY = 1000
_LONGEST_DESCRIPTION = 512
_LONGEST_VARIABLE = 32768
_MOST_VALUES = 1000  # run/quotas: variables and arguments of a container
_LONGEST_ANNOTATIONS = 256 << 10
_ANNOTATION = re.compile(
    r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
)
_PLATFORM_VARIABLES = frozenset({"PORT", "K_SERVICE", "K_REVISION", "K_CONFIGURATION"})
_VARIABLES = "service.template.containers.env"
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
    return _refused_labels(shape.service.labels)


def _template_labels(shape: Shape) -> str | None:
    labels = shape.template.labels
    return _refused_labels({key: labels[key] for key in labels if key not in _MARKS})


def _refused_labels(labels: Mapping[str, str]) -> str | None:
    try:
        check_labels(labels, "")
    except ServiceError as error:
        return error.message
    return None


def _annotations(shape: Shape) -> str | None:
    return _refused_annotations(shape.service.annotations)


def _template_annotations(shape: Shape) -> str | None:
    return _refused_annotations(shape.template.annotations)


def _refused_annotations(annotations: Mapping[str, str]) -> str | None:
    for key in annotations:
        if not _ANNOTATION.fullmatch(key):
            return f"Invalid annotation key {key!r}: it must be like a Kubernetes one."
    size = sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items())
    if size > _LONGEST_ANNOTATIONS:
        return f"Annotations have at most {_LONGEST_ANNOTATIONS} bytes together."
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
    least = shape.template.scaling.min_instance_count
    counts = (
        least,
        shape.template.scaling.max_instance_count,
        shape.service.scaling.max_instance_count,
    )
    # A maximum of 0 is one that was not set; the quotas decide it later.
    if min(counts) < 0 or 0 < shape.most < least:
        return "The minimum of instances must be 0 or more and at most the maximum."
    return None


def _many_variables(shape: Shape) -> str | None:
    if len(shape.container.env) <= _MOST_VALUES:
        return None
    return f"A container has at most {_MOST_VALUES} environment variables."


def _many_arguments(shape: Shape) -> str | None:
    if len(shape.container.args) <= _MOST_VALUES:
        return None
    return f"A container has at most {_MOST_VALUES} arguments."


def _variables(shape: Shape) -> str | None:
    names = [variable.name for variable in shape.container.env]
    if reserved := [name for name in names if name in _PLATFORM_VARIABLES]:
        return (
            f"The following reserved env names were provided: {', '.join(reserved)}. "
            "These values are automatically set by the system."
        )
    for name in names:
        if not name or "=" in name or names.count(name) > 1:
            return f"The variable {name!r} has no valid name or is there twice."
    return None


def _variable_length(shape: Shape) -> str | None:
    for variable in shape.container.env:
        size = max(len(variable.name), len(variable.value.encode()))
        if size > _LONGEST_VARIABLE:
            return f"Name and value of a variable have at most {_LONGEST_VARIABLE} characters."
    return None


def _local_variables(shape: Shape) -> str | None:
    taken = _LOCAL_VARIABLES.intersection(variable.name for variable in shape.container.env)
    if not taken:
        return None
    return f"The local cloud sets the variable {min(taken)} itself."


def _one_port(shape: Shape) -> str | None:
    if len(shape.container.ports) > 1:
        return "ports should contain 0 or 1 port."
    port = shape.container.ports[0]
    if port.name in _PORT_NAMES and 0 < port.container_port <= _LAST_PORT:
        return None
    return "A port has the name http1 or h2c, and a number from 1 to 65535."


def _ingress(shape: Shape) -> str | None:
    if shape.service.ingress in messages.INGRESSES:
        return None
    return f"Unknown value of ingress: {shape.service.ingress}."


def _launch_stage(shape: Shape) -> str | None:
    if shape.service.launch_stage in messages.LAUNCH_STAGES:
        return None
    return "The launch stage must be ALPHA, BETA or GA."


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


def _tags(shape: Shape) -> str | None:
    tags = [target.tag for target in shape.service.traffic if target.tag]
    for tag in tags:
        if not _ID.fullmatch(tag) or tags.count(tag) > 1:
            return f"The tag {tag!r} is there twice, or is not like a service id."
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


def _image_name(shape: Shape) -> str | None:
    if is_deployable(shape.container.image):
        return None
    return (
        "Expected an image path like [host/]repo-path[:tag and/or @digest], where host is one of "
        "[region.]gcr.io, [region-]docker.pkg.dev or docker.io but obtained "
        f"{shape.container.image}"
    )


def _container_name(shape: Shape) -> str | None:
    name = shape.container.name
    if not name or _CONTAINER_NAME.fullmatch(name):
        return None
    return (
        f"Invalid container name {name!r}: it must be a DNS label: at most 63 lower-case letters, "
        "digits and hyphens, with a letter or a digit at both ends."
    )


def _description(shape: Shape) -> str | None:
    if len(shape.service.description) <= _LONGEST_DESCRIPTION:
        return None
    return f"The description must have at most {_LONGEST_DESCRIPTION} characters."


NEEDED = Rule("container", "service.template.containers", _image)
"""Every other rule reads the container, so this one comes first."""

RULES = (
    Rule("service-id", "service_id", _service_id),
    Rule("reserved-namespace", "service.labels", _reserved_keys),
    Rule("labels", "service.labels", _labels),
    Rule("template-labels", "service.template.labels", _template_labels),
    Rule("annotations", "service.annotations", _annotations),
    Rule("template-annotations", "service.template.annotations", _template_annotations),
    Rule("description", "service.description", _description),
    Rule("ingress", "service.ingress", _ingress),
    Rule("launch-stage", "service.launch_stage", _launch_stage),
    Rule("timeout", "service.template.timeout", _timeout),
    Rule("concurrency", "service.template.max_instance_request_concurrency", _concurrency),
    Rule("instances", "service.template.scaling", _instances),
    Rule("ports", "service.template.containers.ports", _one_port),
    Rule("image", "service.template.containers.image", _image_name),
    Rule("container-name", "service.template.containers.name", _container_name),
    Rule("many-arguments", "service.template.containers.args", _many_arguments),
    Rule("many-variables", _VARIABLES, _many_variables),
    Rule("reserved-variable", _VARIABLES, _variables),
    Rule("variable-length", _VARIABLES, _variable_length),
    Rule("local-variable", _VARIABLES, _local_variables, Code.UNIMPLEMENTED),
    Rule("traffic", "service.traffic", _traffic),
    Rule("tags", "service.traffic.tag", _tags),
    Rule("revision-name", "service.template.revision", _revision_name),
)
