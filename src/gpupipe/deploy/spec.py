"""What is wanted: the pipeline's resources as plain values, derived from the configuration.

Values that only exist later (digests, URLs) are parameters of the functions that need them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from gpupipe import __version__
from gpupipe.cloud.api import Binding
from gpupipe.cloud.artifact_registry import Repository
from gpupipe.cloud.eventarc import Trigger
from gpupipe.cloud.iam import Account
from gpupipe.cloud.run import Service
from gpupipe.cloud.storage import AgeRule, Bucket
from gpupipe.cloud.workflows import Workflow
from gpupipe.core.config import Config, GpuServiceConfig, ServiceConfig
from gpupipe.core.names import Names

APIS = frozenset(
    f"{name}.googleapis.com"
    for name in (
        "run", "workflows", "workflowexecutions", "eventarc", "eventarcpublishing", "pubsub",
        "storage", "cloudbuild", "artifactregistry", "iam", "iamcredentials",
        "cloudresourcemanager", "serviceusage", "logging", "monitoring", "cloudquotas",
    )
)  # fmt: skip
FINALIZED = "google.cloud.storage.object.v1.finalized"
KEPT_IMAGES = 10
BUILD_TIMEOUT_S = 3600
PROBE = ("/ready", 1, 120)
ROLES = {
    "preprocess": "pre",
    "gpu-inference": "infer",
    "postprocess": "post",
}
"""Service -> the account it runs as."""

_TOMB = re.compile(r"deleted:serviceAccount:([^?]+)\?uid=\d+")
_VIEW, _CREATE = "roles/storage.objectViewer", "roles/storage.objectCreator"
_BUCKET_ROLES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "input": ((_VIEW, "pre"),),
    "models": ((_VIEW, "infer"),),
    "output": ((_VIEW, "post"), (_CREATE, "post")),
    "work": (
        (_VIEW, "pre"),
        (_CREATE, "pre"),
        (_VIEW, "infer"),
        (_CREATE, "infer"),
        (_VIEW, "post"),
    ),
    "staging": ((_VIEW, "build"),),
}
ACCOUNTS_OF_BUCKET = {
    bucket: tuple(dict.fromkeys(account for _, account in roles))
    for bucket, roles in _BUCKET_ROLES.items()
}
"""Bucket -> the accounts that get a role on it."""
_LIMIT_VARIABLES = {
    "text_bytes": "TEXT_LIMIT_BYTES",
    "table_bytes": "TABLE_LIMIT_BYTES",
    "image_bytes": "IMAGE_LIMIT_BYTES",
    "image_pixels": "IMAGE_LIMIT_PIXELS",
    "rows": "ROW_LIMIT",
    "text_column": "TEXT_COLUMN",
}
_ACCOUNT_NAMES = {
    "pre": "preprocess service",
    "infer": "gpu-inference service",
    "post": "postprocess service",
    "workflow": "workflow",
    "eventarc": "trigger",
    "build": "image builds",
}


@dataclass(frozen=True, slots=True)
class PipelineSpec:
    """One pipeline as it should be."""

    names: Names
    config: Config

    @property
    def labels(self) -> dict[str, str]:
        """Labels that mark a resource as this pipeline's."""
        return {**self.identity, "gpupipe-version": __version__.replace(".", "-")}

    @property
    def identity(self) -> dict[str, str]:
        """The labels that decide whether a resource is ours; the version is no part of that."""
        return {
            "managed-by": "gpupipe",
            "gpupipe-pipeline": self.names.prefix,
            "gpupipe-region": self.names.region,
        }

    @property
    def mark(self) -> str:
        """What stands in the description of resources that take no labels."""
        return f"gpupipe:{self.names.prefix}:{self.names.region}"

    @property
    def members(self) -> frozenset[str]:
        """Our accounts as members: a binding of one of these is ours."""
        return frozenset(self.names.member(role) for role in _ACCOUNT_NAMES)

    def is_ours(self, member: str) -> bool:
        """Whether a member is one of our accounts, also one that was deleted by hand."""
        return member in self.members or _TOMB.sub(r"serviceAccount:\1", member) in self.members

    def account(self, role: str) -> Account:
        """A service account."""
        return Account(
            self.names.account(role),
            f"{self.names.prefix} {_ACCOUNT_NAMES[role]}"[:100],
            f"{self.mark} {_ACCOUNT_NAMES[role]}",
        )

    def bucket(self, role: str) -> Bucket:
        """A bucket. Work files live a day; the input's noncurrent versions too; models for ever."""
        days = self.config.retention_days
        rules = {
            "input": (AgeRule(1, noncurrent=True), AgeRule(days)),
            "models": (),
            "output": (),
            "work": (AgeRule(1),),
            "staging": (AgeRule(days, prefix="sources/"),),
        }[role]
        return Bucket(
            name=self.names.bucket(role),
            location=self.names.region,
            labels={**self.labels, "gpupipe-role": role},
            versioning=role == "input",
            # Deleted data must not go on costing money after a destroy.
            soft_delete_s=0,
            rules=tuple(sorted(rules, key=repr)),
        )

    def bucket_roles(self, role: str) -> frozenset[Binding]:
        """Who may do what with a bucket's objects."""
        return frozenset((grant, self.names.member(who)) for grant, who in _BUCKET_ROLES[role])

    @property
    def repository(self) -> Repository:
        """The Docker repository."""
        return Repository(
            name=f"{self.names.location}/repositories/{self.names.repository}",
            labels=self.labels,
            description=f"Images of the pipeline {self.names.prefix} (gpupipe).",
            keep=KEPT_IMAGES,
        )

    @property
    def repository_roles(self) -> frozenset[Binding]:
        """Who may do what with the repository."""
        return frozenset({("roles/artifactregistry.writer", self.names.member("build"))})

    def project_roles(self, storage_agent: str) -> frozenset[Binding]:
        """The grants that have no smaller resource than the project."""
        return frozenset(
            {
                ("roles/logging.logWriter", self.names.member("workflow")),
                ("roles/logging.logWriter", self.names.member("build")),
                ("roles/workflows.invoker", self.names.member("eventarc")),
                ("roles/eventarc.eventReceiver", self.names.member("eventarc")),
                ("roles/pubsub.publisher", f"serviceAccount:{storage_agent}"),
            }
        )

    def service_config(self, service: str) -> ServiceConfig:
        """The configured size of a service."""
        return {
            "preprocess": self.config.preprocess,
            "gpu-inference": self.config.gpu_inference,
            "postprocess": self.config.postprocess,
        }[service]

    def service_name(self, service: str) -> str:
        """The full name of a service."""
        return f"{self.names.location}/services/{self.names.service(service)}"

    def service(self, service: str, image: str, max_instances: int) -> Service:
        """A Cloud Run service with this image."""
        size = self.service_config(service)
        gpu = isinstance(size, GpuServiceConfig)
        return Service(
            name=self.service_name(service),
            image=image,
            account=self.names.account(ROLES[service]),
            labels=self.labels,
            environment=self._environment(service, gpu=gpu),
            cpu=size.cpu,
            memory=size.memory,
            accelerator=size.gpu if isinstance(size, GpuServiceConfig) else "",
            zonal_redundancy=size.zonal_redundancy if isinstance(size, GpuServiceConfig) else False,
            # A GPU is billed for the whole life of its instance, so its CPU must be too.
            cpu_idle=not gpu,
            startup_boost=True,
            concurrency=size.concurrency,
            timeout_s=size.timeout,
            min_instances=size.min_instances,
            max_instances=max_instances,
            probe=PROBE,
        )

    def _environment(self, service: str, *, gpu: bool) -> dict[str, str]:
        names = self.names
        return {
            "GOOGLE_CLOUD_PROJECT": names.project,
            "GOOGLE_CLOUD_REGION": names.region,
            "SERVICE_NAME": service,
            "INPUT_BUCKET": names.bucket("input"),
            "MODEL_BUCKET": names.bucket("models"),
            "OUTPUT_BUCKET": names.bucket("output"),
            "WORK_BUCKET": names.bucket("work"),
            **({"DEVICE": "cuda", "MODEL_URI": ""} if gpu else {}),
            **(self._limits() if service == "preprocess" else {}),
        }

    def _limits(self) -> dict[str, str]:
        """Only what is configured: a default of the service needs no variable."""
        values = self.config.limits.model_dump(exclude_none=True)
        return {_LIMIT_VARIABLES[name]: str(value) for name, value in values.items()}

    @property
    def workflow_name(self) -> str:
        """The full name of the workflow."""
        return f"{self.names.location}/workflows/{self.names.workflow}"

    def workflow(self, source: str, uris: Mapping[str, str]) -> Workflow:
        """The workflow, with the services' URLs as the API returned them."""
        return Workflow(
            name=self.workflow_name,
            source=source,
            account=self.names.account("workflow"),
            variables={
                "PREPROCESS_URL": uris.get("preprocess", ""),
                "INFERENCE_URL": uris.get("gpu-inference", ""),
                "POSTPROCESS_URL": uris.get("postprocess", ""),
                "INPUT_BUCKET": self.names.bucket("input"),
                "OUTPUT_BUCKET": self.names.bucket("output"),
                "QUEUE_WAIT_SECONDS": str(self.config.queue_wait),
                "SERVICE_TIMEOUT": str(self.config.gpu_inference.timeout),
                "PARALLEL_CHUNKS": str(self.config.parallel_chunks),
            },
            labels=self.labels,
            description=f"Runs each uploaded file through the pipeline {self.names.prefix} (gpupipe).",
        )

    @property
    def trigger(self) -> Trigger:
        """The trigger; it must be in the bucket's location, which is the region."""
        return Trigger(
            name=f"{self.names.location}/triggers/{self.names.trigger}",
            filters={"type": FINALIZED, "bucket": self.names.bucket("input")},
            workflow=self.workflow_name,
            account=self.names.account("eventarc"),
            labels=self.labels,
        )
