"""The environment of an instance, made from nothing: never the daemon's, never the user's.

Only what Cloud Run gives a container, the image's ENV, the service's own variables, and what points
the client libraries at this machine: the metadata server behind the instance's secret, and
Cloud Storage's own endpoint variable.

google.auth asks Google in the background where a service account may be used, and would send our
token along; it has no switch for that (its variable GOOGLE_AUTH_TRUST_BOUNDARY_ENABLED is without
effect). `requests` takes a proxy for one host from a variable of this form, and refuses one without
a host before it opens a connection: the question never leaves the process, nothing is tried again
and nothing logged. Everything else stays reachable.
"""

from dataclasses import dataclass
from pathlib import Path

from gpupipe.localcloud.runner.paths import mapped_list, search_path
from gpupipe.localcloud.runner.revision import RunnableRevision

_NO_LOOKUP = "https://iamcredentials.googleapis.com_proxy"
_NO_PROXY_AT_ALL = "http://"
# google.auth asks three times for three seconds and then takes it that this is not Google Cloud, so
# that a service ends before it is ready. A machine that builds, serves and tests at once is slower.
_METADATA_PATIENCE_S = "60"


@dataclass(frozen=True, slots=True)
class Place:
    """Where one instance runs: its port, its secret and its own folder (0700)."""

    port: int
    secret: str
    folder: Path
    daemon_http: str

    @property
    def metadata_host(self) -> str:
        """Host and path of this instance's metadata server, as google.auth joins them to URLs."""
        return f"{self.daemon_http.removeprefix('http://')}/{self.secret}"


def environment_of(revision: RunnableRevision, place: Place) -> dict[str, str]:
    """Every variable of the instance; the platform's own cannot be overridden."""
    program = revision.program
    image = {
        name: mapped_list(program.root, value) for name, value in program.image_environment.items()
    }
    own = {**image, **program.environment}
    if revision.accelerator:
        # There is no GPU behind this revision: the service is told so and reports it.
        own["GPUPIPE_EMULATED_ACCELERATOR"] = revision.accelerator
        if own.get("DEVICE") == "cuda":
            own["DEVICE"] = "cpu"
    path = search_path(program.root, program.image_environment.get("PATH", ""))
    return {**own, **_platform(revision, place), "PATH": program.environment.get("PATH", path)}


def _platform(revision: RunnableRevision, place: Place) -> dict[str, str]:
    return {
        "PORT": str(place.port),
        "HOST": "127.0.0.1",
        "K_SERVICE": revision.service,
        "K_REVISION": revision.revision,
        "K_CONFIGURATION": revision.service,
        "HOME": str(place.folder),
        "TMPDIR": str(place.folder / "tmp"),
        "GCE_METADATA_HOST": place.metadata_host,
        "GCE_METADATA_IP": place.metadata_host,
        "GCE_METADATA_TIMEOUT": _METADATA_PATIENCE_S,
        _NO_LOOKUP: _NO_PROXY_AT_ALL,
        "API_ENDPOINT_OVERRIDE": place.daemon_http,
    }
