"""The documented table of typical times is the one in force."""

from pathlib import Path

from gpupipe.localcloud.kernel import latency

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "local-cloud.md"
ROWS = {
    "enable APIs (`services.enable`, `batchEnable`), disable one": (
        "serviceusage.services.enable", "serviceusage.services.disable"),
    "repository: create, delete; package: delete": (
        "artifactregistry.repositories.create", "artifactregistry.repositories.delete",
        "artifactregistry.packages.delete"),
    "build": ("cloudbuild.builds.create",),
    "service: create, update, delete": tuple(
        f"run.services.{verb}" for verb in ("create", "update", "delete")),
    "workflow: create, update, delete": tuple(
        f"workflows.workflows.{verb}" for verb in ("create", "update", "delete")),
    "trigger: create, update, delete": tuple(
        f"eventarc.triggers.{verb}" for verb in ("create", "update", "delete")),
}  # fmt: skip


def test_the_page_has_the_numbers_of_the_code() -> None:
    text = PAGE.read_text()
    for words, methods in ROWS.items():
        numbers = ", ".join(f"{latency.operation_s(method):g}" for method in methods)
        assert f"| {words} | {numbers} |" in text
    assert f"| {latency.READ_S:g}, {latency.WRITE_S:g} |" in text
    assert f"| any other operation | {latency.OTHER_OPERATION_S:g} |" in text
    documented = {method for methods in ROWS.values() for method in methods}
    assert documented | {"serviceusage.services.batchEnable"} == set(latency.OPERATIONS_S)
    assert latency.operation_s("serviceusage.services.batchEnable") == latency.operation_s(
        "serviceusage.services.enable"
    )
