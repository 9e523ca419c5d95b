"""The world of one refusal row: a project of a local cloud, with official clients at hand."""

from dataclasses import dataclass
from typing import Any

import httpx

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
        repository = f"{project.name}/locations/{REGION}/repositories/images"
        images = self.cloud.kernel.images.list(repository)
        return {
            "project": project.id,
            "number": str(project.number),
            "region": REGION,
            "digest": images[0].digest if images else "",
        }

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
