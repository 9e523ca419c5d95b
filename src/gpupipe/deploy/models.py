"""Models in the models bucket: `models/NAME/VERSION/`, where a version never changes once it is there.

The manifest is written last, so a version that has one is whole. Every write is create-only, and each
file carries its digest: a push that was cut off goes on, and another model under the same version
is refused.
"""

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

from gpupipe.cloud.cloud import Cloud
from gpupipe.cloud.errors import is_code
from gpupipe.core.errors import GpupipeError, UsageError
from gpupipe.deploy.bundles import DOC, Bundle
from gpupipe.deploy.spec import MODELS, PipelineSpec

MANIFEST = "manifest.json"
DEFAULT = "default"
"""The name that stands for the model inside the image."""
_DIGEST = "gpupipe-sha256"
_PARALLEL = 8
_LONG_AGO = datetime.fromtimestamp(0, UTC)
_REFERENCE = re.compile(r"([a-z0-9-]+)(?:@([A-Za-z0-9._-]+))?")


@dataclass(frozen=True, slots=True)
class Model:
    """A version of a model in the bucket; `bytes` of the files that the service reads."""

    name: str
    version: str
    pushed: datetime | None
    task: str
    labels: int
    bytes: int

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


def push(cloud: Cloud, spec: PipelineSpec, bundle: Bundle) -> bool:
    """Write a bundle; False where this very one was there already.

    Raises UsageError where the version is another model's.
    """
    bucket = spec.names.bucket("models")
    folder = f"{MODELS}/{bundle.name}/{bundle.version}"
    data = json.dumps(bundle.manifest, indent=2, ensure_ascii=False).encode() + b"\n"
    earlier = cloud.storage.read(bucket, f"{folder}/{MANIFEST}")
    if earlier is not None:
        if _same(earlier, bundle):
            return False
        raise _taken(spec, bundle)

    def one(name: str) -> None:
        _create(cloud, spec, bundle, name)

    with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="push") as pool:
        list(pool.map(one, bundle.sizes))
    try:
        cloud.storage.upload(
            bucket, f"{folder}/{MANIFEST}", data, content_type="application/json",
            only_if_generation=0,
        )  # fmt: skip
    except GpupipeError as error:
        if not is_code(error, "FAILED_PRECONDITION"):
            raise
        # Somebody else was faster, or the answer of our own write was lost.
        if not _same(cloud.storage.read(bucket, f"{folder}/{MANIFEST}") or b"", bundle):
            raise _taken(spec, bundle) from error
    return True


def _create(cloud: Cloud, spec: PipelineSpec, bundle: Bundle, name: str) -> None:
    bucket = spec.names.bucket("models")
    place = f"{MODELS}/{bundle.name}/{bundle.version}/{name}"
    digest = {_DIGEST: bundle.digests[name]}
    try:
        cloud.storage.upload(
            bucket,
            place,
            bundle.folder / name,
            content_type="application/octet-stream",
            only_if_generation=0,
            metadata=digest,
        )
    except GpupipeError as error:
        if not is_code(error, "FAILED_PRECONDITION"):
            raise
        found = cloud.storage.stat(bucket, place)
        if found is None or found.size != bundle.sizes[name] or found.metadata != digest:
            raise _taken(spec, bundle) from error


def _same(manifest: bytes, bundle: Bundle) -> bool:
    try:
        return bool(json.loads(manifest) == bundle.manifest)
    except ValueError:
        return False


def _taken(spec: PipelineSpec, bundle: Bundle) -> UsageError:
    return UsageError(
        f"{bundle.name}@{bundle.version} is another model already; a version never changes.",
        resource=spec.model_uri(bundle.name, bundle.version),
        resolution="Push it under another version with --version.",
        doc=DOC,
    )


