"""What a repository must look like. Rules: gcp-facts §3 and §6; the words are ours."""

import re
from typing import Any

from google.cloud import artifactregistry_v1

from gpupipe.localcloud.errors import invalid_argument, unimplemented

# "begins with a letter, ends letter/number, lowercase letters/digits/hyphens, <= 63"; UNSURE of
# the exact expression
_ID = re.compile(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
_LABEL_KEY = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_LABEL_VALUE = re.compile(r"[a-z0-9_-]{0,63}")
_MOST_LABELS = 64
_DOCKER = int(artifactregistry_v1.Repository.Format.DOCKER)
_MODES = {0, int(artifactregistry_v1.Repository.Mode.STANDARD_REPOSITORY)}
_DELETE = int(artifactregistry_v1.CleanupPolicy.Action.DELETE)
_KEEP = int(artifactregistry_v1.CleanupPolicy.Action.KEEP)
CHANGEABLE = ("description", "labels", "cleanup_policies", "cleanup_policy_dry_run")


def check_id(repository_id: str) -> None:
    """Refuse an id that Google would refuse."""
    if not _ID.fullmatch(repository_id):
        raise invalid_argument(
            f"The repository ID {repository_id!r} is not valid: it takes at most 63 lower-case "
            "letters, digits and hyphens, a letter first and no hyphen last.",
            "repository_id",
        )


def check(repository: Any) -> None:
    """Refuse what is wrong, and by name what the local cloud does not emulate."""
    if repository.format_ == 0:
        raise invalid_argument("The format of the repository is required.", "repository.format")
    if repository.format_ != _DOCKER:
        raise unimplemented("repositories of another format than DOCKER")
    if repository.mode not in _MODES:
        raise unimplemented("virtual and remote repositories")
    if repository.kms_key_name:
        raise unimplemented("customer-managed encryption keys")
    if repository.docker_config.immutable_tags:
        raise unimplemented("immutable tags")
    check_changeable(repository)


def check_changeable(repository: Any) -> None:
    """The rules of what an update may bring."""
    _check_labels(repository.labels)
    for key, policy in repository.cleanup_policies.items():
        _check_cleanup(key, policy)


def _check_labels(labels: Any) -> None:
    if len(labels) > _MOST_LABELS:
        raise invalid_argument(f"At most {_MOST_LABELS} labels are allowed.", "repository.labels")
    for key, value in labels.items():
        if not _LABEL_KEY.fullmatch(key) or not _LABEL_VALUE.fullmatch(value):
            raise invalid_argument(
                f"The label {key!r}={value!r} is not valid: lower-case letters, digits, _ and -, "
                "63 at most, the key beginning with a letter.",
                "repository.labels",
            )


def _check_cleanup(key: str, policy: Any) -> None:
    where = "repository.cleanup_policies"
    if policy.id and policy.id != key:
        raise invalid_argument(f"The cleanup policy {policy.id!r} is under the key {key!r}.", where)
    if policy.action not in {_DELETE, _KEEP}:
        raise invalid_argument(f"The cleanup policy {key!r} has no action.", where)
    kind = policy.WhichOneof("condition_type")
    if kind is None:
        raise invalid_argument(f"The cleanup policy {key!r} has no condition.", where)
    if kind == "most_recent_versions" and policy.action != _KEEP:
        # google.devtools.artifactregistry.v1 CleanupPolicy.most_recent_versions
        raise invalid_argument(
            f"The cleanup policy {key!r}: most_recent_versions may only keep.", where
        )
