"""The lease: what a lost answer leaves behind is this run's own, and is let go at the end."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import cast

import pytest

from gpupipe.cloud.storage import Object, StorageApi
from gpupipe.core.errors import GpupipeError
from gpupipe.deploy.lease import NAME, lease

NOW = datetime(2026, 1, 2, tzinfo=UTC)


@dataclass
class OneObject:
    """A bucket of one object, whose writes are heard of or not."""

    losing: int = 0
    content: bytes | None = None
    generation: int = 0
    log: list[str] = field(default_factory=list)

    def stat(self, bucket: str, name: str) -> Object | None:
        if self.content is None:
            return None
        return Object(bucket, name, self.generation, len(self.content), NOW)

    def read(self, _bucket: str, _name: str, _generation: int | None = None) -> bytes | None:
        return self.content

    def swap(self, _bucket: str, _name: str, data: bytes, generation: int) -> int | None:
        """As after a retry: the first try wrote, the second is refused for what the first wrote."""
        if generation != (self.generation if self.content is not None else 0):
            return None
        self.content, self.generation = data, self.generation + 1
        self.losing -= 1
        return None if self.losing >= 0 else self.generation

    def remove_generation(self, _bucket: str, name: str, generation: int) -> None:
        if generation == self.generation:
            self.content = None
            self.log.append(f"removed {name}")

    def upload(self, bucket: str, name: str, data: bytes, *, content_type: str) -> Object:
        self.log.append(f"asked for the time: {content_type}")
        return Object(bucket, name, 1, len(data), NOW)

    def remove(self, _bucket: str, _name: str, _generation: int | None = None) -> None:
        self.log.append("tidied")


def storage(one: OneObject) -> StorageApi:
    return cast("StorageApi", one)


@pytest.mark.parametrize("losing", [0, 1])
def test_it_is_held_and_let_go(losing: int) -> None:
    bucket = OneObject(losing)
    with lease(storage(bucket), "b", "deploy"):
        assert bucket.content is not None
    assert bucket.content is None
    assert bucket.log == [f"removed {NAME}"]


def test_another_holders_is_respected() -> None:
    bucket = OneObject(content=b'{"who": "them", "command": "destroy"}', generation=7)
    with (
        pytest.raises(GpupipeError, match="Another destroy works on this pipeline"),
        lease(storage(bucket), "b", "deploy"),
    ):
        raise AssertionError("it was theirs")
    assert bucket.generation == 7
    assert "asked for the time: text/plain" in bucket.log
