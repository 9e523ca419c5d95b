"""Every option of a pipeline: its type, range, default and meaning, in one place.

The models are the source of the file's checks, of the environment variables' and `--set`'s types, of
`gpupipe config schema` and of the reference page. The defaults are the replaced recipe's, where these
can be deployed at all (DESIGN 4). Lengths of time are in the unit that the key or its text names.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from gpupipe.core import gpus, names
from gpupipe.core.bucket_options import BucketsOptions
from gpupipe.core.gpus import NO_GPU
from gpupipe.core.option_types import (
    CHANNEL,
    CONNECTOR,
    Cpu,
    GpuCpu,
    GpuName,
    ImageReference,
    KmsKey,
    Labels,
    Memory,
    ModelReference,
    Place,
    Strict,
    allowed,
    checked,
)
from gpupipe.core.quantities import memory_bytes

LONGEST_CALL_S = 1800
"""The longest that Workflows waits for an answer over HTTP (gcp-facts 4)."""
# CPU -> the least and the most memory (gcp-facts 1; the page on memory limits of Cloud Run).
_MEMORY = {
    "1": ("128Mi", "4Gi"),
    "2": ("128Mi", "8Gi"),
    "4": ("2Gi", "16Gi"),
    "6": ("4Gi", "24Gi"),
    "8": ("4Gi", "32Gi"),
}
_ALWAYS_ALLOCATED_MEMORY = "512Mi"


def key_of(service: str) -> str:
    """The table of gpupipe.toml that configures a service."""
    return service.replace("-", "_")


class ServiceOptions(Strict):
    """One Cloud Run service."""

    cpu: Cpu = Field(default="1", description="vCPUs of an instance")
    memory: Memory = Field(default="1Gi", description="memory of an instance")
    concurrency: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=10, description="requests at a time in one instance"
    )
    timeout: Annotated[int, Field(ge=1, le=3600)] = Field(
        default=300, description="seconds that a request may take"
    )
    min_instances: Annotated[int, Field(ge=0, le=100)] = Field(
        default=0, description="instances that are always there, and always billed"
    )
    max_instances: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        default=None,
        description="the most instances; by default 10, or fewer where the quotas allow no more",
    )
    startup_boost: bool = Field(default=True, description="more CPU while an instance starts")
    source: Place | None = Field(
        default=None,
        description="folder with your own Dockerfile, built instead of the packaged service",
    )
    image: ImageReference | None = Field(
        default=None, description="your own image, deployed instead of building one"
    )

    @model_validator(mode="after")
    def _check_size(self) -> Self:
        least, most = self._memory()
        if memory_bytes(self.memory) < memory_bytes(least):
            raise ValueError(f"{self.cpu} CPU need at least {least} of memory, not {self.memory}")
        if most and memory_bytes(self.memory) > memory_bytes(most):
            raise ValueError(f"{self.cpu} CPU go with at most {most} of memory, not {self.memory}")
        if self.max_instances is not None and self.min_instances > self.max_instances:
            raise ValueError("min_instances is larger than max_instances")
        if self.source and self.image:
            raise ValueError("source and image exclude each other: the image would not be built")
        return self

    def _memory(self) -> tuple[str, str]:
        return _MEMORY[self.cpu]


class PreprocessOptions(ServiceOptions):
    """The preprocess service."""

    memory: Memory = Field(default="2Gi", description="memory of an instance")


class GpuServiceOptions(ServiceOptions):
    """The inference service: with a GPU it is billed for the whole life of its instances."""

    cpu: GpuCpu = Field(default="4", description="vCPUs of an instance")
    memory: Memory = Field(default="16Gi", description="memory of an instance")
    concurrency: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=64, description="requests at a time in one instance"
    )
    gpu: GpuName = Field(
        default="nvidia-l4", description='the GPU of an instance; "none": inference on the CPU'
    )
    zonal_redundancy: bool = Field(
        default=False, description="reserve GPUs in a second zone: dearer, and a quota of its own"
    )

    @property
    def has_gpu(self) -> bool:
        """Whether an instance has a GPU."""
        return self.gpu != NO_GPU

    def _memory(self) -> tuple[str, str]:
        least, most = _MEMORY.get(self.cpu, ("", ""))
        kind = gpus.table()[self.gpu] if self.has_gpu else None
        if kind is None and self.zonal_redundancy:
            raise ValueError('zonal_redundancy is for GPUs, and gpu is "none"')
        if kind is not None and int(self.cpu) < kind.least_cpu:
            raise ValueError(f"an {self.gpu} needs at least {kind.least_cpu} CPU, not {self.cpu}")
        if not most and (kind is None or int(self.cpu) != kind.least_cpu):
            raise ValueError(f"{self.cpu} CPU do not go with gpu = {self.gpu!r}")
        return kind.least_memory if kind else least, most


class WorkflowOptions(Strict):
    """The workflow."""

    source: Place | None = Field(
        default=None, description="your own workflow file, deployed instead of the packaged one"
    )
    call_log_level: Literal["LOG_ALL_CALLS", "LOG_ERRORS_ONLY", "LOG_NONE"] | None = Field(
        default=None, description="which calls Workflows itself logs; by default its own default"
    )


class VpcOptions(Strict):
    """Where the services' outgoing traffic goes."""

    network: Annotated[str, Field(pattern=r"^[a-zA-Z0-9/_.-]{1,200}$")] | None = Field(
        default=None, description="network of the services (direct VPC egress)"
    )
    subnetwork: Annotated[str, Field(pattern=r"^[a-zA-Z0-9/_.-]{1,200}$")] | None = Field(
        default=None, description="subnetwork of the services (direct VPC egress)"
    )
    connector: (
        Annotated[str, Field(pattern=CONNECTOR), allowed("projects/P/locations/L/connectors/C")]
        | None
    ) = Field(default=None, description="Serverless VPC Access connector, instead of a network")
    egress: Literal["PRIVATE_RANGES_ONLY", "ALL_TRAFFIC"] = Field(
        default="PRIVATE_RANGES_ONLY", description="which traffic goes through the network"
    )

    @property
    def used(self) -> bool:
        """Whether traffic goes through a network at all."""
        return bool(self.network or self.subnetwork or self.connector)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.connector and (self.network or self.subnetwork):
            raise ValueError("connector and network (or subnetwork) exclude each other")
        if "egress" in self.model_fields_set and not self.used:
            raise ValueError("egress needs network, subnetwork or connector")
        return self


