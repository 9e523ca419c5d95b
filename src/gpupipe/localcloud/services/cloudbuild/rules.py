"""What a build must look like, as a table of refusals: each with its path, its test and its code.

INVALID_ARGUMENT is Google's refusal (tests/refusals/cloudbuild.yaml has the sources), UNIMPLEMENTED
a limit of the local cloud. Fields that nothing acts on are refused before, by `FIELDS`.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from gpupipe.localcloud.errors import (
    Code,
    Details,
    FieldViolation,
    ServiceError,
    invalid_argument,
)
from gpupipe.localcloud.kernel.regions import REGIONS
from gpupipe.localcloud.services.cloudbuild import docker_step, messages

FIELDS = (
    "parent",
    "project_id",
    *(f"build.{path}" for path in (
        "source.storage_source.bucket", "source.storage_source.object_",
        "source.storage_source.generation", "steps.name", "steps.args", "steps.id", "timeout", "images",
        "queue_ttl", "tags", "service_account", "options.logging", "options.machine_type",
        "options.disk_size_gb",
    )),
)  # fmt: skip
_ACCOUNT = re.compile(r"projects/([^/]+)/serviceAccounts/([^/]+)")
_IMAGE = re.compile(r"[a-z0-9-]+-docker\.pkg\.dev/[^/]+/[^/]+/[^:@]+(?::[\w][\w.-]{0,127})?")
_TAG = re.compile(r"[\w][\w.-]{0,127}", re.ASCII)  # UNSURE
_VARIABLE = re.compile(r"\$\{?[A-Z_]")
_DAY_S = 86_400  # UNSURE
_MOST_DISK_GB = 4000
# gcp-facts §3, from an issue thread
_LOGGING = (
    "if 'build.service_account' is specified, the build must either (a) specify "
    "'build.logs_bucket', (b) use the REGIONAL_USER_OWNED_BUCKET "
    "build.options.default_logs_bucket_behavior option, or (c) use either CLOUD_LOGGING_ONLY / "
    "NONE logging options: invalid argument"
)


@dataclass(frozen=True, slots=True)
class Rule:
    """One refusal: what is refused (its text, or None), where, and with which code."""

    path: str
    refuses: Callable[[Any], str | None]
    code: Code = Code.INVALID_ARGUMENT

    def check(self, build: Any) -> None:
        """Raise this refusal if it applies."""
        text = self.refuses(build)
        if text is not None:
            raise ServiceError(self.code, text, Details(fields=(FieldViolation(self.path, text),)))


def check_location(location: str) -> None:
    """Refuse a location that Cloud Build is not in; list and code are UNSURE."""
    if location != "global" and location not in REGIONS:
        raise invalid_argument(f"Location {location} is not one of Cloud Build.", "parent")


def check(build: Any) -> None:
    """Raise the first refusal that applies."""
    for rule in RULES:
        rule.check(build)


def account_of(build: Any) -> str:
    """The address in build.service_account, which has the full form."""
    match = _ACCOUNT.fullmatch(build.service_account)
    if match is None:
        raise invalid_argument(
            "build.service_account must be projects/PROJECT/serviceAccounts/EMAIL.",
            "build.service_account",
        )
    return match[2]


def _no_account(build: Any) -> str | None:
    if build.service_account:
        return None
    return (
        "The local cloud has no default build account: set build.service_account to a service "
        "account of the project."
    )


def _logging(build: Any) -> str | None:
    chosen = {messages.CLOUD_LOGGING_ONLY, messages.NO_LOGGING}
    return None if build.options.logging in chosen else _LOGGING


def _disk(build: Any) -> str | None:
    if 0 <= build.options.disk_size_gb <= _MOST_DISK_GB:
        return None
    return f"The disk has from 0 (the default) to {_MOST_DISK_GB} GB."


def _source(build: Any) -> str | None:
    source = build.source.storage_source
    if not source.bucket or not source.object_:
        return "The local cloud builds from build.source.storage_source (bucket and object)."
    return None


def _archive(build: Any) -> str | None:
    name = build.source.storage_source.object_
    return None if name.endswith((".tar.gz", ".tgz", ".zip")) else "The source must be an archive."


def _zip(build: Any) -> str | None:
    name = build.source.storage_source.object_
    return "The local cloud unpacks .tar.gz sources only." if name.endswith(".zip") else None


def _step(build: Any) -> str | None:
    if len(build.steps) != 1 or build.steps[0].name not in docker_step.DOCKER:
        return (
            "The local cloud runs builds of one step, gcr.io/cloud-builders/docker with build; "
            "other builders are not emulated."
        )
    return None


def _variables(build: Any) -> str | None:
    for path, text in _texts(build):
        if _VARIABLE.search(text):
            return f"The local cloud does not emulate substitutions, as in {path} {text!r}."
    return None


def _texts(build: Any) -> Iterator[tuple[str, str]]:
    yield from (("build.images", text) for text in build.images)
    yield from (("build.tags", text) for text in build.tags)
    yield from (("build.steps.args", text) for step in build.steps for text in step.args)


def _arguments(build: Any) -> str | None:
    try:
        docker_step.parse(build.steps[0].args)
    except docker_step.StepError as error:
        return f"The local cloud cannot run the step: {error}."
    return None


def _images(build: Any) -> str | None:
    wrong = [image for image in build.images if not _IMAGE.fullmatch(image)]
    if wrong:
        return (
            f"Invalid image name {wrong[0]!r}: expected LOCATION-docker.pkg.dev/PROJECT/REPO/IMAGE."
        )
    return None


def _tags(build: Any) -> str | None:
    wrong = [tag for tag in build.tags if not _TAG.fullmatch(tag)]
    return f"Invalid build tag {wrong[0]!r}." if wrong else None


def _timeout(build: Any) -> str | None:
    if build.HasField("timeout") and not 0 < build.timeout.seconds <= _DAY_S:
        return f"The build's timeout must be from 1 s to {_DAY_S} s."
    return None


def _queue_ttl(build: Any) -> str | None:
    if build.HasField("queue_ttl") and build.queue_ttl.seconds <= 0:
        return "The build's queue_ttl must be at least 1 s."
    return None


_HERE = Code.UNIMPLEMENTED
RULES = (
    Rule("build.service_account", _no_account, _HERE),
    Rule("build.options.logging", _logging),
    Rule("build.options.disk_size_gb", _disk),
    Rule("build.timeout", _timeout),
    Rule("build.queue_ttl", _queue_ttl),
    Rule("build", _variables, _HERE),
    Rule("build.tags", _tags),
    Rule("build.images", _images),
    Rule("build.source", _source, _HERE),
    Rule("build.source.storage_source.object_", _archive),
    Rule("build.source.storage_source.object_", _zip, _HERE),
    Rule("build.steps", _step, _HERE),
    Rule("build.steps.args", _arguments, _HERE),
)