def models(cloud: Cloud, spec: PipelineSpec, name: str | None = None) -> list[Model]:
    """The whole versions in the bucket, by name, the newest first."""
    bucket = spec.names.bucket("models")
    prefix = f"{MODELS}/{name}/" if name else f"{MODELS}/"
    places = _manifests(cloud, bucket, prefix)

    def one(place: tuple[str, str, datetime | None]) -> Model:
        folder, version, pushed = place
        raw = cloud.storage.read(bucket, f"{MODELS}/{folder}/{version}/{MANIFEST}")
        return _model(folder, version, pushed, raw or b"")

    with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="models") as pool:
        found = list(pool.map(one, places))
    newest = sorted(found, key=lambda one: one.pushed or _LONG_AGO, reverse=True)
    return sorted(newest, key=lambda one: one.name)


def _manifests(
    cloud: Cloud, bucket: str, prefix: str
) -> Iterator[tuple[str, str, datetime | None]]:
    for found in cloud.storage.each_object(bucket, prefix):
        match found.name.split("/"):
            case [_, folder, version, file] if file == MANIFEST:
                yield folder, version, found.created


def _model(name: str, version: str, pushed: datetime | None, manifest: bytes) -> Model:
    """What a manifest tells; one that was put there by hand may tell anything."""
    try:
        found = json.loads(manifest)
        task, labels = str(found["task"]), len(found["labels"])
        size = sum(int(one["size"]) for one in found["files"].values())
    except (ValueError, KeyError, TypeError, AttributeError):
        task, labels, size = "unreadable", 0, 0
    return Model(name, version, pushed, task, labels, size)


def chosen(cloud: Cloud, spec: PipelineSpec, reference: str) -> Model | None:
    """The model that NAME[@VERSION] means: without a version the newest; None is the default one.

    Raises UsageError where there is none.
    """
    if reference == DEFAULT:
        return None
    match = _REFERENCE.fullmatch(reference)
    found = models(cloud, spec, match[1]) if match else []
    fitting = [one for one in found if match and match[2] in {None, one.version}]
    if not fitting:
        known = ", ".join(map(str, found or models(cloud, spec))) or "none"
        raise UsageError(
            f"There is no model {reference}.",
            resource=f"gs://{spec.names.bucket('models')}/{MODELS}/",
            details=f"Models that were pushed: {known}.",
            resolution="Push it with gpupipe model push, or name one of these.",
            doc=DOC,
        )
    return fitting[0]


def takes_images(cloud: Cloud, spec: PipelineSpec) -> bool:
    """Whether the configured model is one for images."""
    if spec.config.options.model is None:
        return False
    name, _, version = spec.config.options.model.partition("@")
    place = f"{MODELS}/{name}/{version}/{MANIFEST}"
    manifest = cloud.storage.read(spec.names.bucket("models"), place) or b""
    return _model(name, version, None, manifest).task == "image-classification"


def require_model(cloud: Cloud, spec: PipelineSpec) -> None:
    """UsageError where the configuration names a model that is not in the bucket."""
    if spec.config.options.model is None:
        return
    name, _, version = spec.config.options.model.partition("@")
    place = f"{MODELS}/{name}/{version}/{MANIFEST}"
    if cloud.storage.stat(spec.names.bucket("models"), place) is None:
        raise UsageError(
            f"The model {spec.config.options.model} of the configuration is not in the models bucket.",
            resource=spec.model_uri(name, version),
            resolution="Push it with gpupipe model push; for a first deploy take the line `model` out, "
            "deploy, push, then gpupipe model use.",
            doc=DOC,
        )


def last_load_s(cloud: Cloud, spec: PipelineSpec, model: Model) -> float | None:
    """How long the service took to load the model when it started last; None where no log tells yet."""
    where = (
        'resource.type="cloud_run_revision" '
        f'AND resource.labels.service_name="{spec.names.service("gpu-inference")}" '
        f'AND jsonPayload.message="model ready" AND jsonPayload.model="{model.name}" '
        f'AND jsonPayload.version="{model.version}"'
    )
    found = cloud.logging.newest(spec.names.project, where, 1)
    load_ms = found[0].fields.get("load_ms") if found else None
    return float(load_ms) / 1000 if isinstance(load_ms, int | float) else None
