"""The methods of version 1 that gcloud calls, each as one of version 2.

Namespaces are projects. Which region they mean shows in the host: us-central1-run.googleapis.com.
"""

from collections.abc import Callable, Iterator
from typing import Any

from gpupipe.localcloud.errors import invalid_argument, unimplemented
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.services.run import messages
from gpupipe.localcloud.services.run.knative import asked, shown, words
from gpupipe.localcloud.services.run.services import Services
from gpupipe.localcloud.transport.http_rules import Rule
from gpupipe.localcloud.transport.rest_request import parse
from gpupipe.localcloud.transport.translation import Given, Translation

_SERVICES, _REVISIONS = "/google.cloud.run.v2.Services/", "/google.cloud.run.v2.Revisions/"
_NAMESPACES = f"/apis/{words.API_VERSION}/namespaces/{{namespace}}"
_PAGED = frozenset({"limit", "continue"})
_DRY = frozenset({"dryRun"})


class Knative:
    """Services and revisions in Knative's words."""

    def __init__(self, kernel: Kernel, services: Services) -> None:
        self._kernel = kernel
        self._services = services

    def translations(self) -> Iterator[Translation]:
        """Five methods of services and three of revisions, and the list of all locations."""
        one, several = f"{_NAMESPACES}/services/{{id}}", f"{_NAMESPACES}/services"
        yield _translation("GET", one, f"{_SERVICES}GetService", self._get, self._service)
        yield _translation("GET", several, f"{_SERVICES}ListServices", self._list, self._listed,
                           _PAGED)  # fmt: skip
        yield _translation("POST", several, f"{_SERVICES}CreateService", self._create, self._made,
                           _DRY)  # fmt: skip
        yield _translation("PUT", one, f"{_SERVICES}UpdateService", self._replace, self._made, _DRY)
        yield _translation("DELETE", one, f"{_SERVICES}DeleteService", self._delete, _success)
        everywhere = "/v1/{parent=projects/*/locations/*}/services"
        rule = Rule(f"{_SERVICES}ListServices", "GET", everywhere)
        yield Translation(rule, self._list_in, self._listed, _PAGED, self._services.list_of_project)
        one, several = f"{_NAMESPACES}/revisions/{{id}}", f"{_NAMESPACES}/revisions"
        yield _translation("GET", several, f"{_REVISIONS}ListRevisions", self._list_revisions,
                           self._listed_revisions, _PAGED | {"labelSelector"})  # fmt: skip
        yield _translation("GET", one, f"{_REVISIONS}GetRevision", self._get_revision,
                           self._revision)  # fmt: skip
        yield _translation("DELETE", one, f"{_REVISIONS}DeleteRevision", self._delete_revision,
                           _success)  # fmt: skip

    def _place(self, given: Given) -> str:
        """The location that a namespace of a regional host is."""
        if not given.region:
            raise invalid_argument(
                "Namespaces are served by the regional hosts, such as us-central1-run.googleapis.com."
            )
        return f"projects/{self._project(given.path['namespace'])}/locations/{given.region}"

    def _project(self, named: str) -> str:
        """The id of a project that may be named by its number."""
        project = self._kernel.projects.get(named)
        return named if project is None else project.id

    def _number(self, name: str) -> int:
        return self._kernel.projects.ensure(name.split("/")[1]).number

    def _name(self, given: Given) -> str:
        return f"{self._place(given)}/services/{given.path['id']}"

    def _get(self, given: Given) -> Any:
        return messages.GetServiceRequest(name=self._name(given))

    def _delete(self, given: Given) -> Any:
        return messages.DeleteServiceRequest(name=self._name(given))

    def _list(self, given: Given) -> Any:
        return _page(messages.ListServicesRequest(parent=self._place(given)), given)

    def _list_in(self, given: Given) -> Any:
        _, named, _, region = given.path["parent"].split("/")
        parent = f"projects/{self._project(named)}/locations/{region}"
        return _page(messages.ListServicesRequest(parent=parent), given)

    def _create(self, given: Given) -> Any:
        self._check_namespace(given)
        return messages.CreateServiceRequest(
            parent=self._place(given),
            service_id=asked.name_of(given.body),
            service=asked.service(given.body),
            validate_only=_is_dry(given),
        )

    def _replace(self, given: Given) -> Any:
        self._check_namespace(given)
        service = asked.service(given.body)
        if asked.name_of(given.body) not in {"", given.path["id"]}:
            raise invalid_argument("metadata.name is not that of the path.", "metadata.name")
        service.name = self._name(given)
        return messages.UpdateServiceRequest(service=service, validate_only=_is_dry(given))

    def _check_namespace(self, given: Given) -> None:
        named = asked.namespace_of(given.body) or given.path["namespace"]
        if self._project(named) != self._project(given.path["namespace"]):
            raise invalid_argument(
                "metadata.namespace is not that of the path.", "metadata.namespace"
            )

    def _service(self, found: Any, _: Given) -> dict[str, Any]:
        return shown.service(found, self._number(found.name))

    def _made(self, operation: Any, _: Given) -> dict[str, Any]:
        service = messages.Service()
        operation.metadata.Unpack(service)
        return shown.service(service, self._number(service.name))

    def _listed(self, page: Any, _: Given) -> dict[str, Any]:
        items = [shown.service(one, self._number(one.name)) for one in page.services]
        return _list("ServiceList", items, page.next_page_token)

    def _list_revisions(self, given: Given) -> Any:
        _selector(given)
        return _page(
            messages.ListRevisionsRequest(parent=f"{self._place(given)}/services/-"), given
        )

    def _listed_revisions(self, page: Any, given: Given) -> dict[str, Any]:
        wanted = _selector(given).items()
        items = [shown.revision(one, self._number(one.name)) for one in page.revisions]
        chosen = [one for one in items if wanted <= one["metadata"]["labels"].items()]
        return _list("RevisionList", chosen, page.next_page_token)

    def _get_revision(self, given: Given) -> Any:
        return messages.GetRevisionRequest(name=self._revision_name(given))

    def _delete_revision(self, given: Given) -> Any:
        return messages.DeleteRevisionRequest(name=self._revision_name(given))

    def _revision(self, found: Any, _: Given) -> dict[str, Any]:
        return shown.revision(found, self._number(found.name))

    def _revision_name(self, given: Given) -> str:
        """A revision's full name: version 1 does not say of which service it is."""
        place, short = self._place(given), given.path["id"]
        found = self._services.revision_named(place, short)
        return found or f"{place}/services/-/revisions/{short}"


