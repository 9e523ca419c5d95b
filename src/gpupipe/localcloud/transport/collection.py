"""What APIs of one collection of resources have alike: triggers and workflows.

Five methods with their permissions, resources below a location, lists in pages, and operations that
are done with the change, in its transaction: a restart finds both or none.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from google.longrunning.operations_pb2 import Operation
from google.protobuf.message import Message

from gpupipe.localcloud.errors import not_found
from gpupipe.localcloud.kernel import locations
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.transport.rows import Rows, raw
from gpupipe.localcloud.transport.rpc import Rpc

_READS = frozenset({"get", "list"})


@dataclass(frozen=True, slots=True)
class Collection:
    """pb: the API's package; noun: "Trigger"; kind: under which resources are stored."""

    kernel: Kernel
    pb: Any
    noun: str
    kind: str

    @property
    def plural(self) -> str:
        """The collection in names: "triggers"."""
        return f"{self.noun.lower()}s"

    def rows(
        self, table: Rows, handlers: Any, permission: str, fields: Mapping[str, tuple[str, ...]]
    ) -> Iterator[Rpc]:
        """get, list, create, update and delete; `fields` are those of each verb's request."""
        single = self.noun.lower()
        for verb, response, resource in (
            ("get", getattr(self.pb, self.noun), "name"),
            ("list", getattr(self.pb, f"List{self.noun}sResponse"), "parent"),
            ("create", Operation, "parent"),
            ("update", Operation, f"{single}.name"),
            ("delete", Operation, "name"),
        ):
            method = f"{verb.title()}{self.noun}{'s' if verb == 'list' else ''}"
            yield table.row(
                method,
                (getattr(self.pb, f"{method}Request"), response),
                getattr(handlers, verb),
                f"{permission}.{verb}",
                resource,
                writes=verb not in _READS,
                fields=fields[verb],
            )

    def name(self, parent: str, own_id: str) -> str:
        """The full name of a resource, its project by id."""
        place = locations.location(self.kernel.projects, parent)
        return f"{place}/{self.plural}/{own_id}"

    def find(self, name: str) -> Any:
        """The stored resource, or None."""
        own = locations.below(self.kernel.projects, name, self.plural)
        record = self.kernel.resources.get(self.kind, own)
        return None if record is None else self._message().FromString(record.body)

    def existing(self, name: str) -> Any:
        """The stored resource, or NOT_FOUND."""
        found = self.find(name)
        if found is None:
            raise not_found(f"{self.noun} '{name}' does not exist.")  # own words
        return found

    def put(self, resource: Any) -> None:
        """Create or replace."""
        parent = _parent(resource.name)
        self.kernel.resources.put(self.kind, resource.name, parent, resource.SerializeToString())

    def delete(self, resource: Any) -> None:
        """Remove."""
        self.kernel.resources.delete(self.kind, resource.name)

    def page(self, request: Any) -> Message:
        """The answer to a list request, by name."""
        parent = locations.location(self.kernel.projects, request.parent)
        page = self.kernel.resources.page(
            self.kind, parent, size=request.page_size, token=request.page_token
        )
        answer: Message = raw(getattr(self.pb, f"List{self.noun}sResponse"))(
            next_page_token=page.next_token
        )
        shown = getattr(answer, self.plural)
        shown.extend(self._message().FromString(record.body) for record in page.records)
        return answer

    def all(self, parent: str) -> list[Any]:
        """All resources of a location, by name."""
        place = locations.location(self.kernel.projects, parent)
        records = self.kernel.resources.all(self.kind, place)
        return [self._message().FromString(record.body) for record in records]

    def operation(self, name: str, verb: str, response: Message) -> Operation:
        """The operation of a change of this resource that is done."""
        metadata = raw(self.pb.OperationMetadata)(target=name, verb=verb, api_version="v1")
        for moment in (metadata.create_time, metadata.end_time):
            moment.FromDatetime(self.kernel.clock.now())
        return self.kernel.operations.done(
            f"{_parent(name)}/operations/operation-{uuid4()}",
            metadata=metadata,
            response=response,
            resource=name,
        )

    def _message(self) -> Any:
        return raw(getattr(self.pb, self.noun))


def _parent(name: str) -> str:
    return name.rpartition("/")[0].rpartition("/")[0]
