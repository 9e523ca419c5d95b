"""The installed gcloud on the local cloud: its private configuration, and nothing of the user's."""

import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import NoReturn

from gpupipe.commands._local import running
from gpupipe.commands._place import local_place
from gpupipe.context import local_home
from gpupipe.core.errors import UsageError
from gpupipe.localcloud.settings import Settings

# Properties of gcloud by the environment go before its configuration. These say how it is run.
_PREFIX = "CLOUDSDK_"
_OF_THE_PROGRAM = ("CLOUDSDK_PYTHON", "CLOUDSDK_GSUTIL_PYTHON", "CLOUDSDK_ROOT_DIR")
_PROXIES = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "all_proxy")
_DIRECT = ("no_proxy", "NO_PROXY")
_OTHERS = frozenset({"BOTO_CONFIG", "BOTO_PATH"})


def run_gcloud(arguments: Sequence[str]) -> NoReturn:
    """Become gcloud with these arguments; its exit code is the command's."""
    program = shutil.which("gcloud")
    if program is None:
        raise UsageError(
            "gcloud is not installed, or not on the PATH.",
            resolution="Install the Google Cloud CLI (https://cloud.google.com/sdk/docs/install); "
            "gpupipe's own commands do without it.",
            doc="how-to/use-gcloud.md",
        )
    info = running()
    project, region = local_place(None, None)
    environment = environment_of(os.environ, info.http) | {
        "CLOUDSDK_CORE_PROJECT": project,
        "CLOUDSDK_RUN_REGION": region,
        **{f"CLOUDSDK_{name}_LOCATION": region for name in ("WORKFLOWS", "EVENTARC", "ARTIFACTS")},
    }
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(program, [program, *arguments], environment)  # noqa: S606  # a shell is not wanted


def environment_of(environment: Mapping[str, str], http: str) -> dict[str, str]:
    """The environment for gcloud, with the local cloud at `http` as everybody's proxy.

    Also for those parts of gcloud that do not know its properties: they could go elsewhere.
    """
    against = {*foreign(environment), *_DIRECT}
    kept = {name: value for name, value in environment.items() if name not in against}
    return kept | dict.fromkeys(_PROXIES, http) | configuration()


def configuration() -> dict[str, str]:
    """The variables that make gcloud and gsutil use the local cloud."""
    settings = Settings(local_home())
    return {"CLOUDSDK_CONFIG": str(settings.gcloud), "BOTO_CONFIG": str(settings.boto)}


def foreign(environment: Mapping[str, str]) -> Iterator[str]:
    """Names of variables that would lead gcloud elsewhere whatever its configuration says."""
    for name in environment:
        if name in _OTHERS or (name.startswith(_PREFIX) and not name.startswith(_OF_THE_PROGRAM)):
            yield name
