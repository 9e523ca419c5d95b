"""Cloud Run's rows: services, revisions, the services that were deleted."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from gpupipe.localcloud.kernel.registry_images import ImageConfig
from gpupipe.localcloud.services.run import messages
from gpupipe.localcloud.store.resources import Page, Resources

_SERVICE, _REVISION, _DELETED = "run.service", "run.revision", "run.deleted"
_IMAGE = "run.image"


class Store:
    """Messages by name; what is stored has no uri, which depends on the daemon's port."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    def service(self, name: str) -> Any | None:
        """A service, also one that is being deleted."""
        record = self._resources.get(_SERVICE, name)
        return None if record is None else messages.Service.FromString(record.body)

    def services(self) -> Iterable[Any]:
        """Every service of every project."""
        return [messages.Service.FromString(r.body) for r in self._resources.all(_SERVICE)]

    def number(self, parent: str) -> int:
        """How many services a location has."""
        return len(self._resources.all(_SERVICE, parent))

    def page(self, parent: str, size: int, token: str) -> Page:
        """A page of the services of a location."""
        return self._resources.page(_SERVICE, parent, size=size, token=token)

    def put_service(self, service: Any) -> None:
        """Create or replace."""
        parent = service.name.rpartition("/services/")[0]
        self._resources.put(_SERVICE, service.name, parent, service.SerializeToString())

    def delete_service(self, service: Any) -> None:
        """Remove a service and keep its last state among the deleted ones."""
        self._resources.delete(_SERVICE, service.name)
        parent = service.name.rpartition("/services/")[0]
        key = f"{service.name}#{service.uid}"
        self._resources.put(_DELETED, key, parent, service.SerializeToString())

    def deleted(self, parent: str) -> Iterable[Any]:
        """The deleted services of a location."""
        rows = self._resources.all(_DELETED, parent)
        return [messages.Service.FromString(row.body) for row in rows]

    def revision(self, name: str) -> Any | None:
        """A revision."""
        record = self._resources.get(_REVISION, name)
        return None if record is None else messages.Revision.FromString(record.body)

    def revisions(self, service: str) -> Iterable[Any]:
        """The revisions of a service."""
        rows = self._resources.all(_REVISION, service)
        return [messages.Revision.FromString(row.body) for row in rows]

    def revision_page(self, service: str, size: int, token: str) -> Page:
        """A page of the revisions of a service."""
        return self._resources.page(_REVISION, service, size=size, token=token)

    def revisions_in(self, location: str) -> Iterable[Any]:
        """The revisions of all services of a location."""
        start = f"{location}/services/"
        rows = (row for row in self._resources.all(_REVISION) if row.name.startswith(start))
        return [messages.Revision.FromString(row.body) for row in rows]

    def put_revision(self, revision: Any) -> None:
        """Create or replace."""
        parent = revision.name.rpartition("/revisions/")[0]
        self._resources.put(_REVISION, revision.name, parent, revision.SerializeToString())

    def delete_revision(self, name: str) -> None:
        """Remove, with what its image was."""
        self._resources.delete(_REVISION, name)
        self._resources.delete(_IMAGE, name)

    def image(self, revision: str) -> tuple[str, ImageConfig] | None:
        """Digest and configuration of a revision's image, as they were when it was deployed."""
        record = self._resources.get(_IMAGE, revision)
        if record is None:
            return None
        body = json.loads(record.body)
        config = body["config"]
        for key in ("cmd", "entrypoint"):
            config[key] = tuple(config[key])
        return body["digest"], ImageConfig(**config)

    def put_image(self, revision: str, digest: str, config: ImageConfig) -> None:
        """Remember them: tags move and images are deleted, the revision stays what it is."""
        body = json.dumps({"digest": digest, "config": asdict(config)})
        self._resources.put(_IMAGE, revision, "", body.encode())
