"""Whether a resource that has our name is ours: adopt what is, refuse what is not.

What carries no mark of any pipeline may be taken over when a deploy is told to: it gets our labels,
and from then on a destroy removes it. Another pipeline's is refused all the same.
"""

from collections.abc import Mapping
from typing import Any

from gpupipe.core.errors import GpupipeError
from gpupipe.deploy.action import OWNER, Change
from gpupipe.deploy.spec import PipelineSpec


class NotOursError(GpupipeError):
    """A resource has one of our names, and is another pipeline's or nobody's."""


def is_ours(observed: Any, spec: PipelineSpec) -> bool:
    """Whether what a step observed is there for this pipeline.

    Project grants and buckets of the user's are observed as a set of bindings, of which some may be
    of Google's shared agents; everything else as None or a value.
    """
    if isinstance(observed, frozenset):
        return any(spec.is_ours(member) for _, member in observed)
    return observed is not None


def check_labels(
    kind: str, name: str, labels: Mapping[str, str], spec: PipelineSpec, *, adopt: bool = False
) -> None:
    """Raise NotOursError unless the labels say that this pipeline made the resource.

    adopt: also what no pipeline has labelled may pass.
    """
    wanted = spec.identity
    region = labels.get("gpupipe-region")
    others = {key: value for key, value in wanted.items() if key != "gpupipe-region"}
    if not others.items() <= labels.items():
        if adopt and not labels.keys() & wanted.keys():
            return
        raise not_ours(kind, name, adoptable=not labels.keys() & wanted.keys())
    if region is None:
        if adopt:
            return
        raise NotOursError(
            f"A {kind} of the pipeline {spec.names.prefix} has lost its label gpupipe-region.",
            resource=name,
            details="Its other labels say that this pipeline made it; without that one nobody can "
            "tell which region's.",
            resolution=f"If it belongs to {spec.names.region}, set the label gpupipe-region="
            f"{spec.names.region} on it or deploy with --adopt; else use another --prefix.",
            doc="reference/errors.md#region",
        )
    _check_region(region, name, spec)


def adoption(labels: Mapping[str, str], spec: PipelineSpec) -> tuple[Change, ...]:
    """How the owner changes: not at all where the labels are ours."""
    if spec.identity.items() <= labels.items():
        return ()
    return (Change(OWNER, "no pipeline", spec.names.prefix),)


def check_mark(
    kind: str, name: str, description: str, spec: PipelineSpec, *, adopt: bool = False
) -> None:
    """The same by the first word of a description, for what takes no labels."""
    tool, prefix, region = _mark(description)
    if (tool, prefix) != ("gpupipe", spec.names.prefix):
        if adopt and tool != "gpupipe":
            return
        raise not_ours(kind, name, adoptable=tool != "gpupipe")
    _check_region(region, name, spec)


def adoption_by_mark(description: str, spec: PipelineSpec) -> tuple[Change, ...]:
    """The same as `adoption` for what takes no labels."""
    if _mark(description)[0] == "gpupipe":
        return ()
    return (Change(OWNER, "no pipeline", spec.names.prefix),)


def _mark(description: str) -> tuple[str, str, str]:
    """Tool, prefix and region of a description; "" where it names none."""
    words = description.split()
    tool, _, rest = (words[0] if words else "").partition(":")
    prefix, _, region = rest.partition(":")
    return tool, prefix, region


def _check_region(region: str, name: str, spec: PipelineSpec) -> None:
    if region != spec.names.region:
        raise NotOursError(
            f"The pipeline {spec.names.prefix} belongs to another region: {region}.",
            resource=name,
            details=f"A prefix belongs to one region of a project; this command works in "
            f"{spec.names.region}.",
            resolution=f"Use --region {region}, or another --prefix.",
            doc="reference/errors.md#region",
        )


def not_ours(kind: str, name: str, *, adoptable: bool) -> NotOursError:
    """The refusal of a foreign resource that has one of our names."""
    take = ", or take it over with `gpupipe deploy --adopt`" if adoptable else ""
    return NotOursError(
        f"A {kind} with this name exists, and this pipeline did not make it.",
        resource=name,
        resolution=f"Choose another --prefix, or remove the resource if nobody needs it{take}.",
        doc="reference/errors.md#not-ours",
    )
