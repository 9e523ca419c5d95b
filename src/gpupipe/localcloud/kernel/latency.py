"""How long things typically take on a real cloud, for `gpupipe local latency`.

These are assumptions of this project, made so that waiting, progress and timeouts can be seen. They
are no measurements of Google Cloud and no promise about it. Seconds, at the factor 1.
"""

from collections.abc import Mapping

READ_S = 0.1
WRITE_S = 0.3
OTHER_OPERATION_S = 5.0
# By the method that starts the operation.
OPERATIONS_S: Mapping[str, float] = {
    "artifactregistry.packages.delete": 4.0,
    "artifactregistry.repositories.create": 8.0,
    "artifactregistry.repositories.delete": 8.0,
    "cloudbuild.builds.create": 90.0,
    "eventarc.triggers.create": 30.0,
    "eventarc.triggers.delete": 20.0,
    "eventarc.triggers.update": 20.0,
    "run.services.create": 25.0,
    "run.services.delete": 10.0,
    "run.services.update": 20.0,
    "serviceusage.services.batchEnable": 20.0,
    "serviceusage.services.disable": 10.0,
    "serviceusage.services.enable": 20.0,
    "workflows.workflows.create": 8.0,
    "workflows.workflows.delete": 5.0,
    "workflows.workflows.update": 8.0,
}


def operation_s(method: str) -> float:
    """The typical duration of the operation that a method starts."""
    return OPERATIONS_S.get(method, OTHER_OPERATION_S)


def call_s(*, writes: bool) -> float:
    """The typical duration of one call."""
    return WRITE_S if writes else READ_S