class BuildOptions(Strict):
    """The image builds."""

    machine_type: Literal["default", "E2_MEDIUM", "E2_HIGHCPU_8", "E2_HIGHCPU_32"] = Field(
        default="default", description="machine of a build"
    )
    timeout: Annotated[int, Field(ge=60, le=86400)] = Field(
        default=3600, description="seconds that a build may take"
    )


class BudgetOptions(Strict):
    """A budget that tells when a share of the month's amount is spent; it stops nothing."""

    billing_account: (
        Annotated[
            str,
            Field(pattern=r"^[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}$"),
            allowed('a billing account, as "01AB23-45CD67-89EF01"'),
        ]
        | None
    ) = Field(default=None, description="whose budget; without it there is none")
    monthly_amount: Annotated[int, Field(ge=1, le=1_000_000_000)] = Field(
        default=100, description="what a month may cost, in the account's currency"
    )
    thresholds: Annotated[
        list[Annotated[int, Field(ge=1, le=1000)]],
        Field(min_length=1, max_length=5),
        allowed("1 to 5 whole numbers from 1 to 1000"),
    ] = Field(default=[50, 90, 100], description="per cent of the amount at which Google tells")

    @model_validator(mode="after")
    def _check_account(self) -> Self:
        if self.model_fields_set - {"billing_account"} and self.billing_account is None:
            raise ValueError("a budget needs billing_account")
        return self


class AlertsOptions(Strict):
    """Above which values the alert policies fire; each policy says what to do."""

    error_percent: Annotated[int, Field(ge=0, le=99)] = Field(
        default=5, description="share of a service's answers that are errors, over five minutes"
    )
    latency_seconds: Annotated[int, Field(ge=1, le=3599)] | None = Field(
        default=None,
        description="the p95 of the inference service, over five minutes; by default four fifths of its timeout",
    )
    gpu_percent: Annotated[int, Field(ge=1, le=99)] = Field(
        default=90, description="how busy the GPUs are, over a quarter of an hour"
    )
    undelivered_events: Annotated[int, Field(ge=0, le=1_000_000)] = Field(
        default=0, description="events of new files that wait, over ten minutes"
    )
    idle_minutes: Annotated[int, Field(ge=5, le=720)] = Field(
        default=30,
        description="how long an instance of the inference service is up without a request",
    )


class LimitsOptions(Strict):
    """What one object may be; the services have defaults of their own (docs/reference/pipeline.md)."""

    text_bytes: Annotated[int, Field(ge=1, le=100_000_000)] | None = Field(
        default=None, description="size of a .txt, .md or .json"
    )
    table_bytes: Annotated[int, Field(ge=1, le=200_000_000)] | None = Field(
        default=None, description="size of a .csv or .jsonl"
    )
    image_bytes: Annotated[int, Field(ge=1, le=100_000_000)] | None = Field(
        default=None, description="size of a picture"
    )
    image_pixels: Annotated[int, Field(ge=1, le=100_000_000)] | None = Field(
        default=None, description="width times height of a picture"
    )
    rows: Annotated[int, Field(ge=1, le=250_000)] | None = Field(
        default=None, description="items of one object"
    )
    text_column: Annotated[str, Field(min_length=1, max_length=100)] | None = Field(
        default=None, description="the name of the column of the texts in a .csv"
    )


