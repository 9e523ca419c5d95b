"""Where the pipeline that is asked for is not, the commands name those that are."""

import pytest

from tests.e2e.conftest import Cli
from tests.e2e.test_journey import client, last_sequence, requests_since

THERE = [{"prefix": "ml-pipeline", "region": "us-central1"}]
TOLD = "ml-pipeline  (--prefix ml-pipeline --region us-central1)"


@pytest.mark.parametrize("other", [("--prefix", "other"), ("-r", "europe-west4")])
def test_status_names_the_pipelines_that_are(deployed: Cli, other: tuple[str, ...]) -> None:
    text = deployed("status", "--local", *other)
    assert text.code == 0, text.err
    assert "There is no pipeline" in text.out
    assert TOLD in text.out
    answer = deployed("status", "--local", *other, "-o", "json").json
    assert (answer["exists"], answer["healthy"], answer["resources"]) == (False, False, [])
    assert answer["pipelines"] == THERE


@pytest.mark.parametrize("how", ["-n", "-y"])
@pytest.mark.promise("S30")
@pytest.mark.promise("S36")
def test_destroy_names_the_pipelines_that_are(deployed: Cli, how: str) -> None:
    text = deployed("destroy", "--local", "-s", "other", how)
    assert text.code == 0, text.err
    assert TOLD in text.out + text.err
    answer = deployed("destroy", "--local", "-s", "other", how, "-o", "json").json
    assert answer["pipelines"] == THERE
    assert answer["remove" if how == "-n" else "removed"] == []


@pytest.mark.promise("S28")
def test_a_pipeline_is_not_destroyed_from_another_region(deployed: Cli) -> None:
    before = last_sequence(deployed)
    done = deployed("destroy", "--local", "-y", "-r", "europe-west4")
    assert done.code == 1
    assert "--region us-central1" in done.err
    assert [row for row in requests_since(deployed, before) if row["writes"]] == []


@pytest.mark.promise("S31")
@pytest.mark.promise("S37")
@pytest.mark.promise("S41")
@pytest.mark.parametrize("keep", [(), ("--keep-data",), ("-k",)])
@pytest.mark.promise("S34")
def test_a_dry_run_lists_and_removes_nothing(deployed: Cli, keep: tuple[str, ...]) -> None:
    before = last_sequence(deployed)
    answer = deployed("destroy", "--local", "-n", *keep, "-o", "json").json
    assert [row for row in requests_since(deployed, before) if row["writes"]] == []
    kinds = [row["kind"] for row in answer["remove"]]
    assert kinds.index("project grants") < kinds.index("service account")
    kept = [row["what"].split()[0] for row in answer["kept"] if row["why"] == "as asked"]
    expected = {(): [], ("--keep-data",): ["bucket"] * 3, ("-k",): ["repository"]}
    assert kept == expected[keep]
    assert kinds.count("bucket") == 5 - kept.count("bucket")
    assert kinds.count("repository") == 1 - kept.count("repository")


@pytest.mark.promise(24)
def test_a_service_account_is_acted_as(deployed: Cli) -> None:
    """The operator has no token of it, as an owner on Google has none: it says which role gives one."""
    account = "ml-pipeline-pre@gpupipe-local.iam.gserviceaccount.com"
    done = deployed("status", "--local", "--impersonate-service-account", account)
    assert done.code == 4
    assert account in done.err
    assert "roles/iam.serviceAccountTokenCreator" in done.err


@pytest.mark.promise("S44", "S46")
@pytest.mark.promise(4)
@pytest.mark.promise("D22")
def test_what_is_left_is_told_with_the_command_that_removes_it(deployed: Cli) -> None:
    """A bucket with another pipeline's labels and a name of nobody's: found, and not removed."""
    bucket = client(deployed).bucket("stray-of-a-pipeline")
    bucket.labels = {
        "managed-by": "gpupipe",
        "gpupipe-pipeline": "stray",
        "gpupipe-region": "us-central1",
    }
    bucket.create()
    text = deployed("destroy", "--local", "-s", "stray", "-y")
    answer = deployed("destroy", "--local", "-s", "stray", "-y", "-o", "json")
    bucket.delete()
    assert (text.code, answer.code) == (5, 5), text.err
    (left,) = answer.json["leftovers"]
    assert (left["kind"], left["name"]) == ("bucket", bucket.name)
    assert left["command"] == (
        "gpupipe local gcloud -- storage rm --recursive gs://stray-of-a-pipeline"
    )
    assert f"  {left['command']}\n" in text.out
    assert deployed("destroy", "--local", "-s", "stray", "-y").code == 0


@pytest.mark.promise("S29")
def test_a_destroy_takes_the_project_that_it_is_given(deployed: Cli) -> None:
    done = deployed("destroy", "--local", "-p", "elsewhere-1", "-n", "-o", "json")
    assert done.code == 0, done.err
    assert "project elsewhere-1" in done.err
    assert done.json["remove"] == []
