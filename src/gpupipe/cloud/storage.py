"""Cloud Storage: buckets with the fields gpupipe owns, their bindings, and objects.

Locations are upper case as Google reads them back; compare with `location.lower()`.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from gpupipe.cloud.api import Api, Binding
from gpupipe.cloud.call import none_if_missing
from gpupipe.cloud.causes import ACCOUNT_VISIBLE
from gpupipe.cloud.errors import ApiError
from gpupipe.cloud.policy import VERSION

_TIMEOUT_S = 120.0
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class AgeRule:
    """Delete objects (only noncurrent ones when `noncurrent`) after so many days."""

    days: int
    noncurrent: bool = False
    prefix: str = ""

    def __str__(self) -> str:
        """As people read it in a plan."""
        what = "noncurrent versions" if self.noncurrent else "objects"
        below = f" below {self.prefix}" if self.prefix else ""
        return f"{what}{below} deleted after {self.days} days"


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket. `soft_delete_s`: how long deleted objects are kept, 0 = not at all."""

    name: str
    location: str
    labels: Mapping[str, str]
    versioning: bool
    soft_delete_s: int
    rules: tuple[AgeRule, ...]
    uniform_access: bool = True
    public_access_prevention: str = "enforced"
    storage_class: str = "STANDARD"
    kms_key: str = ""
    project_number: int | None = None
    updated: datetime | None = None


@dataclass(frozen=True, slots=True)
class Object:
    """One object, at one generation."""

    bucket: str
    name: str
    generation: int
    size: int
    created: datetime | None
    metadata: Mapping[str, str] = field(default_factory=dict)


