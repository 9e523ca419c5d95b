"""Step: a service's image, built by Cloud Build from its source and found again by its digest.

The tag `src-<12 hex>` names the source, so an unchanged source is not built again, also not from
another machine. A build of the same source that still runs is followed, not repeated.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from gpupipe.cloud.builds import BuildRequest, DeniedBuildError
from gpupipe.core.assets import SourceFile, build_context
from gpupipe.core.digest import archive, source_digest, source_tag
from gpupipe.core.options import key_of
from gpupipe.deploy.action import Action, Verb
from gpupipe.deploy.own_sources import service_source
from gpupipe.deploy.phase import Phase
from gpupipe.deploy.step import World, action


@dataclass(frozen=True, slots=True)
class Image:
    """The image of one service."""

    phase: ClassVar[Phase] = Phase.IMAGES
    kind: ClassVar[str] = "image"
    service: str
    needs: tuple[str, ...] = ("repository", "bucket:staging", "grants", "account:build")

    @property
    def key(self) -> str:
        """Unique name of the step."""
        return f"image:{self.service}"

    def name(self, world: World) -> str:  # noqa: ARG002  # images are named after services
        """The image's name in the repository."""
        return self.service

    def observe(self, world: World) -> str | None:
        """The image reference by digest of this source, or None."""
        own = world.spec.service_config(self.service).image
        if own is not None:
            world.facts.images[self.service] = own
            return own
        digest = self._built(world)
        return None if digest is None else self._found(world, digest)

    def diff(self, world: World, observed: str | None) -> Action:
        """Build what was not built from this source."""
        if observed is None:
            reason = f"no image {self._tag(world)} of this source yet"
            return action(self, world, Verb.CREATE, reason)
        if observed == world.spec.service_config(self.service).image:
            return action(self, world, Verb.KEEP, "it is yours")
        return action(self, world, Verb.KEEP, "this source was built already")

    def apply(self, world: World, action: Action) -> None:  # noqa: ARG002  # one thing to do
        """Upload the source, build, and record the digest.

        A build whose account is denied what it was granted a moment ago is begun again.
        """
        digest = world.cloud.caller.until_effective(
            lambda: self._build(world),
            lambda error: (
                "new grants to take effect" if isinstance(error, DeniedBuildError) else ""
            ),
        )
        self._found(world, digest)

    def remove(self, world: World) -> None:
        """Images go with their repository."""

    def _build(self, world: World) -> str:
        names, builds = world.spec.names, world.cloud.builds
        label = f"{names.prefix}-{self.service}-{self._tag(world)}"
        build = builds.running(names.project, names.location, label)
        if build is None:
            # One that still ran when the plan was made may have ended since.
            if (built := self._built(world)) is not None:
                return built
            build = builds.start(self._request(world, label))
        return builds.finish(
            names.project,
            build,
            world.cloud.logging,
            deadline_s=world.spec.config.options.build.timeout + 600,
            tell=world.cloud.caller.on_wait,
        )

    def _built(self, world: World) -> str | None:
        """The digest of the image of this source."""
        repository = world.spec.repository.name
        return world.cloud.registry.digest(repository, self.service, self._tag(world))

    def _request(self, world: World, label: str) -> BuildRequest:
        (files, dockerfile), names = self._source(world), world.spec.names
        build = world.spec.config.options.build
        source = world.cloud.storage.upload(
            names.bucket("staging"),
            f"sources/{self.service}-{source_digest(files)}.tar.gz",
            archive(files),
            content_type="application/gzip",
        )
        return BuildRequest(
            project=names.project,
            parent=names.location,
            source=(source.bucket, source.name, source.generation),
            dockerfile=dockerfile,
            image=names.image(self.service),
            tag=self._tag(world),
            arguments={},
            account=names.account("build"),
            label=label,
            timeout_s=build.timeout,
            machine_type="" if build.machine_type == "default" else build.machine_type,
        )

    def _files(self) -> Sequence[SourceFile]:
        return build_context(self.service)

    def _source(self, world: World) -> tuple[Sequence[SourceFile], str]:
        """The build context, and the Dockerfile in it."""
        own = service_source(world.spec.config, self.service)
        return own or (self._files(), f"{key_of(self.service)}/Dockerfile")

    def _tag(self, world: World) -> str:
        return source_tag(source_digest(self._source(world)[0]))

    def _found(self, world: World, digest: str) -> str:
        reference = f"{world.spec.names.image(self.service)}@{digest}"
        world.facts.images[self.service] = reference
        return reference
