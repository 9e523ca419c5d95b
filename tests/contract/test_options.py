"""Every option reaches the cloud: official clients read it back, and a second deploy writes nothing."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from google.cloud import artifactregistry_v1, eventarc_v1, run_v2, workflows_v1
from google.cloud.devtools import cloudbuild_v1
from tests.support.crashes import destroy_all, tiny_deployer
from tests.support.localcloud import RunningCloud, start_cloud
from tests.support.pipeline import Deployer, FastClock

from gpupipe import context
from gpupipe.core.config import Config
from gpupipe.core.errors import GpupipeError, UsageError
from gpupipe.core.flags import Flags
from gpupipe.core.option_table import options
from gpupipe.deploy import destroy
from gpupipe.deploy.spec import PROTECTED

PROJECT, REGION, PREFIX = "all-options", "europe-west4", "chosen"
DAY_S = 86400
FILE = f"""
region = "{REGION}"
prefix = "{PREFIX}"
environment = "prod"
labels = {{team = "blue"}}
queue_wait = 700
parallel_chunks = 3
retention_days = 9
ingress = "internal"
deletion_protection = true
kept_images = 4
[preprocess]
cpu = "2"
memory = "3Gi"
concurrency = 21
timeout = 61
min_instances = 1
max_instances = 4
startup_boost = false
[gpu_inference]
cpu = "20"
memory = "80Gi"
concurrency = 22
timeout = 2000
min_instances = 1
max_instances = 2
startup_boost = false
gpu = "nvidia-rtx-pro-6000"
zonal_redundancy = true
[postprocess]
cpu = "4"
memory = "5Gi"
concurrency = 23
timeout = 63
min_instances = 1
max_instances = 3
startup_boost = false
[limits]
text_bytes = 1001
table_bytes = 1002
image_bytes = 1003
image_pixels = 1004
rows = 1005
text_column = "words"
[workflow]
call_log_level = "LOG_NONE"
[build]
machine_type = "E2_HIGHCPU_8"
timeout = 1234
""" + "".join(
    f"""[buckets.{role}]
