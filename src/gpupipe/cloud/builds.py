"""Cloud Build: build one image from a source object, follow it, and read its log."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gpupipe.cloud.api import Api
from gpupipe.cloud.call import TIMEOUT_S, Wait, is_transient, none_if_missing
from gpupipe.cloud.causes import ACT_AS_VISIBLE, API_USABLE
from gpupipe.cloud.clients import module
from gpupipe.cloud.errors import ApiError, translated
from gpupipe.cloud.logging import LoggingApi
from gpupipe.cloud.operations import look_again_s
from gpupipe.cloud.permissions import missing_permission
from gpupipe.core.errors import GpupipeError

_LOG_LINES = 40
_LATEST = 100
_POLL_S = 5.0


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """One image to build.

    parent: "projects/P/locations/R"; source: bucket, object and generation of a .tar.gz;
    image: reference without tag; tags: image tags; label: tag of the build, to find it again;
    machine_type: Google's word, "" for its default.
    """

    project: str
    parent: str
    source: tuple[str, str, int]
    dockerfile: str
    image: str
    tag: str
    arguments: Mapping[str, str]
    account: str
    label: str
    timeout_s: int
    machine_type: str = ""


@dataclass(frozen=True, slots=True)
class Build:
    """A build: its name, status ("SUCCESS", …) and, when done, the image's digest."""

    name: str
    build_id: str
    status: str
    digest: str | None
    detail: str
    problem: str = ""

    @property
    def denied(self) -> bool:
        """Whether it failed because its account may not read the source or push the image."""
        return self.problem == "PUSH_NOT_AUTHORIZED" or bool(missing_permission(self.detail, {}))


class DeniedBuildError(GpupipeError):
    """A build failed for want of a permission."""


class BuildsApi(Api):
    """The calls that gpupipe needs of Cloud Build."""

    def running(self, project: str, parent: str, label: str) -> Build | None:
        """A build with this label that still runs, or None."""
        running = ' AND (status="QUEUED" OR status="WORKING")'
        found = self._tagged(project, parent, label, running)
        return _build(found[0]) if found else None

    def newest(self, project: str, parent: str, tags: tuple[str, ...]) -> list[Build]:
        """Builds of which a tag begins like one of these, newest first; of the last hundred."""
        request = {"parent": parent, "project_id": project, "page_size": _LATEST}
        method = self._client.list_builds
        pager = none_if_missing(lambda: self._unary("Listing builds", parent, method, request))
        page = next(iter(pager.pages)).builds if pager is not None else ()
        return [_build(one) for one in page if any(tag.startswith(tags) for tag in one.tags)]

    def _tagged(self, project: str, parent: str, label: str, more: str = "") -> list[Any]:
        return self._all(
            "Listing builds",
            parent,
            self._client.list_builds,
            {"parent": parent, "project_id": project, "filter": f'tags="{label}"{more}'},
        )

    def start(self, request: BuildRequest) -> Build:
        """Begin a build. What an attempt without an answer began is found, not begun again."""
        what, lost = "Starting the build", False

        def attempt() -> Build:
            nonlocal lost
            begun = self._begun(request) if lost else None
            if begun is not None:
                return begun
            try:
                with translated(what, request.image):
                    return self._begin(request)
            except ApiError as error:
                lost = lost or (is_transient(error.refusal) and not error.refusal.rate_limit)
                raise

        return self._call(what, request.image, attempt, causes=(API_USABLE, ACT_AS_VISIBLE))

    def _begin(self, request: BuildRequest) -> Build:
        wanted = {
            "parent": request.parent,
            "project_id": request.project,
            "build": _message(request),
        }
        operation = self._client.create_build(request=wanted, retry=None, timeout=TIMEOUT_S)
        return _build(operation.metadata.build)

    def _begun(self, request: BuildRequest) -> Build | None:
        """The build of this very source object: each upload has a generation of its own."""
        bucket, name, generation = request.source
        for found in self._tagged(request.project, request.parent, request.label):
            source = found.source.storage_source
            if (source.bucket, source.object_, source.generation) == (bucket, name, generation):
                return _build(found)
        return None

    def finish(
        self,
        project: str,
        build: Build,
        logs: LoggingApi,
        *,
        deadline_s: float,
        tell: Callable[[Wait], None],
    ) -> str:
        """Wait for a build and return its digest.

        GpupipeError with the end of its log if it failed; DeniedBuildError where its account lacked
        a permission, which may only be too new.
        """
        began, pause = self._caller.clock.monotonic(), 0.0
        while build.status in {"STATUS_UNKNOWN", "PENDING", "QUEUED", "WORKING"}:
            elapsed = self._caller.clock.monotonic() - began
            if elapsed > deadline_s:
                raise _failed(build, "it did not end in time", "")
            tell(
                Wait(
                    f"the build {build.build_id[:8]} ({build.status.lower()})", elapsed, deadline_s
                )
            )
            pause = look_again_s(elapsed, pause, max(0.1, _POLL_S * self._caller.hurry))
            self._caller.clock.sleep(pause)
            build = self._read(project, build)
        if build.status != "SUCCESS" or not build.digest:
            kind = DeniedBuildError if build.denied else GpupipeError
            log = _log_tail(logs, project, build)
            raise _failed(build, build.status.lower(), log, kind)
        return build.digest

    def _read(self, project: str, build: Build) -> Build:
        return _build(
            self._unary(
                "Reading the build",
                build.name,
                self._client.get_build,
                {"name": build.name, "project_id": project, "id": build.build_id},
            )
        )

    @property
    def _client(self) -> Any:
        return self._clients.client("builds")


