"""Names that gpupipe gives, derived from project and prefix and checked against Google's limits.

Limits: gcp-facts 2, 4 and 6 (services < 50 characters, accounts 6 to 30, buckets 3 to 63).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from gpupipe.core.errors import UsageError

_PROJECT = re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]")
_PREFIX = re.compile(r"[a-z]([a-z0-9-]{1,19}[a-z0-9])")
_REGION = re.compile(r"[a-z]+-[a-z]+[0-9]{1,2}")

_BUCKET_NAME_LIMIT = 63

SERVICES = ("preprocess", "gpu-inference", "postprocess")
BUCKETS = ("input", "models", "output", "work", "staging")
"""The buckets that every pipeline has."""
LOGS = "logs"
"""The bucket, and the sink, of exported logs."""
ACCOUNTS = ("pre", "infer", "post", "workflow", "eventarc", "build")


def check_project(project: str) -> str:
    """A project id that Google accepts; domain-scoped ones are refused with the reason."""
    if ":" in project:
        raise UsageError(
            f"The project id {project!r} is domain-scoped.",
            resolution="Use a project whose id has no domain: bucket names could not carry this one.",
        )
    if not _PROJECT.fullmatch(project):
        raise UsageError(
            f"{project!r} is not a project id.",
            details="6 to 30 characters: small letters, digits and hyphens, a letter first.",
            resolution="Give the id of the project, not its name or number.",
        )
    return project


def check_region(region: str) -> str:
    """A region as Google writes them; whether it has GPUs is asked of the API, not decided here."""
    if not _REGION.fullmatch(region):
        raise UsageError(
            f"{region!r} is not a region.",
            details="A region looks like us-central1 or europe-west4; a zone has one letter more.",
            resolution="Give a Google Cloud region with --region.",
        )
    return region


def check_prefix(prefix: str) -> str:
    """A prefix that leaves every derived name within Google's limits."""
    if prefix.startswith("goog"):
        raise UsageError(
            f"The prefix {prefix!r} begins with goog, which Google refuses in bucket names.",
            resolution="Choose another prefix.",
        )
    if not _PREFIX.fullmatch(prefix):
        raise UsageError(
            f"{prefix!r} is not a usable prefix.",
            details="3 to 21 characters: small letters, digits and hyphens, a letter first, "
            "a letter or digit last.",
            resolution="Choose another prefix with --prefix.",
        )
    return prefix


@dataclass(frozen=True, slots=True)
class Names:
    """Every name of one pipeline. given: role -> a bucket that the user names instead of ours."""

    project: str
    region: str
    prefix: str
    given: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_project(self.project)
        check_region(self.region)
        check_prefix(self.prefix)
        longest = max((self.bucket(role) for role in BUCKETS), key=len)
        if len(longest) > _BUCKET_NAME_LIMIT:
            raise UsageError(
                f"The bucket name {longest!r} would be longer than 63 characters.",
                resolution="Choose a shorter prefix.",
            )

    def service(self, service: str) -> str:
        """A Cloud Run service."""
        return f"{self.prefix}-{service}"

    def bucket(self, role: str) -> str:
        """A bucket; the project id makes ours unique among everybody's."""
        return self.given.get(role) or f"{self.prefix}-{role}-{self.project}"

    def account_id(self, role: str) -> str:
        """A service account's id."""
        return f"{self.prefix}-{role}"

    def account(self, role: str) -> str:
        """A service account's e-mail."""
        return f"{self.account_id(role)}@{self.project}.iam.gserviceaccount.com"

    def member(self, role: str) -> str:
        """A service account as a member of a policy."""
        return f"serviceAccount:{self.account(role)}"

    @property
    def workflow(self) -> str:
        """The workflow's id."""
        return f"{self.prefix}-ml-pipeline"

    @property
    def log_sink(self) -> str:
        """The log sink's id."""
        return f"{self.prefix}-{LOGS}"

    @property
    def trigger(self) -> str:
        """The trigger's id."""
        return f"{self.prefix}-storage-trigger"

    @property
    def repository(self) -> str:
        """The Docker repository's id."""
        return f"{self.prefix}-containers"

    @property
    def location(self) -> str:
        """The parent of regional resources."""
        return f"projects/{self.project}/locations/{self.region}"

    def image(self, service: str) -> str:
        """An image without tag or digest."""
        host = f"{self.region}-docker.pkg.dev"
        return f"{host}/{self.project}/{self.repository}/{service}"
