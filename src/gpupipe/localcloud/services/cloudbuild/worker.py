"""One build from its source to its image: fetch, unpack, build, push."""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gpupipe.localcloud.errors import ServiceError
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.kernel.registry_images import REPOSITORY_KIND
from gpupipe.localcloud.services.cloudbuild import docker_step, messages, rules, source
from gpupipe.localcloud.services.cloudbuild.builder.archive import ArchiveError, unpack
from gpupipe.localcloud.services.cloudbuild.builder.build import Built, Order
from gpupipe.localcloud.services.cloudbuild.builder.build import build as build_image
from gpupipe.localcloud.services.cloudbuild.builder.job import BuildError, Job
from gpupipe.localcloud.services.cloudbuild.builder.machine import Machine

UPLOAD = "artifactregistry.repositories.uploadArtifacts"


class FailedError(Exception):
    """The build ended as FAILURE: which part of it failed, and why."""

    def __init__(self, kind: int, why: str) -> None:
        super().__init__(why)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Image:
    """A reference LOCATION-docker.pkg.dev/PROJECT/REPOSITORY/IMAGE[:TAG], taken apart."""

    repository: str
    image: str
    tag: str

    @classmethod
    def of(cls, reference: str) -> "Image":
        """The parts; `rules` has checked the form."""
        name, _, tag = reference.partition(":")
        host, project, repository, image = name.split("/", 3)
        location = host.removesuffix("-docker.pkg.dev")
        parent = f"projects/{project}/locations/{location}/repositories/{repository}"
        return cls(parent, image, tag or "latest")


@dataclass(slots=True)
class Outcome:
    """What a build that succeeded leaves on its record."""

    generation: int = 0
    digests: dict[str, str] = field(default_factory=dict)


class Worker:
    """Does the work of one build; `timed` is entered around each part."""

    def __init__(
        self,
        kernel: Kernel,
        machine: Machine,
        build: Any,
        job: Job,
        timed: Callable[[str], Any],
    ) -> None:
        self._kernel = kernel
        self._machine = machine
        self._build = build
        self._job = job
        self._timed = timed
        self._email = rules.account_of(build)
        self._step = docker_step.parse(build.steps[0].args)

    def work(self) -> Outcome:
        """Everything; FailedError, BuildEndedError."""
        outcome = Outcome()
        with self._folder() as folder:
            with self._timed("FETCHSOURCE"), _failing(messages.FETCH_SOURCE_FAILED):
                outcome.generation = self._fetch(folder)
            with self._timed("BUILD"), _failing(messages.USER_BUILD_STEP):
                built = self._make(folder)
            with self._timed("PUSH"):
                outcome.digests = dict(self._push(built))
        return outcome

    @contextmanager
    def _folder(self) -> Iterator[Path]:
        self._kernel.settings.builds.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=self._kernel.settings.builds))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _fetch(self, folder: Path) -> int:
        place = self._build.source.storage_source
        self._job.log(f"Fetching the source gs://{place.bucket}/{place.object_}")
        archive = folder / "source.tar.gz"
        token, _ = self._kernel.identity.access_token(self._email)
        generation = source.fetch(
            self._kernel.http,
            token,
            (place.bucket, place.object_, place.generation),
            archive,
            self._job,
        )
        context = folder / "context"
        context.mkdir(mode=0o755)
        files = unpack(archive, context, check=self._job.check)
        self._job.log(f"{files} files unpacked")
        return generation

    def _make(self, folder: Path) -> Built:
        work = folder / "work"
        work.mkdir(mode=0o755)
        order = Order(
            folder / "context", work, self._step.file, self._step.arguments, self._step.labels
        )
        return build_image(order, self._machine, self._job)

    def _push(self, built: Built) -> Mapping[str, str]:
        # Nothing is pushed unless all can be.
        for reference in self._build.images:
            self._check_push(reference)
        digests: dict[str, str] = {}
        for reference in self._build.images:
            image = Image.of(reference)
            self._job.log(f"Pushing {reference}")
            digest = self._import(image, built, reuse=next(iter(digests.values()), None))
            self._kernel.images.tag(image.repository, image.image, image.tag, digest)
            self._job.log(f"{image.tag}: digest: {digest}")
            digests[reference] = digest
        return digests

    def _import(self, image: Image, built: Built, *, reuse: str | None) -> str:
        folder = built.folder
        if reuse is not None:
            # The folder of the same digest has moved: the same image under another name.
            folder = built.folder.with_name("again")
            shutil.copytree(self._kernel.images.folder(reuse), folder, symlinks=True)
        return self._kernel.images.import_folder(
            image.repository, image.image, folder, built.config
        )

    def _check_push(self, reference: str) -> None:
        if reference not in self._step.tags:
            raise FailedError(
                messages.PUSH_IMAGE_NOT_FOUND,
                f"The image {reference} was not built: docker build has no --tag for it.",
            )
        repository = Image.of(reference).repository
        allowed = self._kernel.authorizer.allowed
        if not allowed(f"serviceAccount:{self._email}", UPLOAD, repository):
            raise FailedError(
                messages.PUSH_NOT_AUTHORIZED,
                f'denied: Permission "{UPLOAD}" denied on resource "{repository}" '
                "(or it may not exist)",
            )
        if self._kernel.resources.get(REPOSITORY_KIND, repository) is None:
            raise FailedError(messages.PUSH_FAILED, f"The repository {repository} does not exist.")


@contextmanager
def _failing(kind: int) -> Iterator[None]:
    """Turn what goes wrong in one part into a failure of that part."""
    try:
        yield
    except (BuildError, ArchiveError) as error:
        raise FailedError(kind, str(error)) from error
    except ServiceError as error:
        raise FailedError(kind, error.message) from error
