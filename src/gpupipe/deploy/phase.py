"""The phases of a deploy: the order that people see."""

from enum import IntEnum


class Phase(IntEnum):
    """One part of a deploy; `--parallelism 1` works through them in this order."""

    FOUNDATIONS = 0
    IMAGES = 1
    SERVICES = 2
    STORAGE_AND_ORCHESTRATION = 3
    MONITORING_AND_VALIDATION = 4

    @property
    def title(self) -> str:
        """What a person reads."""
        return _TITLES[self]


_TITLES = {
    Phase.FOUNDATIONS: "Foundations",
    Phase.IMAGES: "Images",
    Phase.SERVICES: "Services",
    Phase.STORAGE_AND_ORCHESTRATION: "Storage and orchestration",
    Phase.MONITORING_AND_VALIDATION: "Monitoring and validation",
}
