"""What a repository must look like. Rules: gcp-facts §3 and §6; the words are ours."""

import re
from typing import Any

from google.cloud import artifactregistry_v1

from gpupipe.localcloud.errors import invalid_argument, not_found, unimplemented
from gpupipe.localcloud.kernel.labels import check_labels
from gpupipe.localcloud.kernel.regions import REGIONS

# "begins with a letter, ends letter/number, lowercase letters/digits/hyphens, <= 63"; UNSURE of
# the exact expression
_ID = re.compile(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
_MULTI_REGIONS = frozenset({"asia", "europe", "us"})  # own knowledge
_DOCKER = int(artifactregistry_v1.Repository.Format.DOCKER)
_MODES = {0, int(artifactregistry_v1.Repository.Mode.STANDARD_REPOSITORY)}
_DELETE = int(artifactregistry_v1.CleanupPolicy.Action.DELETE)
_KEEP = int(artifactregistry_v1.CleanupPolicy.Action.KEEP)
_FIXED = ("format_", "mode", "kms_key_name")
_POLICIES = "repository.cleanup_policies"
_KEY_LIMIT = 128
_MOST_POLICIES = 10


def check_location(parent: str) -> None:
    """Refuse a location that Artifact Registry is not in; the code is UNSURE."""
    location = parent.rpartition("/")[2]
    if location not in REGIONS | _MULTI_REGIONS:
        raise not_found(f"Location {location} is not one of Artifact Registry.")


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
        raise invalid_argument("The format of the repository is required.", "repository.format_")
    if repository.format_ != _DOCKER:
        raise unimplemented("repositories of another format than DOCKER")
    if repository.mode not in _MODES:
        raise unimplemented("virtual and remote repositories")
    check_labels(repository.labels, "repository.labels")
    if len(repository.cleanup_policies) > _MOST_POLICIES:
        raise invalid_argument(
            f"A repository has at most {_MOST_POLICIES} cleanup policies.", _POLICIES
        )
    for key, policy in repository.cleanup_policies.items():
        _check_cleanup(key, policy)


def check_changed(old: Any, new: Any) -> None:
    """Refuse a change of what stays for good; the rules of the rest are those of a new one."""
    for field in _FIXED:
        if getattr(old, field) != getattr(new, field):
            path = f"repository.{field}"
            raise invalid_argument(f"The field {path} cannot be changed.", path)
    check(new)


def _check_cleanup(key: str, policy: Any) -> None:
    where = _POLICIES
    if not 0 < len(key) < _KEY_LIMIT:
        raise invalid_argument(
            f"The id of a cleanup policy has fewer than {_KEY_LIMIT} characters.", where
        )
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
    _check_values(key, policy)


def _check_values(key: str, policy: Any) -> None:
    recent = policy.most_recent_versions
    if recent.HasField("keep_count") and recent.keep_count < 1:
        raise invalid_argument(f"The cleanup policy {key!r} must keep 1 or more.", _POLICIES)
    for name in ("older_than", "newer_than"):
        if getattr(policy.condition, name).ToNanoseconds() < 0:
            raise invalid_argument(
                f"The cleanup policy {key!r}: {name} must not be negative.", _POLICIES
            )
