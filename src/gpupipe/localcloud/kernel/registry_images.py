"""Container images: folders by digest, and which repositories and tags name them.

The same digest may be in several repositories; its folder goes when no repository and no holder
(a running revision) needs it any more. Folders lie in `settings.images`, named by hex digest.
"""

import json
import re
import shutil
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from threading import Thread
from uuid import uuid4

from gpupipe.core.clock import Clock
from gpupipe.localcloud.errors import not_found
from gpupipe.localcloud.kernel.image_folder import digest_of
from gpupipe.localcloud.store.database import Database

_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS images (
        repository TEXT NOT NULL, image TEXT NOT NULL, digest TEXT NOT NULL,
        config TEXT NOT NULL, size INTEGER NOT NULL, created TEXT NOT NULL,
        PRIMARY KEY (repository, image, digest))""",
    """CREATE TABLE IF NOT EXISTS image_tags (
        repository TEXT NOT NULL, image TEXT NOT NULL, tag TEXT NOT NULL, digest TEXT NOT NULL,
        PRIMARY KEY (repository, image, tag))""",
    """CREATE TABLE IF NOT EXISTS image_holds (
        holder TEXT PRIMARY KEY, digest TEXT NOT NULL)""",
)
# LOCATION-docker.pkg.dev/PROJECT/REPOSITORY/IMAGE[:TAG|@DIGEST], gcp-facts §3
_URI = re.compile(
    r"(?P<location>[a-z0-9-]+)-docker\.pkg\.dev/(?P<project>[^/]+)/(?P<repository>[^/]+)/"
    r"(?P<image>[^:@]+)(?::(?P<tag>[\w][\w.-]{0,127})|@(?P<digest>sha256:[0-9a-f]{64}))?"
)


# The kind under which Artifact Registry keeps repositories in `Resources`: whoever pushes an image
# looks there first.
REPOSITORY_KIND = "artifactregistry.repository"
_GONE = "gone-"  # before the names of folders that are being removed


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """How a container of the image starts: the parts of an OCI image configuration that we use."""

    cmd: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    workdir: str = "/"
    user: str = ""
    exposed_port: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StoredImage:
    """One image of a repository; `folder` is its root, `uri` has the digest, `size` is bytes."""

    repository: str
    image: str
    digest: str
    folder: Path
    config: ImageConfig
    tags: tuple[str, ...]
    uri: str
    size: int
    created: datetime


class Images:
    """The images of all repositories ("projects/P/locations/L/repositories/R")."""

    def __init__(self, database: Database, clock: Clock, root: Path) -> None:
        self._database = database
        self._clock = clock
        self._root = root
        database.define(*_SCHEMA)
        self.sweep()

    def import_folder(self, repository: str, image: str, folder: Path, config: ImageConfig) -> str:
        """Take a folder over (it is moved) as an image; its digest. The same contents come once."""
        description = asdict(config)
        digest, size = digest_of(folder, description)
        target = self.folder(digest)
        with self._database.transaction() as connection:
            if target.exists():
                shutil.rmtree(folder)
            else:
                folder.rename(target)
            connection.execute(
                "INSERT OR IGNORE INTO images VALUES (?, ?, ?, ?, ?, ?)",
                (
                    repository,
                    image,
                    digest,
                    json.dumps(description),
                    size,
                    self._clock.now().isoformat(),
                ),
            )
        return digest

    def tag(self, repository: str, image: str, tag: str, digest: str) -> None:
        """Let a tag name an image, and no other any more; NOT_FOUND for an unknown digest."""
        with self._database.transaction() as connection:
            if self.get(repository, image, digest) is None:
                raise not_found(f"Image {image}@{digest} was not found in {repository}.")
            connection.execute(
                "INSERT OR REPLACE INTO image_tags VALUES (?, ?, ?, ?)",
                (repository, image, tag, digest),
            )

    def untag(self, repository: str, image: str, tag: str) -> None:
        """Remove a tag; NOT_FOUND when there is none."""
        with self._database.transaction() as connection:
            done = connection.execute(
                "DELETE FROM image_tags WHERE repository=? AND image=? AND tag=?",
                (repository, image, tag),
            )
        if not done.rowcount:
            raise not_found(f"Tag {tag} of {image} was not found in {repository}.")

    def resolve(self, image_uri: str) -> StoredImage | None:
        """The image that "L-docker.pkg.dev/P/R/IMAGE[:TAG|@DIGEST]" names, `latest` by default."""
        match = _URI.fullmatch(image_uri)
        if match is None:
            return None
        repository = "projects/{project}/locations/{location}/repositories/{repository}".format(
            **match.groupdict()
        )
        digest = match["digest"] or self._tagged(repository, match["image"], match["tag"])
        return None if digest is None else self.get(repository, match["image"], digest)

    def get(self, repository: str, image: str, digest: str) -> StoredImage | None:
        """One image by digest, or None."""
        row = (
            self._database.read()
            .execute(
                "SELECT * FROM images WHERE repository=? AND image=? AND digest=?",
                (repository, image, digest),
            )
            .fetchone()
        )
        return None if row is None else self._stored(row)

    def list(self, repository: str) -> tuple[StoredImage, ...]:
        """The images of a repository, by name and digest."""
        rows = self._database.read().execute(
            "SELECT * FROM images WHERE repository=? ORDER BY image, digest", (repository,)
        )
        return tuple(self._stored(row) for row in rows.fetchall())

    def delete(self, repository: str, image: str, digest: str) -> None:
        """Remove an image with its tags; NOT_FOUND when there is none."""
        with self._database.transaction() as connection:
            key = (repository, image, digest)
            done = connection.execute(
                "DELETE FROM images WHERE repository=? AND image=? AND digest=?", key
            )
            if not done.rowcount:
                raise not_found(f"Image {image}@{digest} was not found in {repository}.")
            connection.execute(
                "DELETE FROM image_tags WHERE repository=? AND image=? AND digest=?", key
            )
            self._database.after_commit(self.sweep)

    def delete_repository(self, repository: str) -> None:
        """Remove all images and tags of a repository."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM images WHERE repository=?", (repository,))
            connection.execute("DELETE FROM image_tags WHERE repository=?", (repository,))
            self._database.after_commit(self.sweep)

    def hold(self, holder: str, digest: str) -> None:
        """Keep a folder for `holder` (a revision's name) though its image may be deleted."""
        with self._database.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO image_holds VALUES (?, ?)", (holder, digest))

    def release(self, holder: str) -> None:
        """End a hold; no change when there is none."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM image_holds WHERE holder=?", (holder,))
            self._database.after_commit(self.sweep)

    def folder(self, digest: str) -> Path:
        """Where the folder of a digest is, or would be."""
        return self._root / digest.removeprefix("sha256:")

    def _tagged(self, repository: str, image: str, tag: str | None) -> str | None:
        row = (
            self._database.read()
            .execute(
                "SELECT digest FROM image_tags WHERE repository=? AND image=? AND tag=?",
                (repository, image, tag or "latest"),
            )
            .fetchone()
        )
        return None if row is None else str(row["digest"])

    def _stored(self, row: sqlite3.Row) -> StoredImage:
        repository, image, digest = row["repository"], row["image"], row["digest"]
        tags = self._database.read().execute(
            "SELECT tag FROM image_tags WHERE repository=? AND image=? AND digest=? ORDER BY tag",
            (repository, image, digest),
        )
        _, project, _, location, _, name = repository.split("/")
        config = json.loads(row["config"])
        for key in ("cmd", "entrypoint"):
            config[key] = tuple(config[key])
        return StoredImage(
            repository,
            image,
            digest,
            self.folder(digest),
            ImageConfig(**config),
            tuple(tag for (tag,) in tags),
            f"{location}-docker.pkg.dev/{project}/{name}/{image}@{digest}",
            row["size"],
            datetime.fromisoformat(row["created"]),
        )

    def sweep(self) -> None:
        """Set aside folders that nothing names (deleted images, imports that were cut off).

        They are removed in a thread of their own: an image has thousands of files, and all other
        writes wait for this transaction.
        """
        # The write lock keeps an import from moving its folder in between the two looks.
        with self._database.transaction() as connection:
            named = connection.execute(
                "SELECT digest FROM images UNION SELECT digest FROM image_holds"
            )
            wanted = {self.folder(digest) for (digest,) in named}
            for path in self._root.iterdir():
                if path not in wanted and not path.name.startswith(_GONE):
                    path.rename(self._root / f"{_GONE}{uuid4().hex}")
        gone = list(self._root.glob(f"{_GONE}*"))
        if gone:
            Thread(target=_remove, args=(gone,), name="images", daemon=True).start()


def _remove(folders: Sequence[Path]) -> None:
    for folder in folders:
        # Another sweep may be at it too. What is left, and what an instance that is ending still
        # writes, goes with the next one.
        shutil.rmtree(folder, ignore_errors=True)
