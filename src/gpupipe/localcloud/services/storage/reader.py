"""Object data for other services of the local cloud, in process (Cloud Build's sources)."""

from typing import BinaryIO

from gpupipe.localcloud.errors import not_found
from gpupipe.localcloud.services.storage.blobs import Blobs, RealDisk
from gpupipe.localcloud.services.storage.rows import Rows, State, Version
from gpupipe.localcloud.settings import Settings
from gpupipe.localcloud.store.database import Database


class ObjectReader:
    """Opens objects; the caller has checked who may read them."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._blobs = Blobs(settings.objects, RealDisk())
        self._rows = Rows(database, self._blobs)

    def find(self, bucket: str, name: str, generation: int | None = None) -> Version | None:
        """The live version, or the one of a generation unless it is soft-deleted."""
        if generation is None:
            return self._rows.live(bucket, name)
        found = self._rows.version(bucket, name, generation)
        return None if found is None or found.state is State.SOFT_DELETED else found

    def open(self, bucket: str, name: str, generation: int | None = None) -> BinaryIO:
        """The data, for reading; NOT_FOUND when there is none."""
        found = self.find(bucket, name, generation)
        if found is None:
            raise not_found(f"No such object: {bucket}/{name}")
        return self._blobs.open(found.blob)
