"""google.cloud.run.v2.Revisions: the handlers."""

from typing import Any
from uuid import uuid4

from google.longrunning import operations_pb2

from gpupipe.localcloud.errors import Code, ServiceError, failed_precondition, not_found
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.services.run import messages, traffic
from gpupipe.localcloud.services.run.fleet import Fleet
from gpupipe.localcloud.services.run.names import revision_parts, service_name
from gpupipe.localcloud.services.run.services import Services
from gpupipe.localcloud.services.run.store import Store
from gpupipe.localcloud.store.paging import page_of
from gpupipe.localcloud.store.resources import DEFAULT_PAGE
from gpupipe.localcloud.transport.rpc import Call


class Revisions:
    """Get, list, delete."""

    def __init__(self, kernel: Kernel, store: Store, services: Services, fleet: Fleet) -> None:
        self._kernel = kernel
        self._store = store
        self._services = services
        self._fleet = fleet

    def get(self, request: Any, _: Call) -> Any:
        """GetRevision."""
        return self._existing(request.name)

    def list(self, request: Any, _: Call) -> Any:
        """ListRevisions, by name; the service "-" is all of the location."""
        name = service_name(request.parent)
        if name.service == "-":
            found = self._store.revisions_in(name.location)
            page, token = page_of(
                found, _by_name, request.page_size, request.page_token, most=DEFAULT_PAGE
            )
            return messages.ListRevisionsResponse(revisions=page, next_page_token=token)
        return self._of_service(request)

    def _of_service(self, request: Any) -> Any:
        service = self._services.existing(request.parent)
        page = self._store.revision_page(service.name, request.page_size, request.page_token)
        revisions = [messages.Revision.FromString(record.body) for record in page.records]
        return messages.ListRevisionsResponse(revisions=revisions, next_page_token=page.next_token)

    def delete(self, request: Any, _: Call) -> operations_pb2.Operation:
        """DeleteRevision; one that gets traffic, has a tag or is the latest stays."""
        revision = self._existing(request.name)
        if request.etag and request.etag != revision.etag:
            raise ServiceError(Code.ABORTED, "The etag does not match: the revision has changed.")
        service = self._services.existing(request.name.rpartition("/revisions/")[0])
        kept = {*traffic.reachable(service), service.latest_created_revision}
        if revision.name in kept:
            # Own words; the rule is own knowledge.
            raise failed_precondition(f"Revision '{revision.name}' serves or is the latest one.")
        revision.delete_time.FromDatetime(self._kernel.clock.now())
        if not request.validate_only:
            self._store.delete_revision(revision.name)
            self._fleet.drop(revision.name)
        parent = service.name.rpartition("/services/")[0]
        return self._kernel.operations.done(
            f"{parent}/operations/{uuid4()}",
            metadata=revision,
            response=revision,
            resource=service.name,
        )

    def _existing(self, name: str) -> Any:
        revision_parts(name)
        revision = self._store.revision(name)
        if revision is None:
            raise not_found(f"Revision '{name}' does not exist.")
        return revision


def _by_name(revision: Any) -> str:
    return str(revision.name)
