"""Which audit types of a project's policy are a pipeline's: a claim in its staging bucket's labels.

A policy takes no labels, so the pipeline that adds a type claims it, and so does each pipeline that
wants one that another has claimed; what nobody has claimed is other people's. Who takes a type away
ends its claim first and looks at the others' after: of two that end at once, at least one sees that
the other does, and takes the type away (docs/explanation/decisions/0017).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gpupipe.cloud.audit_configs import AuditType
from gpupipe.cloud.storage import StorageApi

_CLAIM, _ON, _ENDING = "gpupipe-audit", "on", "ending"
_DOMAIN = ".googleapis.com"
_PIPELINES = {"managed-by": "gpupipe"}


@dataclass(frozen=True, slots=True)
class Claim:
    """A pipeline's: the types that it added, or shares with a pipeline that did; maybe none.

    ending: it is about to be taken away, and holds no other pipeline back.
    """

    types: frozenset[AuditType]
    ending: bool = False


@dataclass(frozen=True, slots=True)
class Claims:
    """Those of a project: of this pipeline (None where it has none), and of all others."""

    own: Claim | None
    others: tuple[Claim, ...]

    @property
    def held(self) -> frozenset[AuditType]:
        """What other pipelines want to stay."""
        return _union(one for one in self.others if not one.ending)

    @property
    def known(self) -> frozenset[AuditType]:
        """What other pipelines have added."""
        return _union(self.others)


def read(storage: StorageApi, bucket: str) -> Claims:
    """All claims of the project; `bucket` is this pipeline's staging bucket."""
    found = {one.name: _claim(one.labels) for one in storage.labelled(_PIPELINES)}
    own = found.pop(bucket, None)
    return Claims(own, tuple(one for one in found.values() if one is not None))


def own(storage: StorageApi, bucket: str) -> Claim | None:
    """This pipeline's claim."""
    found = storage.get(bucket)
    return None if found is None else _claim(found.labels)


def write(storage: StorageApi, bucket: str, claim: Claim | None) -> None:
    """Set this pipeline's claim, or take it away; without the bucket there is none."""
    found = storage.get(bucket)
    if found is None:
        return
    before = {key: value for key, value in found.labels.items() if key.startswith(_CLAIM)}
    after = {} if claim is None else _labels(claim)
    if before != after:
        storage.relabel(bucket, {**dict.fromkeys(before), **after})


def _union(claims: Iterable[Claim]) -> frozenset[AuditType]:
    return frozenset().union(*(one.types for one in claims))


def _claim(labels: Mapping[str, str]) -> Claim | None:
    if _CLAIM not in labels:
        return None
    types = frozenset(
        (key.removeprefix(f"{_CLAIM}-") + _DOMAIN, kind.upper())
        for key, value in labels.items()
        if key.startswith(f"{_CLAIM}-")
        for kind in value.split("-")
    )
    return Claim(types, ending=labels[_CLAIM] == _ENDING)


def _labels(claim: Claim) -> dict[str, str]:
    """Keys and values of labels have small letters, digits, hyphens and underscores."""
    kinds: dict[str, list[str]] = {}
    for service, kind in sorted(claim.types):
        kinds.setdefault(service.removesuffix(_DOMAIN), []).append(kind.lower())
    types = {f"{_CLAIM}-{service}": "-".join(found) for service, found in kinds.items()}
    return {_CLAIM: _ENDING if claim.ending else _ON, **types}
