"""Dashboards, alert policies and channels as rows, under projects/ID/COLLECTION/ID."""

from dataclasses import dataclass
from typing import Any

from gpupipe.localcloud.errors import not_found
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.services.monitoring.names import key_of, project_of
from gpupipe.localcloud.transport.rpc import Call


@dataclass(frozen=True, slots=True)
class Store:
    """kind: under which resources are stored; message: the protobuf class of one."""

    kernel: Kernel
    kind: str
    collection: str
    message: Any

    def parent(self, name: str, path: str) -> str:
        """projects/ID of a project's name; `path` is the field that has it."""
        return project_of(self.kernel.projects, name, path).name

    def key(self, name: str, path: str) -> str:
        """The key of a resource's name, by whichever of id and number."""
        return key_of(self.kernel.projects, name, self.collection, path)

    def find(self, key: str) -> Any:
        """The resource, or None."""
        record = self.kernel.resources.get(self.kind, key)
        return None if record is None else self.message.FromString(record.body)

    def existing(self, key: str) -> Any:
        """The resource, or NOT_FOUND."""
        found = self.find(key)
        if found is None:
            raise not_found(f"{key} was not found.")  # own words
        return found

    def put(self, key: str, resource: Any) -> None:
        """Create or replace."""
        parent = key.partition(f"/{self.collection}/")[0]
        self.kernel.resources.put(self.kind, key, parent, resource.SerializeToString())

    def delete(self, key: str) -> None:
        """Remove; NOT_FOUND."""
        self.existing(key)
        self.kernel.resources.delete(self.kind, key)

    def all(self, parent: str) -> list[Any]:
        """All of a project, by name."""
        records = self.kernel.resources.all(self.kind, parent)
        return [self.message.FromString(record.body) for record in records]

    def page(self, parent: str, request: Any) -> tuple[list[Any], str]:
        """A page of a project's resources, and the token of the next one."""
        page = self.kernel.resources.page(
            self.kind, parent, size=request.page_size, token=request.page_token
        )
        return [self.message.FromString(record.body) for record in page.records], page.next_token

    def record(self, mutation: Any, call: Call) -> None:
        """Fill a MutationRecord in: now, by this caller."""
        mutation.mutate_time.FromDatetime(self.kernel.clock.now())
        mutation.mutated_by = call.caller.member.partition(":")[2]