class StorageApi(Api):
    """The calls that gpupipe needs of Cloud Storage."""

    def get(self, name: str) -> Bucket | None:
        """The bucket, or None. One that belongs to somebody else raises ApiError (403)."""
        found = none_if_missing(
            lambda: self._call(
                "Reading the bucket", name, lambda: self._client.get_bucket(name, **_ONCE)
            )
        )
        return None if found is None else _bucket(found)

    def labelled(self, labels: Mapping[str, str]) -> tuple[Bucket, ...]:
        """The project's buckets that carry all these labels; none where the API is not enabled."""
        buckets = none_if_missing(
            lambda: self._call(
                "Listing buckets",
                self._client.project,
                lambda: list(self._client.list_buckets(**_ONCE)),
            )
        )
        return tuple(
            _bucket(bucket) for bucket in buckets or () if labels.items() <= bucket.labels.items()
        )

    def create(self, wanted: Bucket) -> None:
        """Make the bucket. ApiError ALREADY_EXISTS where the name is taken by anybody."""
        bucket = self._client.bucket(wanted.name)
        _fill(bucket, wanted)
        self._call(
            "Creating the bucket",
            wanted.name,
            lambda: self._client.create_bucket(bucket, location=wanted.location, **_ONCE),
        )

    def update(self, wanted: Bucket) -> None:
        """Set the owned fields; other fields, and labels that are not ours, stay."""

        def attempt() -> None:
            bucket = self._client.get_bucket(wanted.name, **_ONCE)
            labels = {**bucket.labels, **wanted.labels}
            _fill(bucket, wanted)
            bucket.labels = labels
            bucket.patch(**_ONCE)

        self._call("Updating the bucket", wanted.name, attempt)

    def relabel(self, name: str, labels: Mapping[str, str | None]) -> None:
        """Set these labels of a bucket, and remove those that are None; all others stay."""

        def attempt() -> None:
            bucket = self._client.get_bucket(name, **_ONCE)
            merged = {**bucket.labels, **labels}
            bucket.labels = {key: value for key, value in merged.items() if value is not None}
            bucket.patch(**_ONCE)

        self._call("Labelling the bucket", name, attempt)

    def delete(self, name: str) -> None:
        """Delete an empty bucket; one that is gone already is fine."""
        none_if_missing(
            lambda: self._call(
                "Deleting the bucket", name, lambda: self._client.bucket(name).delete(**_ONCE)
            )
        )

    def notified(self, name: str) -> tuple[str, ...]:
        """Full names of the topics that the bucket's notifications go to; none without a bucket."""
        found = none_if_missing(
            lambda: self._call(
                "Reading the bucket's notifications",
                name,
                lambda: list(self._client.bucket(name).list_notifications(**_ONCE)),
            )
        )
        return tuple(f"projects/{one.topic_project}/topics/{one.topic_name}" for one in found or ())

    def bindings(self, name: str) -> frozenset[Binding]:
        """The bucket's unconditional bindings; empty where there is no bucket."""
        policy = none_if_missing(lambda: self._policy(name))
        return frozenset() if policy is None else _pairs(policy)

    def edit_bindings(
        self, name: str, *, add: Collection[Binding] = (), remove: Collection[Binding] = ()
    ) -> None:
        """Add and remove bindings; all others stay."""

        def once() -> None:
            policy = self._policy(name)
            present = _pairs(policy)
            if set(add) <= present and not set(remove) & present:
                return
            kept = (present | set(add)) - set(remove)
            others = [binding for binding in policy.bindings if binding.get("condition")]
            policy.bindings = others + [
                {"role": role, "members": {member for one, member in kept if one == role}}
                for role in sorted({role for role, _ in kept})
            ]
            policy.version = VERSION
            self._call(
                "Changing who may use the bucket",
                name,
                lambda: self._client.bucket(name).set_iam_policy(policy, **_ONCE),
                idempotent=False,
                causes=(ACCOUNT_VISIBLE,),
            )

        self._caller.read_modify_write(once)

    def agent(self) -> str:
        """E-mail of the project's Cloud Storage service agent; asking makes it exist."""
        return str(
            self._call(
                "Asking for the Cloud Storage service agent",
                self._client.project,
                lambda: self._client.get_service_account_email(**_ONCE),
            )
        )

    def upload(
        self,
        bucket: str,
        name: str,
        data: bytes | Path,
        *,
        content_type: str,
        only_if_generation: int | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> Object:
        """Write an object. `only_if_generation=0`: only a new one (ApiError FAILED_PRECONDITION)."""
        blob = self._client.bucket(bucket).blob(name)
        blob.metadata = dict(metadata or {})

        def attempt() -> None:
            options = {"if_generation_match": only_if_generation, "content_type": content_type}
            if isinstance(data, Path):
                blob.upload_from_filename(str(data), **options, **_ONCE)
            else:
                blob.upload_from_string(data, **options, **_ONCE)

        self._call("Uploading", f"gs://{bucket}/{name}", attempt)
        return _object(blob)

    def read(self, bucket: str, name: str, generation: int | None = None) -> bytes | None:
        """An object's content, or None."""
        blob = self._client.bucket(bucket).blob(name, generation=generation)
        return none_if_missing(
            lambda: self._call(
                "Reading", f"gs://{bucket}/{name}", lambda: bytes(blob.download_as_bytes(**_ONCE))
            )
        )

    def stat(self, bucket: str, name: str, generation: int | None = None) -> Object | None:
        """What is known of an object, or None; of its live generation, or of the one that is given."""

        def attempt() -> Any:
            blob = self._client.bucket(bucket).blob(name, generation=generation)
            blob.reload(**_ONCE)
            return blob

        blob = none_if_missing(lambda: self._call("Reading", f"gs://{bucket}/{name}", attempt))
        return None if blob is None else _object(blob)

    def objects(self, bucket: str, prefix: str = "", *, versions: bool = False) -> Iterator[Object]:
        """The objects below a prefix; with `versions` also noncurrent ones."""
        blobs = self._call(
            "Listing objects",
            f"gs://{bucket}/{prefix}",
            lambda: list(
                self._client.list_blobs(
                    bucket, prefix=prefix, versions=versions or None, page_size=_PAGE, **_ONCE
                )
            ),
        )
        return (_object(blob) for blob in blobs)

    def each_object(self, bucket: str, prefix: str = "") -> Iterator[Object]:
        """The live objects below a prefix in the order of their names; one page is held at a time."""
        token: str | None = ""
        while token is not None:
            page, token = self._page(bucket, prefix, token)
            yield from page

    def _page(self, bucket: str, prefix: str, token: str) -> tuple[list[Object], str | None]:
        def attempt() -> tuple[list[Object], str | None]:
            found = self._client.list_blobs(
                bucket, prefix=prefix, page_size=_PAGE, page_token=token or None, **_ONCE
            )
            page = next(found.pages, ())
            return [_object(blob) for blob in page], found.next_page_token

        return self._call("Listing objects", f"gs://{bucket}/{prefix}", attempt)

    def remove(self, bucket: str, name: str, generation: int | None = None) -> None:
        """Delete an object (one generation of it); one that is gone already is fine."""
        blob = self._client.bucket(bucket).blob(name, generation=generation)
        none_if_missing(
            lambda: self._call("Deleting", f"gs://{bucket}/{name}", lambda: blob.delete(**_ONCE))
        )

    def remove_generation(self, bucket: str, name: str, generation: int) -> None:
        """Delete the live object only if it is this generation; another one stays."""
        blob = self._client.bucket(bucket).blob(name)
        try:
            none_if_missing(
                lambda: self._call(
                    "Deleting",
                    f"gs://{bucket}/{name}",
                    lambda: blob.delete(if_generation_match=generation, **_ONCE),
                )
            )
        except ApiError as error:
            if error.refusal.code != "FAILED_PRECONDITION":
                raise

    def swap(self, bucket: str, name: str, data: bytes, generation: int) -> int | None:
        """Write only over this generation (0 = none); the new one, or None if it was another."""
        try:
            done = self.upload(
                bucket, name, data, content_type="application/json", only_if_generation=generation
            )
        except ApiError as error:
            if error.refusal.code == "FAILED_PRECONDITION":
                return None
            raise
        return done.generation

    def _policy(self, name: str) -> Any:
        return self._call(
            "Reading who may use the bucket",
            name,
            lambda: self._client.bucket(name).get_iam_policy(
                requested_policy_version=VERSION, **_ONCE
            ),
        )

    @property
    def _client(self) -> Any:
        return self._clients.storage()


_ONCE: dict[str, Any] = {"timeout": _TIMEOUT_S, "retry": None}


def _pairs(policy: Any) -> frozenset[Binding]:
    return frozenset(
        (str(binding["role"]), str(member))
        for binding in policy.bindings
        if not binding.get("condition")
        for member in binding["members"]
    )


def _fill(bucket: Any, wanted: Bucket) -> None:
    bucket.labels = dict(wanted.labels)
    bucket.versioning_enabled = wanted.versioning
    bucket.iam_configuration.uniform_bucket_level_access_enabled = wanted.uniform_access
    bucket.iam_configuration.public_access_prevention = wanted.public_access_prevention
    bucket.soft_delete_policy.retention_duration_seconds = wanted.soft_delete_s
    bucket.storage_class = wanted.storage_class
    if (bucket.default_kms_key_name or "") != wanted.kms_key:
        bucket.default_kms_key_name = wanted.kms_key or None
    bucket.lifecycle_rules = [_rule_json(rule) for rule in wanted.rules]


def _rule_json(rule: AgeRule) -> dict[str, Any]:
    condition: dict[str, Any] = (
        {"daysSinceNoncurrentTime": rule.days} if rule.noncurrent else {"age": rule.days}
    )
    if rule.prefix:
        condition["matchesPrefix"] = [rule.prefix]
    return {"action": {"type": "Delete"}, "condition": condition}


def _rule(found: Mapping[str, Any]) -> AgeRule:
    condition = found.get("condition", {})
    noncurrent = "daysSinceNoncurrentTime" in condition
    days = condition.get("daysSinceNoncurrentTime" if noncurrent else "age", 0)
    return AgeRule(int(days), noncurrent, ",".join(condition.get("matchesPrefix", ())))


def _bucket(found: Any) -> Bucket:
    access = found.iam_configuration
    return Bucket(
        name=found.name,
        location=(found.location or "").lower(),
        labels=dict(found.labels),
        versioning=bool(found.versioning_enabled),
        soft_delete_s=int(found.soft_delete_policy.retention_duration_seconds or 0),
        rules=tuple(sorted((_rule(rule) for rule in found.lifecycle_rules), key=repr)),
        uniform_access=bool(access.uniform_bucket_level_access_enabled),
        public_access_prevention=access.public_access_prevention or "inherited",
        storage_class=found.storage_class or "STANDARD",
        kms_key=found.default_kms_key_name or "",
        project_number=int(found.project_number) if found.project_number else None,
        updated=found.updated,
    )


def _object(blob: Any) -> Object:
    return Object(
        bucket=blob.bucket.name,
        name=blob.name,
        generation=int(blob.generation or 0),
        size=int(blob.size or 0),
        created=blob.time_created,
        metadata=dict(blob.metadata or {}),
    )
