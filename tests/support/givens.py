"""What must be there before a refusal row's request is sent: named, small, over the official clients.

Each takes the `World` of one row (a project of its own) and changes it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx

from gpupipe.localcloud.kernel.caller import OPERATOR
from gpupipe.localcloud.services.run import messages
from gpupipe.localcloud.services.run.store import Store
from tests.support.localcloud import RunningCloud
from tests.support.refusals import client_class

REGION = "us-central1"


@dataclass
class World:
    """One project of a local cloud, for one row."""

    cloud: RunningCloud
    project: str

    @property
    def names(self) -> dict[str, str]:
        """What the placeholders of a row stand for."""
        project = self.cloud.kernel.projects.ensure(self.project)
        return {"project": project.id, "number": str(project.number), "region": REGION}

    def client(self, api: str, token: str | None = None) -> Any:
        """The official client of an API, as the operator or with a token."""
        return self.cloud.client(client_class(api), token)

    def http(self, verb: str, path: str, body: Any, token: str | None = None) -> httpx.Response:
        """A JSON call of the HTTP listener."""
        return self.cloud.http_client(token).request(verb, path, json=body)

    def account(self, account_id: str, *roles: str) -> str:
        """An account with roles on the project; its access token."""
        token = self.cloud.account_token(account_id, self.project)
        email = f"{account_id}@{self.project}.iam.gserviceaccount.com"
        for role in roles:
            self.cloud.kernel.policies.grant(
                f"projects/{self.project}", role, f"serviceAccount:{email}"
            )
        return token


def enabled(world: World) -> None:
    """All APIs that are emulated are enabled."""
    apis = ("run", "iam", "iamcredentials", "artifactregistry", "cloudbuild", "workflows",
            "workflowexecutions", "eventarc", "pubsub", "cloudquotas", "monitoring", "logging",
            "storage", "cloudresourcemanager", "serviceusage", "cloudbilling", "orgpolicy")  # fmt: skip
    world.cloud.enable(*(f"{api}.googleapis.com" for api in apis), project=world.project)


def runtime_account(world: World) -> None:
    """The account runtime@ exists."""
    project = world.cloud.kernel.projects.ensure(world.project)
    world.cloud.kernel.identity.create_account(project.id, "runtime")


def bucket(world: World) -> None:
    """The bucket {project}-bucket exists in us-central1."""
    world.cloud.storage_client(world.project).create_bucket(
        f"{world.project}-bucket", location=REGION
    )


def object_(world: World) -> None:
    """The bucket holds the object "there"."""
    bucket_ = world.cloud.storage_client(world.project).bucket(f"{world.project}-bucket")
    bucket_.blob("there").upload_from_string("it is")


def repository(world: World) -> None:
    """The Docker repository "images" exists."""
    world.client("artifactregistry").create_repository(
        request={
            "parent": f"projects/{world.project}/locations/{REGION}",
            "repository_id": "images",
            "repository": {"format_": "DOCKER"},
        }
    ).result(timeout=30)


def service(world: World) -> None:
    """The Cloud Run service svc is stored; it has never run."""
    name = f"projects/{world.project}/locations/{REGION}/services/svc"
    Store(world.cloud.kernel.resources).put_service(messages.Service(name=name))


def token_creator(world: World) -> None:
    """The operator may make tokens of the project's accounts."""
    _grant_operator(world, "roles/iam.serviceAccountTokenCreator")


def disabled_account(world: World) -> None:
    """The account runtime@ is disabled."""
    email = f"runtime@{world.project}.iam.gserviceaccount.com"
    world.cloud.kernel.identity.update_account(email, disabled=True)


def hundred_accounts(world: World) -> None:
    """The project has as many accounts as it may have."""
    with world.cloud.kernel.database.transaction():
        for number in range(100):
            world.cloud.kernel.identity.create_account(world.project, f"account-{number}")


def no_billing(world: World) -> None:
    """Nobody pays for the project."""
    world.cloud.kernel.billing.link(world.project, "")


def propagation(world: World) -> None:
    """What is changed from now on takes a year to have its effect; the test ends it."""
    world.cloud.kernel.behaviour.propagation_s = 365 * 24 * 3600


def just_enabled(world: World) -> None:
    """Cloud Run was enabled a moment ago, by its own API."""
    world.client("serviceusage").enable_service(
        request={"name": f"projects/{world.project}/services/run.googleapis.com"}
    ).result(timeout=30)


def _grant_operator(world: World, role: str) -> None:
    project = world.cloud.kernel.projects.ensure(world.project)
    world.cloud.kernel.policies.grant(project.name, role, OPERATOR.member)


GIVENS: dict[str, Callable[[World], None]] = {
    "bucket": bucket,
    "disabled_account": disabled_account,
    "enabled": enabled,
    "hundred_accounts": hundred_accounts,
    "just_enabled": just_enabled,
    "no_billing": no_billing,
    "object": object_,
    "propagation": propagation,
    "repository": repository,
    "runtime_account": runtime_account,
    "service": service,
    "token_creator": token_creator,
}
