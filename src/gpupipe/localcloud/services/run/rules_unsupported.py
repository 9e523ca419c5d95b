"""What the local cloud does not emulate, refused by its name: never accepted and then ignored."""

from collections.abc import Callable

from google.protobuf.message import Message

from gpupipe.localcloud.errors import Code
from gpupipe.localcloud.services.run import messages
from gpupipe.localcloud.services.run.examples import Change, attribute, container
from gpupipe.localcloud.services.run.rule import Certainty, Rule, Shape

_SOURCE = "run_v2 has the field; this emulator does not act on it"


def _is_set(message: Message, path: str) -> bool:
    """Whether the field at a dotted path is set (to anything but its default)."""
    head, _, rest = path.partition(".")
    if not rest:
        return any(field.name == head for field, _ in message.ListFields())
    child = getattr(message, head)
    children = child if hasattr(child, "__len__") else [child]
    return any(_is_set(each, rest) for each in children)


def _row(path: str, what: str, example: Change) -> Rule:
    def refuses(shape: Shape) -> str | None:
        if not _is_set(shape.service, path):
            return None
        return f"The local cloud does not emulate {what} ({path})."

    return Rule(path, path, refuses, _SOURCE, Certainty.LOCAL, example, Code.UNIMPLEMENTED)


def _value(condition: Callable[[Shape], bool], what: str) -> Callable[[Shape], str | None]:
    def refuses(shape: Shape) -> str | None:
        return f"The local cloud does not emulate {what}." if condition(shape) else None

    return refuses


FIELDS = (
    _row("template.volumes", "volumes", lambda s: s.template.volumes.add(name="data")),
    _row(
        "template.containers.volume_mounts",
        "volume mounts",
        container(lambda c: c.volume_mounts.add(name="data", mount_path="/data")),
    ),
    _row("template.vpc_access", "VPC access", attribute("template.vpc_access.connector", "c")),
    _row(
        "template.encryption_key",
        "customer-managed keys",
        attribute("template.encryption_key", "k"),
    ),
    _row(
        "template.session_affinity",
        "session affinity",
        attribute("template.session_affinity", 1),
    ),
    _row("template.service_mesh", "service mesh", attribute("template.service_mesh.mesh", "m")),
    _row(
        "template.health_check_disabled",
        "revisions without a health check",
        attribute("template.health_check_disabled", 1),
    ),
    _row(
        "template.containers.liveness_probe",
        "liveness probes",
        container(lambda c: c.liveness_probe.http_get.SetInParent()),
    ),
    _row(
        "template.containers.readiness_probe",
        "readiness probes",
        container(lambda c: c.readiness_probe.http_get.SetInParent()),
    ),
    _row(
        "template.containers.source_code",
        "source deployments",
        container(lambda c: c.source_code.SetInParent()),
    ),
    _row(
        "template.containers.base_image_uri",
        "automatic base image updates",
        container(lambda c: setattr(c, "base_image_uri", "b")),
    ),
    _row(
        "template.containers.env.value_source",
        "secrets as variables",
        container(lambda c: c.env.add(name="S").value_source.SetInParent()),
    ),
    _row(
        "binary_authorization",
        "Binary Authorization",
        attribute("binary_authorization.policy", "p"),
    ),
    _row("build_config", "builds from source", attribute("build_config.image_uri", "i")),
    _row("iap_enabled", "Identity-Aware Proxy", attribute("iap_enabled", 1)),
    _row("invoker_iam_disabled", "services without IAM", attribute("invoker_iam_disabled", 1)),
    _row("default_uri_disabled", "services without a uri", attribute("default_uri_disabled", 1)),
    _row("custom_audiences", "custom audiences", lambda s: s.custom_audiences.append("a")),
    _row(
        "multi_region_settings",
        "multi-region services",
        lambda s: s.multi_region_settings.regions.append("us-east1"),
    ),
    _row("traffic.tag", "tagged revisions", lambda s: s.traffic.add(type_=1, percent=0, tag="t")),
)

VALUES = (
    Rule(
        "several-containers",
        "template.containers",
        _value(lambda s: len(s.template.containers) > 1, "more than one container"),
        _SOURCE,
        Certainty.LOCAL,
        lambda s: s.template.containers.add(image="us-docker.pkg.dev/p/r/sidecar"),
        Code.UNIMPLEMENTED,
    ),
    Rule(
        "manual-scaling",
        "scaling.scaling_mode",
        _value(lambda s: s.service.scaling.scaling_mode == messages.MANUAL, "manual scaling"),
        _SOURCE,
        Certainty.LOCAL,
        attribute("scaling.scaling_mode", messages.MANUAL),
        Code.UNIMPLEMENTED,
    ),
    Rule(
        "ingress",
        "ingress",
        _value(
            lambda s: s.service.ingress not in (messages.INGRESS_ALL, messages.INGRESS_INTERNAL),
            "this ingress setting",
        ),
        _SOURCE,
        Certainty.LOCAL,
        attribute("ingress", 3),
        Code.UNIMPLEMENTED,
    ),
    Rule(
        "grpc-probe",
        "template.containers.startup_probe.grpc",
        _value(lambda s: s.container.startup_probe.HasField("grpc"), "gRPC probes"),
        _SOURCE,
        Certainty.LOCAL,
        container(lambda c: c.startup_probe.grpc.SetInParent()),
        Code.UNIMPLEMENTED,
    ),
    Rule(
        "http2",
        "template.containers.ports.name",
        _value(lambda s: s.container.ports[0].name != "http1", "HTTP/2 to the container"),
        _SOURCE,
        Certainty.LOCAL,
        container(lambda c: c.ports.add(name="h2c", container_port=8080)),
        Code.UNIMPLEMENTED,
    ),
    Rule(
        "probe-port",
        "template.containers.startup_probe",
        _value(lambda s: _probe_port(s) != s.container.ports[0].container_port, "a probe's port"),
        _SOURCE,
        Certainty.LOCAL,
        container(lambda c: setattr(c.startup_probe.tcp_socket, "port", 9090)),
        Code.UNIMPLEMENTED,
    ),
)


def _probe_port(shape: Shape) -> int:
    probe = shape.container.startup_probe
    kind = probe.WhichOneof("probe_type")
    if kind in {"http_get", "tcp_socket"}:
        return int(getattr(probe, kind).port)
    return int(shape.container.ports[0].container_port)