class Options(Strict):
    """Everything that gpupipe.toml may say."""

    target: Literal["local", "google"] | None = Field(
        default=None, description="the local cloud or Google Cloud"
    )
    preset: Literal["high-performance", "cost-optimized", "development", "cpu-only"] | None = Field(
        default=None, description="other defaults; see below"
    )
    project: Annotated[str, checked(names.check_project), allowed("a project id")] | None = Field(
        default=None, description="Google Cloud project"
    )
    region: Annotated[str, checked(names.check_region), allowed('a region, as "us-central1"')] = (
        Field("us-central1", description="where everything lives")
    )
    prefix: Annotated[
        str,
        checked(names.check_prefix),
        allowed("3 to 21 small letters, digits and hyphens, a letter first"),
    ] = Field(default="ml-pipeline", description="begins the name of every resource")
    environment: Literal["dev", "staging", "prod"] | None = Field(
        default=None, description="the label `environment` of every resource"
    )
    labels: Labels = Field(
        default={}, description="labels of your own on every resource that takes labels"
    )
    model: ModelReference | None = Field(
        default=None,
        description="a model that was pushed with `gpupipe model push`; by default the one inside the image",
    )
    queue_wait: Annotated[int, Field(ge=60, le=86400)] = Field(
        default=21600, description="seconds that a file may wait for room in the inference service"
    )
    retention_days: Annotated[int, Field(ge=1, le=3650)] = Field(
        default=30, description="days after which inputs, results and build sources are deleted"
    )
    parallel_chunks: Annotated[int, Field(ge=1, le=20)] = Field(
        default=8, description="chunks of one file that are scored at a time"
    )
    ingress: Literal["all", "internal", "internal-and-cloud-load-balancing"] = Field(
        default="all",
        description="whence the services can be reached (they ask for a token anyway)",
    )
    kms_key: KmsKey | None = Field(
        default=None, description="your own key: encrypts buckets, images, services and workflow"
    )
    deletion_protection: bool = Field(
        default=False, description="`gpupipe destroy` refuses while it is on"
    )
    monitoring: bool = Field(default=True, description="dashboard, alerts, log-based metrics")
    log_sink: bool = Field(
        default=False, description="export the pipeline's logs as files to a bucket of their own"
    )
    audit_logs: bool = Field(
        default=False, description="log who reads and writes data, in the whole project"
    )
    notification_channels: Annotated[
        list[Annotated[str, Field(pattern=CHANNEL)]], allowed("projects/P/notificationChannels/N")
    ] = Field(default=[], description="whom alerts tell: channels of Cloud Monitoring")
    kept_images: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=10, description="how many versions of each image the repository keeps"
    )
    preprocess: PreprocessOptions = Field(
        default=PreprocessOptions(), description="the preprocess service"
    )
    gpu_inference: GpuServiceOptions = Field(
        default=GpuServiceOptions(), description="the inference service"
    )
    postprocess: ServiceOptions = Field(
        default=ServiceOptions(), description="the postprocess service"
    )
    limits: LimitsOptions = Field(default=LimitsOptions(), description="what an object may be")
    buckets: BucketsOptions = Field(default=BucketsOptions(), description="the buckets")
    workflow: WorkflowOptions = Field(default=WorkflowOptions(), description="the workflow")
    vpc: VpcOptions = Field(default=VpcOptions(), description="the services' way out")
    alerts: AlertsOptions = Field(default=AlertsOptions(), description="when alerts fire")
    budget: BudgetOptions = Field(default=BudgetOptions(), description="a budget")
    build: BuildOptions = Field(default=BuildOptions(), description="the image builds")

    @field_validator("alerts")
    @classmethod
    def _check_latency(cls, alerts: AlertsOptions, info: ValidationInfo) -> AlertsOptions:
        """A request is cut off at the timeout, so no latency is above it."""
        inference, limit = info.data.get("gpu_inference"), alerts.latency_seconds
        if limit is not None and inference is not None and limit >= inference.timeout:
            raise ValueError(
                f"latency_seconds = {limit} is not below gpu_inference.timeout = {inference.timeout}, "
                "at which a request is cut off: the alert would never fire"
            )
        return alerts
