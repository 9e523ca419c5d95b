"""A store without objects: the bench sends texts, no references."""

from typing import NoReturn

from common.objects import ObjectRef
from common.store import ObjectMissingError


class Nowhere:
    """Every object is missing."""

    def stat(self, bucket: str, name: str, generation: str | None = None) -> NoReturn:
        """Raises ObjectMissingError."""
        raise ObjectMissingError(bucket, name, generation)

    def read(self, ref: ObjectRef, _start: int = 0, _end: int | None = None) -> NoReturn:
        """Raises ObjectMissingError."""
        raise ObjectMissingError(ref.bucket, ref.name, ref.generation)

    def create(self, bucket: str, name: str, *_: object) -> NoReturn:
        """Raises ObjectMissingError."""
        raise ObjectMissingError(bucket, name, None)