def _message(request: BuildRequest) -> Any:
    types = module("google.cloud.devtools.cloudbuild_v1").types
    bucket, name, generation = request.source
    reference = f"{request.image}:{request.tag}"
    arguments = [
        part
        for key, value in request.arguments.items()
        for part in ("--build-arg", f"{key}={value}")
    ]
    return types.Build(
        source=types.Source(
            storage_source=types.StorageSource(bucket=bucket, object_=name, generation=generation)
        ),
        steps=[
            types.BuildStep(
                name="gcr.io/cloud-builders/docker",
                args=["build", "--file", request.dockerfile, "--tag", reference, *arguments, "."],
            )
        ],
        images=[reference],
        tags=[request.label],
        timeout={"seconds": request.timeout_s},
        service_account=f"projects/{request.project}/serviceAccounts/{request.account}",
        options=types.BuildOptions(
            logging=types.BuildOptions.LoggingMode.CLOUD_LOGGING_ONLY,
            machine_type=types.BuildOptions.MachineType[request.machine_type or "UNSPECIFIED"],
        ),
    )


def _build(found: Any) -> Build:
    images = list(found.results.images) if found.results else []
    return Build(
        name=str(found.name),
        build_id=str(found.id),
        status=str(found.status.name),
        digest=str(images[0].digest) if images else None,
        detail=str(
            found.status_detail or (found.failure_info.detail if found.failure_info else "")
        ),
        problem=str(found.failure_info.type_.name) if found.failure_info else "",
    )


def _log_tail(logs: LoggingApi, project: str, build: Build) -> str:
    try:
        return "\n".join(logs.build_log(project, build.build_id, _LOG_LINES))
    except ApiError as error:
        # The build's status decides; a missing right to read logs is no failure of its own.
        if error.refusal.code == "PERMISSION_DENIED":
            return "Warning: its log could not be read; roles/logging.viewer is missing."
        return f"Warning: its log could not be read; {error.details}"


def _failed(
    build: Build, how: str, log: str, kind: type[GpupipeError] = GpupipeError
) -> GpupipeError:
    return kind(
        f"The build of the image failed: {how}.",
        resource=build.name or build.build_id,
        details="\n".join(part for part in (build.detail, log) if part) or None,
        resolution="Mend what the end of the log names, then run the same command again.",
        doc="reference/errors.md#build",
    )
