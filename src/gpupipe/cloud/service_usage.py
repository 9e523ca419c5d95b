"""Service Usage: which APIs are enabled, enabling them, and making Google's service agents."""

from collections.abc import Collection
from typing import Any

from gpupipe.cloud.api import Api, json_of
from gpupipe.cloud.call import TIMEOUT_S
from gpupipe.cloud.causes import API_USABLE, OTHER_ACTIVATION
from gpupipe.cloud.operations import CREATE_S

_BATCH = 20  # BatchEnableServices takes no more (gcp-facts 8)


class ServiceUsageApi(Api):
    """The calls that gpupipe needs of Service Usage."""

    def enabled(self, project: str) -> frozenset[str]:
        """The APIs that are enabled on the project ("run.googleapis.com", …)."""
        services = self._all(
            "Listing the enabled APIs",
            f"projects/{project}",
            self._client.list_services,
            {"parent": f"projects/{project}", "filter": "state:ENABLED", "page_size": 200},
        )
        return frozenset(
            service.config.name or service.name.rpartition("/")[2] for service in services
        )

    def enable(self, project: str, apis: Collection[str]) -> None:
        """Enable APIs and wait for it."""
        wanted = sorted(apis)
        for start in range(0, len(wanted), _BATCH):
            self._operate(
                "Enabling APIs",
                f"projects/{project}",
                self._client.batch_enable_services,
                {"parent": f"projects/{project}", "service_ids": wanted[start : start + _BATCH]},
                CREATE_S,
                causes=(OTHER_ACTIVATION,),
            )

    def make_agent(self, project: str, api: str) -> None:
        """Make the service agent of an API exist, with its role; it may exist already.

        Only Service Usage v1beta1 has this method, and no library for it: plain REST.
        """
        session, base = self._clients.session("serviceusage")
        url = f"{base}/v1beta1/projects/{project}/services/{api}:generateServiceIdentity"

        def attempt() -> Any:
            answer = session.post(url, json={}, timeout=TIMEOUT_S)
            return json_of(answer)

        self._call(f"Making the service agent of {api}", f"projects/{project}", attempt,
                          causes=(API_USABLE,))  # fmt: skip

    @property
    def _client(self) -> Any:
        return self._clients.client("services")
