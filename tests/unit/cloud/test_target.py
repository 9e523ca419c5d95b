"""Which cloud a command works in: each rule of the order, and what must not decide it."""

from pathlib import Path
from typing import Any

import pytest

from gpupipe.cloud.endpoints import endpoint, refuse_emulators
from gpupipe.cloud.target import LOCAL_PROJECT, Kind, Target, resolve
from gpupipe.core.config import load
from gpupipe.core.errors import Exit, UsageError
from gpupipe.core.flags import Flags


def target(
    folder: Path, file: str = "", environment: dict[str, str] | None = None, **flags: Any
) -> Target:
    """The target of a command with this gpupipe.toml, these variables and these flags."""
    if file:
        (folder / "gpupipe.toml").write_text(file, encoding="utf-8")
    given = Flags(**flags)
    return resolve(given, load(given, environment or {}, folder))


def test_with_nothing_configured_it_is_the_local_cloud(tmp_path: Path) -> None:
    found = target(tmp_path)
    assert (found.kind, found.project) == (Kind.LOCAL, LOCAL_PROJECT)
    assert found.project_source == "default"
    assert found.reason == "no project is configured"


# what is set -> kind, project, where the project came from
ORDER = [
    # --local over everything, and the project of the environment or the file is not the local one
    ({"local": True}, {"GPUPIPE_TARGET": "google"}, 'target = "google"\nproject = "from-file"',
     Kind.LOCAL, LOCAL_PROJECT, "default"),
    ({"local": True}, {"GOOGLE_CLOUD_PROJECT": "by-accident"}, "",
     Kind.LOCAL, LOCAL_PROJECT, "default"),
    # both flags: one of the local cloud's projects
    ({"local": True, "project": "demo-two"}, {"GOOGLE_CLOUD_PROJECT": "by-accident"}, "",
     Kind.LOCAL, "demo-two", "flag"),
    # --project alone: Google, over GPUPIPE_TARGET and the file
    ({"project": "from-flag"}, {"GPUPIPE_TARGET": "local"}, 'target = "local"',
     Kind.GOOGLE, "from-flag", "flag"),
    ({"project": "from-flag"}, {"GOOGLE_CLOUD_PROJECT": "by-accident"}, 'project = "from-file"',
     Kind.GOOGLE, "from-flag", "flag"),
    # GPUPIPE_TARGET over the file
    ({}, {"GPUPIPE_TARGET": "local"}, 'target = "google"\nproject = "from-file"',
     Kind.LOCAL, "from-file", "gpupipe.toml"),
    ({}, {"GPUPIPE_TARGET": "google"}, 'target = "local"\nproject = "from-file"',
     Kind.GOOGLE, "from-file", "gpupipe.toml"),
    # a project that the environment happens to have does not become a local project
    ({}, {"GPUPIPE_TARGET": "local", "GOOGLE_CLOUD_PROJECT": "by-accident"}, "",
     Kind.LOCAL, LOCAL_PROJECT, "default"),
    ({}, {"GPUPIPE_TARGET": "local", "PROJECT_ID": "by-accident"}, "",
     Kind.LOCAL, LOCAL_PROJECT, "default"),
    # the file's target over a project of the environment
    ({}, {"GOOGLE_CLOUD_PROJECT": "by-accident"}, 'target = "local"',
     Kind.LOCAL, LOCAL_PROJECT, "default"),
    ({}, {"PROJECT_ID": "from-env"}, 'target = "google"',
     Kind.GOOGLE, "from-env", "PROJECT_ID"),
    # else a configured project means Google
    ({}, {"GOOGLE_CLOUD_PROJECT": "from-google"}, "",
     Kind.GOOGLE, "from-google", "GOOGLE_CLOUD_PROJECT"),
    ({}, {"PROJECT_ID": "from-recipe"}, "",
     Kind.GOOGLE, "from-recipe", "PROJECT_ID"),
    ({}, {}, 'project = "from-file"',
     Kind.GOOGLE, "from-file", "gpupipe.toml"),
    ({}, {"GOOGLE_CLOUD_PROJECT": "first-one", "PROJECT_ID": "second-one"}, 'project = "third-one"',
     Kind.GOOGLE, "first-one", "GOOGLE_CLOUD_PROJECT"),
    # an empty variable is an unset one
    ({}, {"GPUPIPE_TARGET": "", "GOOGLE_CLOUD_PROJECT": ""}, "",
     Kind.LOCAL, LOCAL_PROJECT, "default"),
]  # fmt: skip


