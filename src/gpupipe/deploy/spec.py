"""What is wanted: the pipeline's resources as plain values, derived from the configuration.

Values that only exist later (digests, URLs) are parameters of the functions that need them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from gpupipe import __version__
from gpupipe.cloud.api import Binding
from gpupipe.cloud.artifact_registry import Repository
from gpupipe.cloud.budgets import Budget
from gpupipe.cloud.eventarc import Trigger
from gpupipe.cloud.iam import Account
from gpupipe.cloud.log_sinks import LogSink
from gpupipe.cloud.run import Service, Vpc
from gpupipe.cloud.storage import AgeRule, Bucket
from gpupipe.cloud.workflows import Workflow
from gpupipe.core.config import Config
from gpupipe.core.names import LOGS, SERVICES, Names
from gpupipe.core.options import LONGEST_CALL_S, GpuServiceOptions, ServiceOptions, key_of

APIS = frozenset(
    f"{name}.googleapis.com"
    for name in (
        "run", "workflows", "workflowexecutions", "eventarc", "eventarcpublishing", "pubsub",
        "storage", "cloudbuild", "artifactregistry", "iam", "iamcredentials",
        "cloudresourcemanager", "serviceusage", "logging", "monitoring", "cloudquotas",
    )
)  # fmt: skip
AUDITED = frozenset(
    (f"{name}.googleapis.com", kind)
    for name in ("storage", "workflowexecutions")
    for kind in ("DATA_READ", "DATA_WRITE")
)
"""What the audit logs tell of: the APIs that data passes through and that have such logs (Pub/Sub writes
none of messages, and requests of services are in Cloud Run's own logs)."""
FINALIZED = "google.cloud.storage.object.v1.finalized"
DAY_S = 86400
PROBE = ("/ready", 1, 120)
"""Startup probe: path, seconds between two tries, tries."""
MODELS = "models"
"""Folder of the models bucket that holds NAME/VERSION/ of each model."""
PROTECTED = "gpupipe-deletion-protection"
"""The label of the staging bucket that says "on" where a destroy must not go on."""
_INGRESS = {
    "all": "INGRESS_TRAFFIC_ALL",
    "internal": "INGRESS_TRAFFIC_INTERNAL_ONLY",
    "internal-and-cloud-load-balancing": "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER",
}
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
    LOGS: (),
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
        """Labels of every resource: the user's, and those that mark it as this pipeline's."""
        version = __version__.replace(".", "-")
        return {**self.user_labels, **self.identity, "gpupipe-version": version}

    @property
    def user_labels(self) -> dict[str, str]:
        """Labels that the configuration asks for."""
        options = self.config.options
        environment = {"environment": options.environment} if options.environment else {}
        return {**environment, **options.labels}

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
        """A bucket that gpupipe makes."""
        options = getattr(self.config.options.buckets, role)
        protection = "on" if self.config.options.deletion_protection else "off"
        own = {PROTECTED: protection} if role == "staging" else {}
        return Bucket(
            name=self.names.bucket(role),
            location=(options.location or self.names.region),
            labels={**self.labels, **own, "gpupipe-role": role},
            versioning=options.versioning,
            soft_delete_s=options.soft_delete_days * DAY_S,
            rules=tuple(sorted(self._rules(role), key=repr)),
            storage_class=options.storage_class,
            kms_key=self.config.options.kms_key or "",
        )

    def _rules(self, role: str) -> list[AgeRule]:
        """Models stay for ever; noncurrent versions of every bucket live a day."""
        options = getattr(self.config.options.buckets, role)
        noncurrent = [AgeRule(1, noncurrent=True)] if options.versioning else []
        days = getattr(options, "retention_days", 0)
        days = self.config.options.retention_days if days is None else days
        below = "sources/" if role == "staging" else ""
        return noncurrent + ([AgeRule(days, prefix=below)] if days else [])

    def bucket_roles(self, role: str) -> frozenset[Binding]:
        """Who may do what with a bucket's objects."""
        return frozenset((grant, self.names.member(who)) for grant, who in _BUCKET_ROLES[role])

    @property
    def log_sink(self) -> LogSink:
        """The sink of what the services and the workflow log, and of who used the files where that is logged."""
        names = self.names
        services, buckets = (
            " OR ".join(f'resource.labels.{label}="{one}"' for one in ones)
            for label, ones in (
                ("service_name", map(names.service, SERVICES)),
                ("bucket_name", map(names.bucket, ("input", "models", "output", "work"))),
            )
        )
        return LogSink(
            name=names.log_sink,
            bucket=names.bucket(LOGS),
            filter=f'(resource.type="cloud_run_revision" AND ({services})) OR '
            '(resource.type="workflows.googleapis.com/Workflow" AND '
            f'resource.labels.workflow_id="{names.workflow}") OR '
            f'(resource.type="gcs_bucket" AND ({buckets}))',
            description=f"{self.mark} logs of the pipeline",
        )

    @property
    def budget_account(self) -> str:
        """The billing account of the budget, "" where none is named."""
        account = self.config.options.budget.billing_account
        return f"billingAccounts/{account}" if account else ""

    def budget(self, project_number: int) -> Budget:
        """The budget of the project; its name says which pipeline's it is."""
        options = self.config.options.budget
        return Budget(
            account=self.budget_account,
            display_name=self.mark,
            project=project_number,
            amount=options.monthly_amount,
            thresholds=tuple(sorted(set(options.thresholds))),
        )

    @property
    def apis(self) -> frozenset[str]:
        """The APIs that are needed: that of budgets only where one is wanted."""
        return APIS | {"billingbudgets.googleapis.com"} if self.budget_account else APIS

    @property
    def repository(self) -> Repository:
        """The Docker repository."""
        return Repository(
            name=f"{self.names.location}/repositories/{self.names.repository}",
            labels=self.labels,
            description=f"Images of the pipeline {self.names.prefix} (gpupipe).",
            keep=self.config.options.kept_images,
            kms_key=self.config.options.kms_key or "",
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

    def service_config(self, service: str) -> ServiceOptions:
        """The configured size of a service."""
        found: ServiceOptions = getattr(self.config.options, key_of(service))
        return found

    def gpu(self, service: str) -> GpuServiceOptions | None:
        """The options of a service that has a GPU, None for one without."""
        options = self.service_config(service)
        return options if isinstance(options, GpuServiceOptions) and options.has_gpu else None

    def service_name(self, service: str) -> str:
        """The full name of a service."""
        return f"{self.names.location}/services/{self.names.service(service)}"

    def service(self, service: str, image: str, max_instances: int) -> Service:
        """A Cloud Run service with this image."""
        size, gpu = self.service_config(service), self.gpu(service)
        options, vpc = self.config.options, self.config.options.vpc
        return Service(
            name=self.service_name(service),
            image=image,
            account=self.names.account(ROLES[service]),
            labels=self.labels,
            environment=self._environment(service),
            cpu=size.cpu,
            memory=size.memory,
            accelerator=gpu.gpu if gpu else "",
            zonal_redundancy=gpu.zonal_redundancy if gpu else False,
            # A GPU is billed for the whole life of its instance, so its CPU must be too.
            cpu_idle=gpu is None,
            startup_boost=size.startup_boost,
            concurrency=size.concurrency,
            timeout_s=size.timeout,
            min_instances=size.min_instances,
            max_instances=max_instances,
            probe=PROBE,
            ingress=_INGRESS[options.ingress],
            vpc=Vpc(vpc.network or "", vpc.subnetwork or "", vpc.connector or "", vpc.egress)
            if vpc.used
            else None,
            kms_key=options.kms_key or "",
        )

    def _environment(self, service: str) -> dict[str, str]:
        names, device = self.names, "cuda" if self.gpu(service) else "cpu"
        return {
            "GOOGLE_CLOUD_PROJECT": names.project,
            "GOOGLE_CLOUD_REGION": names.region,
            "SERVICE_NAME": service,
            "INPUT_BUCKET": names.bucket("input"),
            "MODEL_BUCKET": names.bucket("models"),
            "OUTPUT_BUCKET": names.bucket("output"),
            "WORK_BUCKET": names.bucket("work"),
            **(
                {"DEVICE": device, "MODEL_URI": self._configured_model}
                if service == "gpu-inference"
                else {}
            ),
            **(self._limits() if service == "preprocess" else {}),
        }

    @property
    def _configured_model(self) -> str:
        """Where the service finds its model; "" for the one in its image."""
        if self.config.options.model is None:
            return ""
        name, _, version = self.config.options.model.partition("@")
        return self.model_uri(name, version)

    def model_uri(self, name: str, version: str) -> str:
        """Where a version of a model lies."""
        return f"gs://{self.names.bucket('models')}/{MODELS}/{name}/{version}"

    def _limits(self) -> dict[str, str]:
        """Only what is configured: a default of the service needs no variable."""
        values = self.config.options.limits.model_dump(exclude_none=True)
        return {_LIMIT_VARIABLES[name]: str(value) for name, value in values.items()}

    @property
    def workflow_name(self) -> str:
        """The full name of the workflow."""
        return f"{self.names.location}/workflows/{self.names.workflow}"

    def workflow(self, source: str, uris: Mapping[str, str]) -> Workflow:
        """The workflow, with the services' URLs as the API returned them."""
        options = self.config.options
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
                "QUEUE_WAIT_SECONDS": str(options.queue_wait),
                "SERVICE_TIMEOUT": str(min(options.gpu_inference.timeout, LONGEST_CALL_S)),
                "PARALLEL_CHUNKS": str(options.parallel_chunks),
            },
            call_log_level=options.workflow.call_log_level or "",
            kms_key=options.kms_key or "",
            labels=self.labels,
            description=f"Runs each uploaded file through the pipeline {self.names.prefix} (gpupipe).",
        )

    def trigger(self, location: str) -> Trigger:
        """The trigger; `location` is the input bucket's, where it must be."""
        parent = f"projects/{self.names.project}/locations/{location}"
        return Trigger(
            name=f"{parent}/triggers/{self.names.trigger}",
            filters={"type": FINALIZED, "bucket": self.names.bucket("input")},
            workflow=self.workflow_name,
            account=self.names.account("eventarc"),
            labels=self.labels,
        )
