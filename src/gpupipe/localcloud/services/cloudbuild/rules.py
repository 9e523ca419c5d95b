"""What a build must look like: refusals as rows, each with its source and how sure it is.

The tests send every row's example through the official client.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gpupipe.localcloud.errors import (
    Code,
    Details,
    FieldViolation,
    ServiceError,
    invalid_argument,
)
from gpupipe.localcloud.services.cloudbuild import docker_step, messages

_ACCOUNT = re.compile(r"projects/([^/]+)/serviceAccounts/([^/]+)")
_IMAGE = re.compile(r"[a-z0-9-]+-docker\.pkg\.dev/[^/]+/[^/]+/[^:@]+(?::[\w][\w.-]{0,127})?")
_TAG = re.compile(r"[\w][\w.-]{0,127}")
_DAY_S = 86_400
_NOT_EMULATED = frozenset(
    {"artifacts", "available_secrets", "dependencies", "git_config", "secrets", "substitutions"}
)
# gcp-facts §3, from an issue thread
_LOGGING = (
    "if 'build.service_account' is specified, the build must either (a) specify "
    "'build.logs_bucket', (b) use the REGIONAL_USER_OWNED_BUCKET "
    "build.options.default_logs_bucket_behavior option, or (c) use either CLOUD_LOGGING_ONLY / "
    "NONE logging options: invalid argument"
)
Change = Callable[[Any], object]


@dataclass(frozen=True, slots=True)
class Rule:
    """One refusal: what is refused (its text, or None), where, and an example to send.

    certainty: "text" (read in a source), "rule" (the rule was read, words ours), "unsure", or
    "local" (Google accepts it, the local cloud does not).
    """

    name: str
    path: str
    refuses: Callable[[Any], str | None]
    source: str
    certainty: str
    example: Change
    code: Code = Code.INVALID_ARGUMENT

    def check(self, build: Any) -> None:
        """Raise this refusal if it applies."""
        text = self.refuses(build)
        if text is not None:
            raise ServiceError(self.code, text, Details(fields=(FieldViolation(self.path, text),)))


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


def _logging(build: Any) -> str | None:
    chosen = {messages.CLOUD_LOGGING_ONLY, messages.NO_LOGGING}
    ok = build.logs_bucket or build.options.default_logs_bucket_behavior
    return None if ok or build.options.logging in chosen else _LOGGING


def _logs_bucket(build: Any) -> str | None:
    if build.logs_bucket or build.options.default_logs_bucket_behavior:
        return "The local cloud writes build logs to Cloud Logging only, not to buckets."
    return None


def _source(build: Any) -> str | None:
    source = build.source.storage_source
    if not source.bucket or not source.object_:
        return "The local cloud builds from build.source.storage_source (bucket and object)."
    return None


def _archive(build: Any) -> str | None:
    name = build.source.storage_source.object_
    return None if name.endswith((".tar.gz", ".tgz")) else "The source must be a .tar.gz."


def _step(build: Any) -> str | None:
    if len(build.steps) != 1 or build.steps[0].name not in docker_step.DOCKER:
        return (
            "The local cloud runs builds of one step, gcr.io/cloud-builders/docker with build; "
            "other builders are not emulated."
        )
    return None


def _plain_step(build: Any) -> str | None:
    step = build.steps[0]
    known = {"name", "args", "id", "timeout"}
    others = [field.name for field, _ in step.ListFields() if field.name not in known]
    return f"The local cloud does not emulate {others[0]} of a step." if others else None


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
    seconds = build.timeout.seconds
    if build.HasField("timeout") and not 0 < seconds <= _DAY_S:
        return f"The build's timeout must be from 1 s to {_DAY_S} s."
    return None


def _unsupported(build: Any) -> str | None:
    for field, _ in build.ListFields():
        if field.name in _NOT_EMULATED:
            return f"The local cloud does not emulate build.{field.name}."
    return None


def _no_account(build: Any) -> str | None:
    if build.service_account:
        return None
    return (
        "The local cloud has no default build account: set build.service_account to a service "
        "account of the project."
    )


def _clear(path: str) -> Change:
    *parents, last = path.split(".")

    def change(build: Any) -> None:
        target = build
        for name in parents:
            target = getattr(target, name)
        target.ClearField(last)

    return change


_LIB = "cloudbuild_v1 docstrings"
RULES = (
    Rule("no service account", "build.service_account", _no_account, "DESIGN §4: no default "
         "accounts", "local", _clear("service_account")),
    Rule("no logging choice", "build.options.logging", _logging, "gcp-facts §3", "text",
         _clear("options")),
    Rule("logs bucket", "build.logs_bucket", _logs_bucket, "local limit", "local",
         lambda b: setattr(b, "logs_bucket", "gs://logs"), Code.UNIMPLEMENTED),
    Rule("no source", "build.source", _source, "local limit", "local", _clear("source"),
         Code.UNIMPLEMENTED),
    Rule("zip source", "build.source.storage_source.object", _archive, "local limit", "local",
         lambda b: setattr(b.source.storage_source, "object_", "source.zip"), Code.UNIMPLEMENTED),
    Rule("other builder", "build.steps", _step, "local limit", "local",
         lambda b: setattr(b.steps[0], "name", "gcr.io/cloud-builders/gcloud"),
         Code.UNIMPLEMENTED),
    Rule("two steps", "build.steps", _step, "local limit", "local",
         lambda b: b.steps.add(name="ubuntu"), Code.UNIMPLEMENTED),
    Rule("step entrypoint", "build.steps", _plain_step, "local limit", "local",
         lambda b: setattr(b.steps[0], "entrypoint", "bash"), Code.UNIMPLEMENTED),
    Rule("docker argument", "build.steps.args", _arguments, "local limit", "local",
         lambda b: b.steps[0].args.insert(1, "--no-cache"), Code.UNIMPLEMENTED),
    Rule("image name", "build.images", _images, "gcp-facts §3: gcr.io is gone", "unsure",
         lambda b: b.images.append("gcr.io/demo/preprocess")),
    Rule("build tag", "build.tags", _tags, _LIB, "unsure", lambda b: b.tags.append("no spaces")),
    Rule("timeout", "build.timeout", _timeout, "gcp-facts §3: 24 h is UNSURE", "unsure",
         lambda b: setattr(b.timeout, "seconds", _DAY_S + 1)),
    Rule("substitutions", "build.substitutions", _unsupported, "local limit", "local",
         lambda b: b.substitutions.update({"_A": "1"}), Code.UNIMPLEMENTED),
    Rule("secrets", "build.secrets", _unsupported, "local limit", "local",
         lambda b: b.secrets.add(kms_key_name="k"), Code.UNIMPLEMENTED),
)  # fmt: skip
