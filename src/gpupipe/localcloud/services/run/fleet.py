"""Revisions on this machine: from their rows and images to pools of instances."""

from typing import Any

from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.kernel.registry_images import ImageConfig
from gpupipe.localcloud.runner.pool import Pool
from gpupipe.localcloud.runner.room import NoRoomError
from gpupipe.localcloud.runner.supervisor import Supervisor
from gpupipe.localcloud.services.run import traffic
from gpupipe.localcloud.services.run.names import API, service_name
from gpupipe.localcloud.services.run.revisions import maximum, runnable
from gpupipe.localcloud.services.run.store import Store

_READ = "artifactregistry.repositories.downloadArtifacts"


class ImageMissingError(Exception):
    """The revision's image is not in the registry."""


class ImageDeniedError(Exception):
    """Cloud Run's agent may not read the revision's image; the message is Google's."""


class Fleet:
    """Gives the pool of a revision; after a restart pools come back with need."""

    def __init__(self, kernel: Kernel, store: Store, supervisor: Supervisor) -> None:
        self._kernel = kernel
        self._store = store
        self._supervisor = supervisor

    def pool(self, service: Any, revision: Any) -> Pool:
        """The revision's pool; ImageMissingError when there is nothing to run."""
        existing = self._supervisor.existing(revision.name)
        if existing is not None:
            return existing
        found = self._store.image(revision.name) or self._take(revision)
        project = self._kernel.projects.get(service_name(service.name).project)
        return self._supervisor.pool(
            runnable(
                revision,
                self._kernel.images.folder(found[0]),
                found[1],
                number=project.number if project else 0,
                most=service.scaling.max_instance_count,
            )
        )

    def _take(self, revision: Any) -> tuple[str, ImageConfig]:
        """Look the image up, once for the life of the revision, and keep its folder."""
        uri = revision.containers[0].image
        self._check_readable(uri, service_name(revision.name.rpartition("/revisions/")[0]).project)
        image = self._kernel.images.resolve(uri)
        if image is None:
            raise ImageMissingError(uri)
        with self._kernel.database.transaction():
            self._kernel.images.hold(revision.name, image.digest)
            self._store.put_image(revision.name, image.digest, image.config)
        return image.digest, image.config

    def _check_readable(self, uri: str, project: str) -> None:
        """The agent reads images of its own project without further ado, others by their policy."""
        host, _, rest = uri.partition("/")
        owner, _, rest = rest.partition("/")
        location = host.removesuffix("-docker.pkg.dev")
        if location == host or owner == project:
            return
        agent = self._kernel.agents.agent_email(API, project)
        repository = f"projects/{owner}/locations/{location}/repositories/{rest.partition('/')[0]}"
        if not self._kernel.authorizer.allowed(f"serviceAccount:{agent}", _READ, repository):
            raise ImageDeniedError(
                f"Google Cloud Run Service Agent {agent} must have permission to read the image, "
                f"{uri}. Ensure that the provided container image URL is correct and that the above "
                "account has permission to access the image. Note that the image is from project "
                f"[{owner}], which is not the same as this project [{project}]."
            )

    def make_room(self, pool: Pool) -> None:
        """NoRoomError when the first instances of a revision do not fit beside what is busy.

        Idle instances of the service's other revisions end for them, before their time.
        """
        new = pool.revision
        others = [
            other
            for other in self._supervisor.pools()
            if other is not pool and _service_of(other.revision.key) == _service_of(new.key)
        ]
        while True:
            try:
                return self._supervisor.room.check(new, max(1, new.min_instances))
            except NoRoomError:
                if not any(other.end_idle() for other in others):
                    raise

    def settle(self, service: Any) -> None:
        """Keep the pools of revisions with traffic or a tag, by the service's maximum; retire the others."""
        keep = traffic.reachable(service)
        for revision in self._store.revisions(service.name):
            if revision.name not in keep:
                self._supervisor.retire(revision.name)
            elif (pool := self._supervisor.existing(revision.name)) is not None:
                pool.resize(maximum(revision, service.scaling.max_instance_count))

    def drop(self, revision: str) -> None:
        """End a revision's instances and give its image back."""
        self._supervisor.drop(revision)
        self._kernel.images.release(revision)

    def warm_up(self) -> None:
        """Start the minimum of every revision with traffic, as after a restart."""
        for service in self._store.services():
            for name in traffic.serving(service):
                revision = self._store.revision(name)
                if revision is not None and revision.scaling.min_instance_count:
                    self.pool(service, revision).tick()


def _service_of(revision: str) -> str:
    return revision.rpartition("/revisions/")[0]
