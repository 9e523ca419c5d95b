"""google.cloud.run.v2.Services: the handlers."""

from typing import Any
from uuid import uuid4

from google.longrunning import operations_pb2

from gpupipe.localcloud.errors import Code, ServiceError, already_exists, not_found
from gpupipe.localcloud.kernel.caller import Caller
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.kernel.operations import Work
from gpupipe.localcloud.services.run import conditions, messages
from gpupipe.localcloud.services.run.deployment import Deployments, begin_delete, is_deleting
from gpupipe.localcloud.services.run.names import (
    ServiceName,
    check_region,
    location,
    service_name,
)
from gpupipe.localcloud.services.run.revisions import new_etag
from gpupipe.localcloud.services.run.store import Store
from gpupipe.localcloud.services.run.uri import present
from gpupipe.localcloud.services.run.validation import complete_and_check
from gpupipe.localcloud.store.paging import page_of
from gpupipe.localcloud.store.resources import DEFAULT_PAGE
from gpupipe.localcloud.transport.fields import check_required, drop_output_only
from gpupipe.localcloud.transport.rpc import Call
from gpupipe.localcloud.transport.updates import WithoutMask, merged

_MOST_SERVICES = 1000


class Services:
    """Create, get, list, update, delete."""

    def __init__(self, kernel: Kernel, store: Store, deployments: Deployments) -> None:
        self._kernel = kernel
        self._store = store
        self._deployments = deployments

    def get(self, request: Any, _: Call) -> Any:
        """GetService."""
        return present(self._kernel, self.existing(request.name))

    def list(self, request: Any, _: Call) -> Any:
        """ListServices; deleted ones come on the last page when they are asked for."""
        location(request.parent)
        page = self._store.page(request.parent, request.page_size, request.page_token)
        services = [messages.Service.FromString(record.body) for record in page.records]
        if request.show_deleted and not page.next_token:
            services.extend(self._store.deleted(request.parent))
        return messages.ListServicesResponse(
            services=[present(self._kernel, service) for service in services],
            next_page_token=page.next_token,
        )

    def list_of_project(self, request: Any, call: Call) -> Any:
        """ListServices as version 1 has it: the location "-" is all of them."""
        project, _, region = request.parent.partition("/locations/")
        if region != "-":
            return self.list(request, call)
        found = [one for one in self._store.services() if one.name.startswith(f"{project}/")]
        page, token = page_of(
            found,
            lambda one: str(one.name),
            request.page_size,
            request.page_token,
            most=DEFAULT_PAGE,
        )
        shown = [present(self._kernel, service) for service in page]
        return messages.ListServicesResponse(services=shown, next_page_token=token)

    def revision_named(self, location: str, short: str) -> str | None:
        """The full name of a location's revision, or None."""
        names = (str(one.name) for one in self._store.revisions_in(location))
        return next((name for name in names if name.rpartition("/")[2] == short), None)

    def create(self, request: Any, call: Call) -> operations_pb2.Operation:
        """CreateService."""
        name = ServiceName(*location(request.parent), request.service_id)
        return self._create(name, request.service, call.caller, validate_only=request.validate_only)

    def update(self, request: Any, call: Call) -> operations_pb2.Operation:
        """UpdateService."""
        name = service_name(request.service.name)
        old = self._store.service(str(name))
        if old is None and request.allow_missing:
            only = request.validate_only
            return self._create(name, request.service, call.caller, validate_only=only)
        old = self.existing(str(name))
        _check_etag(old, request.service.etag)
        _check_not_deleting(old)
        new = merged(
            old,
            request.service,
            request.update_mask,
            path="service",
            without_mask=WithoutMask.WHOLE,
        )
        complete_and_check(self._kernel, self._store, call.caller, name, new)
        new.generation = old.generation + (_asked(old) != _asked(new))
        new.last_modifier = call.caller.email
        new.update_time.FromDatetime(self._kernel.clock.now())
        return self._write(new, validate_only=request.validate_only)

    def delete(self, request: Any, _: Call) -> operations_pb2.Operation:
        """DeleteService."""
        service = self.existing(request.name)
        _check_etag(service, request.etag)
        _check_not_deleting(service)
        begin_delete(service, self._kernel)
        service.etag = new_etag()
        if request.validate_only:
            return self._validated(service)
        work = self._deployments.remove(service.name)
        with self._kernel.database.transaction():
            self._store.put_service(service)
            return self._operation(service, work)

    def existing(self, name: str) -> Any:
        """The stored service, or NOT_FOUND."""
        parts = service_name(name)
        service = self._store.service(name)
        if service is None:
            # Own words.
            raise not_found(
                f"Resource '{parts.service}' of kind 'SERVICE' in region "
                f"'{parts.region}' in project '{parts.project}' does not exist."
            )
        return service

    def policy_name(self, resource: str) -> str:
        """The name that a service's policy is kept under."""
        return str(self.existing(resource).name)

    def _create(
        self, name: ServiceName, wanted: Any, caller: Caller, *, validate_only: bool
    ) -> operations_pb2.Operation:
        check_region(name.region)
        old = self._store.service(str(name))
        if old is not None:
            _check_not_deleting(old)
            raise already_exists(f"Resource '{name.service}' already exists.")  # own words
        check_required(wanted, "service")
        if self._store.number(name.location) >= _MOST_SERVICES:
            # The limit is documented; code and words are ours.
            raise ServiceError(
                Code.RESOURCE_EXHAUSTED,
                f"{name.location} has {_MOST_SERVICES} services: no more are allowed.",
            )
        service = _asked(wanted)
        complete_and_check(self._kernel, self._store, caller, name, service)
        now = self._kernel.clock.now()
        service.name = str(name)
        service.uid = str(uuid4())
        service.generation = 1
        service.creator = service.last_modifier = caller.email
        service.create_time.FromDatetime(now)
        service.update_time.FromDatetime(now)
        return self._write(service, validate_only=validate_only)

    def _write(self, service: Any, *, validate_only: bool) -> operations_pb2.Operation:
        service.etag = new_etag()
        if validate_only:
            return self._validated(service)
        conditions.begin(service)
        with self._kernel.database.transaction():
            self._store.put_service(service)
            return self._operation(service, self._deployments.deploy(service.name))

    def _operation(self, service: Any, work: Work) -> operations_pb2.Operation:
        return self._kernel.operations.run(
            _operation_name(service),
            metadata=present(self._kernel, service),
            work=work,
            resource=service.name,
        )

    def _validated(self, service: Any) -> operations_pb2.Operation:
        return self._kernel.operations.done(
            _operation_name(service), metadata=service, response=service, resource=service.name
        )


def _operation_name(service: Any) -> str:
    return f"{service.name.rpartition('/services/')[0]}/operations/{uuid4()}"


def _asked(service: Any) -> Any:
    """What a client says of a service."""
    asked = messages.Service()
    asked.CopyFrom(service)
    drop_output_only(asked)
    for name in ("name", "etag"):
        asked.ClearField(name)
    return asked


def _check_etag(service: Any, etag: str) -> None:
    if etag and etag != service.etag:
        # gcp-facts §2: code UNSURE; own words.
        raise ServiceError(Code.ABORTED, "The etag does not match: the service has changed.")


def _check_not_deleting(service: Any) -> None:
    if is_deleting(service):
        # A conflict until the background delete ends (gcp-facts §2); own words.
        raise ServiceError(Code.ABORTED, "The service is being deleted; try again in a moment.")