@pytest.mark.parametrize(("flags", "environment", "file", "kind", "project", "source"), ORDER)
def test_the_order(
    tmp_path: Path, flags: dict[str, object], environment: dict[str, str], file: str,
    kind: Kind, project: str, source: str,
) -> None:  # fmt: skip
    found = target(tmp_path, file, environment, **flags)
    assert (found.kind, found.project, found.project_source) == (kind, project, source)
    assert found.is_local is (kind is Kind.LOCAL)


def test_the_local_cloud_with_a_project_of_the_environment_keeps_that_of_the_file(
    tmp_path: Path,
) -> None:
    """GOOGLE_CLOUD_PROJECT hides the file's project; it must not become a local project's name."""
    found = target(
        tmp_path,
        'target = "local"\nproject = "from-file"',
        {"GOOGLE_CLOUD_PROJECT": "by-accident"},
    )
    assert found.kind is Kind.LOCAL
    assert found.project != "by-accident"


@pytest.mark.parametrize(
    ("environment", "file"), [({"GPUPIPE_TARGET": "google"}, ""), ({}, 'target = "google"')]
)
@pytest.mark.promise(45)
def test_google_without_a_project_is_refused(
    tmp_path: Path, environment: dict[str, str], file: str
) -> None:
    with pytest.raises(UsageError, match="no project is set") as caught:
        target(tmp_path, file, environment)
    assert caught.value.exit is Exit.USAGE
    assert "--project" in caught.value.resolution
    assert "--local" in caught.value.resolution


@pytest.mark.parametrize("value", ["gcp", "Local", "google cloud", "LOCAL"])
def test_an_unknown_target_is_refused(tmp_path: Path, value: str) -> None:
    with pytest.raises(UsageError) as caught:
        target(tmp_path, environment={"GPUPIPE_TARGET": value})
    assert f"GPUPIPE_TARGET: target = '{value}'" in (caught.value.details or "")


@pytest.mark.parametrize("flags", [{"project": "Nope"}, {"local": True, "project": "Nope"}])
def test_a_project_id_is_checked(tmp_path: Path, flags: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as caught:
        target(tmp_path, **flags)
    assert "--project: project = 'Nope': it takes a project id" in (caught.value.details or "")


def test_the_first_line_names_place_project_and_reason(tmp_path: Path) -> None:
    assert (
        target(tmp_path, project="demo-project").describe()
        == "Target: Google Cloud, project demo-project (--project)"
    )
    assert (
        target(tmp_path, local=True).describe()
        == f"Target: the local cloud, project {LOCAL_PROJECT} (--local)"
    )
    assert "project from PROJECT_ID" in target(tmp_path, "", {"PROJECT_ID": "from-env"}).describe()
    assert (
        "target from GPUPIPE_TARGET" in target(tmp_path, "", {"GPUPIPE_TARGET": "local"}).describe()
    )


def test_only_cloud_build_is_asked_in_its_region() -> None:
    assert endpoint("cloudbuild", "us-east4") == "us-east4-cloudbuild.googleapis.com"
    assert endpoint("run", "us-east4") == "run.googleapis.com"


def test_every_emulator_variable_is_named() -> None:
    with pytest.raises(UsageError) as caught:
        refuse_emulators({"B_EMULATOR_HOST": "x:1", "A_EMULATOR_HOST": "y:1", "OTHER": "z"})
    assert "A_EMULATOR_HOST, B_EMULATOR_HOST" in (caught.value.details or "")
    assert "unset A_EMULATOR_HOST B_EMULATOR_HOST" in caught.value.resolution


def test_an_empty_emulator_variable_is_no_emulator() -> None:
    refuse_emulators({"STORAGE_EMULATOR_HOST": "", "EMULATOR": "x"})