def _translation(
    verb: str,
    template: str,
    method: str,
    request: Callable[[Given], Any],
    answer: Callable[[Any, Given], Any],
    parameters: frozenset[str] = frozenset(),
) -> Translation:
    return Translation(Rule(method, verb, template), request, answer, parameters)


def _page(request: Any, given: Given) -> Any:
    names = {"limit": "pageSize", "continue": "pageToken"}
    parse({names[name]: given.query[name] for name in names.keys() & given.query.keys()}, request)
    return request


def _is_dry(given: Given) -> bool:
    value = given.query.get("dryRun", "")
    if value not in {"", "all"}:
        raise invalid_argument("dryRun must be all.", "dryRun")
    return value == "all"


def _selector(given: Given) -> dict[str, str]:
    """The labels that a revision must have: `a = b, c=d`."""
    found = {}
    for part in filter(None, given.query.get("labelSelector", "").split(",")):
        label, equals, value = part.partition("=")
        if not equals or label.endswith("!"):
            raise unimplemented(f"the selector {part.strip()!r}")
        found[label.strip()] = value.removeprefix("=").strip()
    return found


def _list(kind: str, items: list[dict[str, Any]], token: str) -> dict[str, Any]:
    metadata = {"continue": token} if token else {}
    return {"apiVersion": words.API_VERSION, "kind": kind, "metadata": metadata, "items": items}


def _success(_: Any, __: Given) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Status", "status": "Success"}
