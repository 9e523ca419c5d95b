"""Which pipelines a project holds, by the labels of its buckets."""

from dataclasses import dataclass

from gpupipe.cloud.cloud import Cloud


@dataclass(frozen=True, slots=True, order=True)
class Pipeline:
    """A pipeline as its labels name it; "?" where somebody took a label off."""

    prefix: str
    region: str

    def __str__(self) -> str:
        return f"{self.prefix} ({self.region})"


def pipelines(cloud: Cloud) -> tuple[Pipeline, ...]:
    """Each pipeline once, sorted by prefix."""
    buckets = cloud.storage.labelled({"managed-by": "gpupipe"})
    return tuple(
        sorted(
            {
                Pipeline(one.labels.get("gpupipe-pipeline", "?"), one.labels.get("gpupipe-region", "?"))
                for one in buckets
            }
        )
    )  # fmt: skip


def told(found: tuple[Pipeline, ...]) -> str:
    """The pipelines of a project as a sentence."""
    return f"Pipelines in this project: {', '.join(map(str, found)) or 'none'}."