location = "eu"
storage_class = "NEARLINE"
versioning = {str(role != "input").lower()}
soft_delete_days = {7 + index}
"""
    + ("" if role == "models" else f"retention_days = {20 + index}\n")
    for index, role in enumerate(("input", "models", "output", "work", "staging"))
)
NAMED_FILE = f"""
region = "{REGION}"
prefix = "named"
[gpu_inference]
gpu = "none"
cpu = 1
memory = "1Gi"
""" + "".join(
    f'[buckets.{role}]\nname = "my-own-{role}"\n' for role in ("input", "models", "output")
)
ELSEWHERE = {
    **dict.fromkeys(("target", "project"), "tests/unit/cloud/test_target.py"),
    "preset": "tests/contract/test_presets.py",
    "model": "tests/contract/test_models.py",
    **dict.fromkeys(
        ("budget.billing_account", "budget.monthly_amount", "budget.thresholds"),
        "tests/contract/test_budgets.py",
    ),
    **dict.fromkeys(("monitoring", "notification_channels", "alerts.error_percent",
                     "alerts.latency_seconds", "alerts.gpu_percent", "alerts.undelivered_events",
                     "alerts.idle_minutes"), "tests/contract/test_monitoring_steps.py"),
    **dict.fromkeys(("log_sink", *(f"buckets.logs.{key}" for key in (
        "location", "storage_class", "versioning", "soft_delete_days", "retention_days"))),
        "tests/contract/test_log_sink_step.py"),
    "audit_logs": "tests/contract/test_audit_logs_step.py",
    **dict.fromkeys(("vpc.network", "vpc.subnetwork", "vpc.connector", "vpc.egress", "kms_key"),
                    "tests/contract/test_options_outside.py"),
    **dict.fromkeys(("workflow.source", "preprocess.source", "preprocess.image",
                     "gpu_inference.source", "gpu_inference.image", "postprocess.source",
                     "postprocess.image"), "tests/contract/test_own_sources.py"),
    **dict.fromkeys(("buckets.input.name", "buckets.models.name", "buckets.output.name"),
                    "test_buckets_that_the_user_names_are_used_and_never_deleted"),
}  # fmt: skip
"""Options that another test reads back."""


@dataclass
class Reader:
    """What official clients see of the pipeline."""

    cloud: RunningCloud

    def service(self, name: str) -> Any:
        client = self.cloud.client(run_v2.ServicesClient)
        return client.get_service(name=f"{self.parent}/services/{PREFIX}-{name}")

    def bucket(self, role: str) -> Any:
        storage = self.cloud.storage_client(project=PROJECT)
        return storage.get_bucket(f"{PREFIX}-{role}-{PROJECT}")

    @property
    def parent(self) -> str:
        return f"projects/{PROJECT}/locations/{REGION}"

    @cached_property
    def workflow(self) -> Any:
        client = self.cloud.client(workflows_v1.WorkflowsClient)
        return client.get_workflow(name=f"{self.parent}/workflows/{PREFIX}-ml-pipeline")

    @cached_property
    def trigger(self) -> Any:
        client = self.cloud.client(eventarc_v1.EventarcClient)
        name = f"projects/{PROJECT}/locations/eu/triggers/{PREFIX}-storage-trigger"
        return client.get_trigger(name=name)

    @cached_property
    def repository(self) -> Any:
        client = self.cloud.client(artifactregistry_v1.ArtifactRegistryClient)
        return client.get_repository(name=f"{self.parent}/repositories/{PREFIX}-containers")

    @cached_property
    def build(self) -> Any:
        client = self.cloud.client(cloudbuild_v1.CloudBuildClient)
        request = cloudbuild_v1.ListBuildsRequest(parent=self.parent, project_id=PROJECT)
        return next(iter(client.list_builds(request=request)))

    def labelled(self, key: str) -> set[str]:
        buckets = [self.bucket(role) for role in ("input", "models", "output", "work", "staging")]
        services = [self.service(name) for name in ("preprocess", "gpu-inference", "postprocess")]
        kinds = (*buckets, *services, self.workflow, self.trigger, self.repository)
        return {one.labels.get(key, "") for one in kinds}


Read = Callable[[Reader], Any]


def services() -> Iterator[tuple[str, Read, Any]]:
    sizes = {
        "preprocess": ("2", "3Gi", 21, 61, 4),
        "gpu-inference": ("20", "80Gi", 22, 2000, 2),
        "postprocess": ("4", "5Gi", 23, 63, 3),
    }
    for name, (cpu, memory, concurrency, timeout, most) in sizes.items():

        def container(read: Reader, name: str = name) -> Any:
            return read.service(name).template.containers[0]

        def template(read: Reader, name: str = name) -> Any:
            return read.service(name).template

        table = name.replace("-", "_")
        rows: Mapping[str, tuple[Callable[[Any], Any], Any]] = {
            "concurrency": (lambda t: t.max_instance_request_concurrency, concurrency),
            "timeout": (lambda t: t.timeout.total_seconds(), timeout),
            "min_instances": (lambda t: t.scaling.min_instance_count, 1),
            "max_instances": (lambda t: t.scaling.max_instance_count, most),
            "cpu": (lambda t: t.containers[0].resources.limits["cpu"], cpu),
            "memory": (lambda t: t.containers[0].resources.limits["memory"], memory),
            "startup_boost": (lambda t: t.containers[0].resources.startup_cpu_boost, False),
        }
        for key, (of, value) in rows.items():
            yield f"{table}.{key}", lambda read, of=of, at=template: of(at(read)), value  # type: ignore[misc]


def limits() -> Iterator[tuple[str, Read, Any]]:
    for key, variable, value in (
        ("text_bytes", "TEXT_LIMIT_BYTES", "1001"),
        ("table_bytes", "TABLE_LIMIT_BYTES", "1002"),
        ("image_bytes", "IMAGE_LIMIT_BYTES", "1003"),
        ("image_pixels", "IMAGE_LIMIT_PIXELS", "1004"),
        ("rows", "ROW_LIMIT", "1005"),
        ("text_column", "TEXT_COLUMN", "words"),
    ):

        def of(read: Reader, variable: str = variable) -> str:
            (container,) = read.service("preprocess").template.containers
            return str({one.name: one.value for one in container.env}[variable])

        yield f"limits.{key}", of, value


def buckets() -> Iterator[tuple[str, Read, Any]]:
    for index, role in enumerate(("input", "models", "output", "work", "staging")):

        def days(read: Reader, role: str = role) -> set[int]:
            return {
                rule["condition"]["age"]
                for rule in read.bucket(role).lifecycle_rules
                if "age" in rule["condition"]
            }

        at = f"buckets.{role}"
        yield f"{at}.location", lambda read, role=role: read.bucket(role).location, "EU"  # type: ignore[misc]
        yield (
            f"{at}.storage_class",
            lambda read, role=role: read.bucket(role).storage_class,  # type: ignore[misc]
            "NEARLINE",
        )
        yield (
            f"{at}.versioning",
            lambda read, role=role: read.bucket(role).versioning_enabled,  # type: ignore[misc]
            role != "input",
        )
        yield (
            f"{at}.soft_delete_days",
            lambda read, role=role: (  # type: ignore[misc]
                read.bucket(role).soft_delete_policy.retention_duration_seconds / DAY_S
            ),
            7 + index,
        )
        if role == "models":
            # Models are never deleted by age (promise 108), so there is no such option.
            yield "no option: models", days, set()
        else:
            yield f"{at}.retention_days", days, {20 + index}


ROWS: list[tuple[str, Read, Any]] = [
    ("region", lambda read: read.workflow.name.split("/")[3], REGION),
    ("prefix", lambda read: read.workflow.name.split("/")[5], f"{PREFIX}-ml-pipeline"),
    ("environment", lambda read: read.labelled("environment"), {"prod"}),
    ("labels", lambda read: read.labelled("team"), {"blue"}),
    ("no option: whose", lambda read: read.labelled("managed-by"), {"gpupipe"}),
    ("no option: of which", lambda read: read.labelled("gpupipe-pipeline"), {PREFIX}),
    ("queue_wait", lambda read: read.workflow.user_env_vars["QUEUE_WAIT_SECONDS"], "700"),
    (
        "ingress",
        lambda read: {
            read.service(name).ingress.name
            for name in ("preprocess", "gpu-inference", "postprocess")
        },
        {"INGRESS_TRAFFIC_INTERNAL_ONLY"},
    ),
    ("deletion_protection", lambda read: read.bucket("staging").labels[PROTECTED], "on"),
    (
        "kept_images",
        lambda read: {
            policy.most_recent_versions.keep_count
            for policy in read.repository.cleanup_policies.values()
            if policy.most_recent_versions
        },
        {4},
    ),
    (
        "gpu_inference.gpu",
        lambda read: read.service("gpu-inference").template.node_selector.accelerator,
        "nvidia-rtx-pro-6000",
    ),
    (
        "gpu_inference.zonal_redundancy",
        lambda read: read.service("gpu-inference").template.gpu_zonal_redundancy_disabled,
        False,
    ),
    # The longest that Workflows waits, though the service may take longer.
    ("no option: call", lambda read: read.workflow.user_env_vars["SERVICE_TIMEOUT"], "1800"),
    ("workflow.call_log_level", lambda read: read.workflow.call_log_level.name, "LOG_NONE"),
    ("build.machine_type", lambda read: read.build.options.machine_type.name, "E2_HIGHCPU_8"),
    ("build.timeout", lambda read: read.build.timeout.total_seconds(), 1234),
    ("parallel_chunks", lambda read: read.workflow.user_env_vars["PARALLEL_CHUNKS"], "3"),
    *limits(),
    *services(),
    *buckets(),
]
READ_BACK = {path for path, _, _ in ROWS}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    running = start_cloud(tmp_path_factory.mktemp("options") / "cloud", clock=FastClock())
    running.kernel.projects.ensure(PROJECT)
    for quota, value in {
        "CpuAllocPerProjectRegion": 100_000,
        "MemAllocPerProjectRegion": 400 * 2**30,
        "NvidiaRtxPro6000GpuAllocPerProjectRegion": 2,
    }.items():
        running.kernel.quotas.set(PROJECT, "run.googleapis.com", quota, REGION, value)
    yield running
    running.stop()


def deployer(cloud: RunningCloud, text: str, folder: Path) -> Deployer:
    file = folder / "gpupipe.toml"
    file.write_text(text, encoding="utf-8")
    return tiny_deployer(cloud, PROJECT, file=file)


@pytest.fixture(scope="module")
def deployed(cloud: RunningCloud, tmp_path_factory: pytest.TempPathFactory) -> Deployer:
    found = deployer(cloud, FILE, tmp_path_factory.mktemp("file"))
    done = found.deploy(canary=False)
    assert not done.outcome.failed, done.outcome
    return found


@pytest.mark.promise("S51")
@pytest.mark.promise("S15", 116, 119, "S56")
@pytest.mark.parametrize(("path", "read", "value"), ROWS, ids=[path for path, _, _ in ROWS])
@pytest.mark.promise(
    48, 49, 55, 56, 57, 58, 59, 60, 61, 97, 108, 109, 110, "S50", "S53", "D16", "D31", 141, "S52"
)
def test_the_option_is_read_back(
    cloud: RunningCloud, deployed: Deployer, path: str, read: Read, value: Any
) -> None:
    assert deployed.spec.names.prefix == PREFIX
    assert read(Reader(cloud)) == value


@pytest.mark.promise(25)
def test_a_configuration_may_lie_in_a_bucket(cloud: RunningCloud, deployed: Deployer) -> None:
    bucket = deployed.spec.names.bucket("staging")
    storage = cloud.storage_client(project=PROJECT)
    storage.bucket(bucket).blob("conf/mine.toml").upload_from_string('prefix = "stored"')
    storage.bucket(bucket).blob("conf/wrong.toml").upload_from_string('prefixx = "stored"')

    def read(flags: Flags) -> Config:
        return context.read_config(flags, {}, lambda *_: deployed.connect())

    flags = Flags(local=True, project=PROJECT, config=f"gs://{bucket}/conf/mine.toml")
    found = read(flags)
    assert (found.prefix, found.source("prefix")) == ("stored", "mine.toml")
    with pytest.raises(UsageError) as caught:
        read(replace(flags, config=f"gs://{bucket}/conf/wrong.toml"))
    assert (caught.value.details or "").startswith("wrong.toml:1: prefixx: no such option")
    for missing in (f"gs://{bucket}/conf/none.toml", f"gs://{bucket}", "gs://"):
        with pytest.raises(UsageError, match="There is no configuration file gs://"):
            read(replace(flags, config=missing))


@pytest.mark.promise("D18")
def test_no_option_is_left_out() -> None:
    assert not READ_BACK & ELSEWHERE.keys()
    assert {path for path in READ_BACK | ELSEWHERE.keys() if not path.startswith("no option")} == (
        options().keys() - {"retention_days"}
    )
    for path, place in ELSEWHERE.items():
        # A file that reads it back has the option's name, or the test of this file.
        file = Path(__file__).parents[2] / place
        assert place in globals() or path.rpartition(".")[2] in file.read_text(encoding="utf-8")
    # retention_days is the default of three buckets' own option.
    assert {
        options()[f"buckets.{role}.retention_days"].default for role in ("input", "output")
    } == {None}


def test_a_second_deploy_writes_nothing(deployed: Deployer) -> None:
    plan = deployed.engine().plan()
    assert [(one.step, one.changes) for one in plan.writes] == []


@pytest.mark.promise("S60")
def test_a_protected_pipeline_is_not_destroyed(deployed: Deployer) -> None:
    without_file = replace(deployed, file=None, prefix=PREFIX)
    spec = deployed.spec
    for world in (deployed.engine().world, replace(without_file.engine().world, spec=spec)):
        with pytest.raises(GpupipeError, match="protected from deletion") as caught:
            destroy.check_protection(world)
        assert "deletion_protection = false" in caught.value.resolution


@pytest.mark.long
def test_going_back_to_the_defaults_is_an_update_and_says_so(
    cloud: RunningCloud, deployed: Deployer, tmp_path: Path
) -> None:
    """And then the pipeline may go."""
    text = f'region = "{REGION}"\nprefix = "{PREFIX}"\n' + "".join(
        f'[buckets.{role}]\nlocation = "eu"\n'
        for role in ("input", "models", "output", "work", "staging")
    )
    back = deployer(cloud, text, tmp_path)
    told = {one.step: {change.field: change for change in one.changes}
            for one in back.engine().plan().writes}  # fmt: skip
    assert told["service:preprocess"]["startup boost"].note.startswith("default, not set")
    assert told["bucket:work"]["storage class"].note.startswith("default, not set")
    assert PROTECTED in told["bucket:staging"]["labels"].old
    assert not back.deploy(canary=False).outcome.failed
    assert [one.step for one in back.engine().plan().writes] == []
    destroy.check_protection(back.engine().world)
    outcome, leftovers = destroy_all(back, back.connect())
    assert not outcome.failed
    assert leftovers == ()


@pytest.mark.promise("S14")
def test_buckets_that_the_user_names_are_used_and_never_deleted(
    cloud: RunningCloud, tmp_path: Path
) -> None:
    named = deployer(cloud, NAMED_FILE, tmp_path)
    with pytest.raises(GpupipeError, match="There is no bucket my-own-input") as caught:
        named.engine().plan()
    assert "buckets.input.name" in caught.value.resolution
    storage = cloud.storage_client(project=PROJECT)
    for role in ("input", "models", "output"):
        bucket = storage.bucket(f"my-own-{role}")
        bucket.labels = {"whose": "mine"}
        storage.create_bucket(bucket, location="EU").blob("mine.txt").upload_from_string("mine")
    # Made by a deploy before the configuration named another: ours, and removed at the end.
    before = storage.bucket(f"named-output-{PROJECT}")
    before.labels = named.spec.labels
    storage.create_bucket(before, location=REGION).blob("old.json").upload_from_string("{}")
    done = named.deploy(canary=False)
    assert not done.outcome.failed, done.outcome
    trigger = cloud.client(eventarc_v1.EventarcClient).get_trigger(
        name=f"projects/{PROJECT}/locations/eu/triggers/named-storage-trigger"
    )
    assert {one.value for one in trigger.event_filters} >= {"my-own-input"}
    service = cloud.client(run_v2.ServicesClient).get_service(
        name=f"projects/{PROJECT}/locations/{REGION}/services/named-gpu-inference"
    )
    variables = {one.name: one.value for one in service.template.containers[0].env}
    assert (variables["MODEL_BUCKET"], variables["DEVICE"]) == ("my-own-models", "cpu")
    assert storage.get_bucket("my-own-output").labels == {"whose": "mine"}
    assert members(storage, "my-own-output") == {f"named-post@{PROJECT}.iam.gserviceaccount.com"}
    assert [one.step for one in named.engine().plan().writes] == []

    without_names = tmp_path / "without-names.toml"
    without_names.write_text(f'prefix = "named"\nregion = "{REGION}"\n')
    without_file = replace(named, file=without_names)
    outcome, leftovers = destroy_all(without_file, without_file.connect())
    assert not outcome.failed
    assert leftovers == ()
    triggers = cloud.client(eventarc_v1.EventarcClient).list_triggers(
        parent=f"projects/{PROJECT}/locations/eu"
    )
    assert [one.name for one in triggers if "/named-" in one.name] == []
    assert storage.lookup_bucket(before.name) is None
    for role in ("input", "models", "output"):
        bucket = storage.get_bucket(f"my-own-{role}")
        assert [blob.name for blob in bucket.list_blobs()] == ["mine.txt"]
        assert members(storage, bucket.name) == set()


def members(storage: Any, bucket: str) -> set[str]:
    """Our accounts that have a role on a bucket."""
    policy = storage.bucket(bucket).get_iam_policy(requested_policy_version=3)
    found = {member for binding in policy.bindings for member in binding["members"]}
    return {one.removeprefix("serviceAccount:") for one in found if "named-" in one}
