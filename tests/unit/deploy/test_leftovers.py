"""What is left over names the command that removes it."""

from pathlib import Path

import pytest

from gpupipe.core.config import load
from gpupipe.core.flags import Flags
from gpupipe.core.names import Names
from gpupipe.deploy.destroy import ORDER
from gpupipe.deploy.leftovers import Leftover
from gpupipe.deploy.spec import PipelineSpec

SPEC = PipelineSpec(Names("demo-project", "us-central1", "mine"), load(Flags(), {}, Path("/none")))
WHERE = "--location us-central1 --project demo-project"


@pytest.mark.parametrize(
    ("left", "command"),
    [
        (Leftover("bucket", "b"), "gcloud storage rm --recursive gs://b"),
        (
            Leftover("service", "s"),
            "gcloud run services delete s --region us-central1 --project demo-project",
        ),
        (Leftover("workflow", "w"), f"gcloud workflows delete w {WHERE}"),
        (Leftover("trigger", "t"), f"gcloud eventarc triggers delete t {WHERE}"),
        (Leftover("repository", "r"), f"gcloud artifacts repositories delete r {WHERE}"),
        (
            Leftover("service account", "mine-pre"),
            (
                "gcloud iam service-accounts delete mine-pre@demo-project.iam.gserviceaccount.com "
                "--project demo-project"
            ),
        ),
        (
            Leftover("project binding", "roles/x of deleted:serviceAccount:a@b?uid=1"),
            (
                "gcloud projects remove-iam-policy-binding demo-project --role 'roles/x' "
                "--member 'deleted:serviceAccount:a@b?uid=1'"
            ),
        ),
        (
            Leftover("bucket binding", "roles/x of serviceAccount:a@b on c"),
            (
                "gcloud storage buckets remove-iam-policy-binding gs://c --role 'roles/x' "
                "--member 'serviceAccount:a@b'"
            ),
        ),
        (
            Leftover("repository binding", "roles/x of serviceAccount:a@b on c"),
            (
                "gcloud artifacts repositories remove-iam-policy-binding c --location us-central1 "
                "--project demo-project --role 'roles/x' --member 'serviceAccount:a@b'"
            ),
        ),
        (Leftover("topic", "t"), "gcloud pubsub topics delete t --project demo-project"),
        (
            Leftover("subscription", "s"),
            "gcloud pubsub subscriptions delete s --project demo-project",
        ),
        (
            Leftover("bucket notification", "b to t"),
            (
                "gcloud storage buckets notifications delete "
                "projects/_/buckets/b/notificationConfigs/ID (ID of the one to t: "
                "gcloud storage buckets notifications list gs://b)"
            ),
        ),
    ],
    ids=lambda value: value.kind if isinstance(value, Leftover) else "",
)
def test_on_google_it_is_googles_own(left: Leftover, command: str) -> None:
    assert left.command(SPEC, local=False) == command


def test_on_the_local_cloud_destroy_is_the_way() -> None:
    told = Leftover("bucket", "b").command(SPEC, local=True)
    assert told == (
        "gpupipe destroy --local --project demo-project --region us-central1 --prefix mine --force"
    )
    # What was to be kept is kept by this command too.
    kept = Leftover("bucket", "b").command(SPEC, local=True, keep=["--keep-data", "--keep-images"])
    assert kept == told.replace("--force", "--keep-data --keep-images --force")


def test_on_the_local_cloud_what_destroy_does_not_know_goes_by_googles_own_commands() -> None:
    left = Leftover("bucket notification", "b to t", known=False)
    assert left.command(SPEC, local=True) == (
        "gpupipe local gcloud -- storage buckets notifications delete "
        "projects/_/buckets/b/notificationConfigs/ID (ID of the one to t: "
        "gpupipe local gcloud -- storage buckets notifications list gs://b)"
    )


@pytest.mark.parametrize(
    "kind",
    [
        # Grants are told one by one.
        {"project grants": "project binding"}.get(kind, kind)
        if not kind.startswith("roles on ")
        else f"{kind.removeprefix('roles on ')} binding"
        for kinds in ORDER
        for kind in kinds
    ],
)
def test_every_kind_that_destroy_removes_has_one(kind: str) -> None:
    name = "r of m on n" if kind.endswith("binding") else "x"
    assert Leftover(kind, name).command(SPEC, local=False).startswith("gcloud ")
