"""Whether a resource that has our name is ours: adopt what is, refuse what is not."""

from collections.abc import Mapping

from gpupipe.core.errors import GpupipeError
from gpupipe.deploy.spec import PipelineSpec


def check_labels(kind: str, name: str, labels: Mapping[str, str], spec: PipelineSpec) -> None:
    """Raise GpupipeError unless the labels say that this pipeline made the resource."""
    wanted = spec.identity
    region = labels.get("gpupipe-region")
    others = {key: value for key, value in wanted.items() if key != "gpupipe-region"}
    if not others.items() <= labels.items():
        raise not_ours(kind, name)
    if region is None:
        raise GpupipeError(
            f"A {kind} of the pipeline {spec.names.prefix} has lost its label gpupipe-region.",
            resource=name,
            details="Its other labels say that this pipeline made it; without that one nobody can "
            "tell which region's.",
            resolution=f"If it belongs to {spec.names.region}, set the label gpupipe-region="
            f"{spec.names.region} on it; else use another --prefix.",
            doc="reference/errors.md#region",
        )
    if region != spec.names.region:
        raise GpupipeError(
            f"The pipeline {spec.names.prefix} belongs to another region: {region}.",
            resource=name,
            details=f"A prefix belongs to one region of a project; this command works in "
            f"{spec.names.region}.",
            resolution=f"Use --region {region}, or another --prefix.",
            doc="reference/errors.md#region",
        )


def not_ours(kind: str, name: str) -> GpupipeError:
    """The refusal of a foreign resource that has one of our names."""
    return GpupipeError(
        f"A {kind} with this name exists, and this pipeline did not make it.",
        resource=name,
        resolution="Choose another --prefix, or remove the resource if nobody needs it.",
        doc="reference/errors.md#not-ours",
    )
