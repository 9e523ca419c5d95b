"""What must be there before a refusal row's request is sent: named, small, over the official clients.

Each takes the `World` of one row (a project of its own) and changes it.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from google.cloud.logging_v2.services.config_service_v2 import ConfigServiceV2Client

from gpupipe.localcloud.kernel.caller import OPERATOR
from gpupipe.localcloud.kernel.registry_images import ImageConfig
from gpupipe.localcloud.kernel.topics import Topic
from gpupipe.localcloud.services.eventarc import rules
from gpupipe.localcloud.services.executions import store as executions
from gpupipe.localcloud.services.run import messages
from gpupipe.localcloud.services.run.store import Store
from tests.support import givens_builds, givens_outside
from tests.support.run_services import SERVER
from tests.support.world import REGION, World


def enabled(world: World) -> None:
    """All APIs that are emulated are enabled."""
    apis = ("run", "iam", "iamcredentials", "artifactregistry", "cloudbuild", "workflows",
            "workflowexecutions", "eventarc", "pubsub", "cloudquotas", "monitoring", "logging",
            "storage", "cloudresourcemanager", "serviceusage", "cloudbilling", "orgpolicy")  # fmt: skip
    world.cloud.enable(*(f"{api}.googleapis.com" for api in apis), project=world.project)


def runtime_account(world: World) -> None:
    """The account runtime@ exists."""
    project = world.cloud.kernel.projects.ensure(world.project)
    world.cloud.kernel.identity.create_account(project.id, "runtime")


def sink(world: World) -> None:
    """The log sink keep.all_1 exists."""
    client: Any = world.cloud.client(ConfigServiceV2Client)
    destination = "storage.googleapis.com/a-bucket"
    client.create_sink(
        request={
            "parent": f"projects/{world.project}",
            "sink": {"name": "keep.all_1", "destination": destination},
            "unique_writer_identity": True,
        }
    )


def bucket(world: World) -> None:
    """The bucket {project}-bucket exists in us-central1."""
    world.cloud.storage_client(world.project).create_bucket(
        f"{world.project}-bucket", location=REGION
    )


def object_(world: World) -> None:
    """The bucket holds the object "there"."""
    bucket_ = world.cloud.storage_client(world.project).bucket(f"{world.project}-bucket")
    bucket_.blob("there").upload_from_string("it is")


def _bucket(world: World) -> Any:
    return world.cloud.storage_client(world.project).bucket(f"{world.project}-bucket")


def their_bucket(world: World) -> None:
    """The bucket {project}-theirs belongs to another project."""
    other = f"{world.project}-x"
    world.cloud.storage_client(other).create_bucket(f"{world.project}-theirs", location=REGION)


def noncurrent(world: World) -> None:
    """The bucket is versioned and holds nothing but a noncurrent version."""
    bucket_ = _bucket(world)
    bucket_.versioning_enabled = True
    bucket_.patch()
    bucket_.blob("gone").upload_from_string("it was")
    bucket_.blob("gone").delete()


def retention(world: World) -> None:
    """The bucket retains its objects for a day."""
    bucket_ = _bucket(world)
    bucket_.retention_period = 86400
    bucket_.patch()


def locked_retention(world: World) -> None:
    """The bucket retains its objects for a day, which is locked."""
    retention(world)
    bucket_ = _bucket(world)
    bucket_.reload()
    bucket_.lock_retention_policy()


def temporary_hold(world: World) -> None:
    """The object "there" is under a temporary hold."""
    blob = _bucket(world).blob("there")
    blob.temporary_hold = True
    blob.patch()


def event_hold(world: World) -> None:
    """The object "there" is under an event-based hold."""
    blob = _bucket(world).blob("there")
    blob.event_based_hold = True
    blob.patch()


def custom_time(world: World) -> None:
    """The object "there" has a custom time in 2026."""
    blob = _bucket(world).blob("there")
    blob.custom_time = datetime(2026, 1, 1, tzinfo=UTC)
    blob.patch()


def uniform(world: World) -> None:
    """The bucket has uniform access, and public access is prevented."""
    bucket_ = _bucket(world)
    bucket_.iam_configuration.uniform_bucket_level_access_enabled = True
    bucket_.iam_configuration.public_access_prevention = "enforced"
    bucket_.patch()


def sixty_labels(world: World) -> None:
    """The bucket has sixty labels."""
    bucket_ = _bucket(world)
    bucket_.labels = {f"kept-{number}": "x" for number in range(60)}
    bucket_.patch()


def repository(world: World) -> None:
    """The Docker repository "images" exists."""
    world.client("artifactregistry").create_repository(
        request={
            "parent": f"projects/{world.project}/locations/{REGION}",
            "repository_id": "images",
            "repository": {"format_": "DOCKER"},
        }
    ).result(timeout=30)


def service(world: World) -> None:
    """The Cloud Run service svc is stored; it has never run."""
    name = f"projects/{world.project}/locations/{REGION}/services/svc"
    Store(world.cloud.kernel.resources).put_service(messages.Service(name=name))


def token_creator(world: World) -> None:
    """The operator may make tokens of the project's accounts."""
    _grant_operator(world, "roles/iam.serviceAccountTokenCreator")


def disabled_account(world: World) -> None:
    """The account runtime@ is disabled."""
    email = f"runtime@{world.project}.iam.gserviceaccount.com"
    world.cloud.kernel.identity.update_account(email, disabled=True)


def hundred_accounts(world: World) -> None:
    """The project has as many accounts as it may have."""
    with world.cloud.kernel.database.transaction():
        for number in range(100):
            world.cloud.kernel.identity.create_account(world.project, f"account-{number}")


def no_billing(world: World) -> None:
    """Nobody pays for the project."""
    world.cloud.kernel.billing.link(world.project, "")


def propagation(world: World) -> None:
    """What is changed from now on takes a year to have its effect; the test ends it."""
    world.cloud.kernel.behaviour.propagation_s = 365 * 24 * 3600


def just_enabled(world: World) -> None:
    """Cloud Run was enabled a moment ago, by its own API."""
    world.client("serviceusage").enable_service(
        request={"name": f"projects/{world.project}/services/run.googleapis.com"}
    ).result(timeout=30)


def workflows_agent(world: World) -> None:
    """The service agent of Workflows exists."""
    world.cloud.kernel.agents.create("workflows.googleapis.com", world.project)


def workflow(world: World) -> None:
    """The workflow "flow" exists, as runtime@; it waits for a day when it runs."""
    source = (
        "main:\n  steps:\n    - pause:\n        call: sys.sleep\n        args: {seconds: 86400}\n"
    )
    world.client("workflows").create_workflow(
        request={
            "parent": f"projects/{world.project}/locations/{REGION}",
            "workflow_id": "flow",
            "workflow": {
                "service_account": f"runtime@{world.project}.iam.gserviceaccount.com",
                "source_contents": source,
            },
        }
    ).result(timeout=30)


def trigger_rights(world: World) -> None:
    """Agents and runtime@ have what a trigger takes."""
    kernel, project = world.cloud.kernel, f"projects/{world.project}"
    kernel.agents.create("eventarc.googleapis.com", world.project)
    storage = kernel.agents.create("storage.googleapis.com", world.project)
    kernel.policies.grant(project, "roles/pubsub.publisher", f"serviceAccount:{storage}")
    runtime = f"serviceAccount:runtime@{world.project}.iam.gserviceaccount.com"
    kernel.policies.grant(project, "roles/eventarc.eventReceiver", runtime)


def trigger(world: World) -> None:
    """The trigger "on-upload" exists: finalized objects of the bucket start "flow"."""
    world.client("eventarc").create_trigger(
        request={
            "parent": f"projects/{world.project}/locations/{REGION}",
            "trigger_id": "on-upload",
            "trigger": {
                "event_filters": [
                    {"attribute": "type", "value": "google.cloud.storage.object.v1.finalized"},
                    {"attribute": "bucket", "value": f"{world.project}-bucket"},
                ],
                "destination": {
                    "workflow": f"projects/{world.project}/locations/{REGION}/workflows/flow"
                },
                "service_account": f"runtime@{world.project}.iam.gserviceaccount.com",
            },
        }
    ).result(timeout=30)


def no_publisher(world: World) -> None:
    """Nobody may publish to topics."""
    _revoke(world, "roles/pubsub.publisher")


def no_receiver(world: World) -> None:
    """Nobody may receive events."""
    _revoke(world, "roles/eventarc.eventReceiver")


def no_eventarc_agent_role(world: World) -> None:
    """Eventarc's agent has lost its role."""
    _revoke(world, "roles/eventarc.serviceAgent")


def no_pubsub(world: World) -> None:
    """The API of Pub/Sub is not enabled."""
    world.cloud.kernel.projects.set_enabled(world.project, "pubsub.googleapis.com", enabled=False)


def bucket_eu(world: World) -> None:
    """The bucket {project}-eu exists in the multi-region EU."""
    world.cloud.storage_client(world.project).create_bucket(f"{world.project}-eu", location="EU")


def bucket_dual(world: World) -> None:
    """The bucket {project}-dual exists in the dual-region NAM4."""
    name = f"{world.project}-dual"
    world.cloud.storage_client(world.project).create_bucket(name, location="NAM4")


def topic_unpublished(world: World) -> None:
    """The topic "topic" exists, and nobody may publish to it."""
    world.cloud.kernel.topics.put_topic(Topic(name=f"projects/{world.project}/topics/topic"))


def topic(world: World) -> None:
    """The topic "topic" exists, and Cloud Storage's agent may publish to it."""
    topic_unpublished(world)
    kernel = world.cloud.kernel
    agent = kernel.agents.create("storage.googleapis.com", world.project)
    role, member = "roles/pubsub.publisher", f"serviceAccount:{agent}"
    kernel.policies.grant(f"projects/{world.project}", role, member)


def ten_notifications(world: World) -> None:
    """The bucket {project}-bucket has ten notifications of finalized objects."""
    topic(world)
    name = f"{world.project}-bucket"
    path = f"//pubsub.googleapis.com/projects/{world.project}/topics/topic"
    body = {"topic": path, "event_types": ["OBJECT_FINALIZE"], "payload_format": "NONE"}
    for _ in range(10):
        world.http("POST", f"/storage/v1/b/{name}/notificationConfigs", body).raise_for_status()


def other_bucket(world: World) -> None:
    """The bucket {project}-2-bucket exists in the project {project}-2."""
    other = World(world.cloud, f"{world.project}-2")
    enabled(other)
    bucket(other)


def many_triggers(world: World) -> None:
    """The location has as many triggers as it may have."""
    kernel, parent = world.cloud.kernel, f"projects/{world.project}/locations/{REGION}"
    with kernel.database.transaction():
        for number in range(500):
            one = rules.Trigger(name=f"{parent}/triggers/t-{number}")
            one.event_filters.add(attribute="bucket", value="no-such-bucket")
            kernel.resources.put(rules.KIND, one.name, parent, one.SerializeToString())


def ended_execution(world: World) -> None:
    """The execution "ended" of the workflow "flow" has succeeded."""
    workflow_ = f"projects/{world.project}/locations/{REGION}/workflows/flow"
    execution = executions.Execution(name=f"{workflow_}/executions/ended", state="SUCCEEDED")
    store, runs = executions.Store(world.cloud.kernel.database), world.cloud.kernel.workflow_runs
    store.insert(execution, runs.existing(workflow_))


def other_workflow(world: World) -> None:
    """The workflow "flow" exists in the project {project}-2."""
    other = World(world.cloud, f"{world.project}-2")
    for step in (enabled, runtime_account, workflows_agent, workflow):
        step(other)


def _revoke(world: World, role: str) -> None:
    kernel, name = world.cloud.kernel, f"projects/{world.project}"
    policy = kernel.policies.get(name)
    kept = [binding for binding in policy.bindings if binding.role != role]
    del policy.bindings[:]
    policy.bindings.extend(kept)
    kernel.policies.set(name, policy, known_member=lambda _: True)


def _grant_operator(world: World, role: str) -> None:
    project = world.cloud.kernel.projects.ensure(world.project)
    world.cloud.kernel.policies.grant(project.name, role, OPERATOR.member)


def run_image(world: World) -> None:
    """The image {region}-docker.pkg.dev/{project}/images/server:v1: a small server, any path is 200."""
    _image(world, world.project)


def run_service(world: World) -> None:
    """The service svc serves, at most 10 instances of 1 CPU, with the revision svc-first."""
    run_image(world)
    _deploy(world, "svc", revision="svc-first", scaling={"max_instance_count": 10})


def thousand_services(world: World) -> None:
    """The location has as many services as it may have; none has ever run."""
    parent = f"projects/{world.project}/locations/{REGION}"
    store = Store(world.cloud.kernel.resources)
    with world.cloud.kernel.database.transaction():
        for number in range(1000):
            store.put_service(messages.Service(name=f"{parent}/services/svc-{number}"))


def no_gpu_quota(world: World) -> None:
    """The project has no L4."""
    _set_quota(world, _L4, 0)


def gpus_held(world: World) -> None:
    """The project has one L4, and an instance of the service holder has it."""
    _set_quota(world, _L4, 1)
    run_image(world)
    _deploy(
        world,
        "holder",
        scaling={"max_instance_count": 1},
        node_selector={"accelerator": "nvidia-l4"},
        gpu_zonal_redundancy_disabled=True,
        containers=[_container(world, {"cpu": "4", "memory": "16Gi", "nvidia.com/gpu": "1"})],
    )


def cpu_held(world: World) -> None:
    """The project may run 1.5 CPU, and an instance of the service holder takes one."""
    run_image(world)
    _deploy(world, "holder", scaling={"max_instance_count": 1})
    _set_quota(world, "CpuAllocPerProjectRegion", 1500)


def memory_held(world: World) -> None:
    """The project may run 768 MiB, and an instance of the service holder takes 512."""
    run_image(world)
    _deploy(world, "holder", scaling={"max_instance_count": 1})
    _set_quota(world, "MemAllocPerProjectRegion", 768 * 2**20)


def account_of_another_project(world: World) -> None:
    """The account runtime@ of the project {project}-other exists."""
    other = World(world.cloud, f"{world.project}-other")
    world.cloud.kernel.projects.ensure(other.project)
    runtime_account(other)


def image_of_another_project(world: World) -> None:
    """The image images/server:v1 is in the project {project}-other."""
    other = f"{world.project}-other"
    world.cloud.kernel.projects.ensure(other)
    _image(world, other)


def _image(world: World, project: str) -> None:
    folder = world.cloud.home / "given" / project
    (folder / "app").mkdir(parents=True)
    (folder / "app" / "server.py").write_text(SERVER)
    images = world.cloud.kernel.images
    repository = f"projects/{project}/locations/{REGION}/repositories/images"
    config = ImageConfig(cmd=("python", "/app/server.py"), workdir="/app")
    images.tag(
        repository, "server", "v1", images.import_folder(repository, "server", folder, config)
    )


def _container(world: World, limits: dict[str, str]) -> dict[str, Any]:
    return {
        "image": f"{REGION}-docker.pkg.dev/{world.project}/images/server:v1",
        "resources": {"limits": limits},
    }


def _deploy(world: World, service_id: str, **template: Any) -> None:
    settings = {
        "service_account": f"runtime@{world.project}.iam.gserviceaccount.com",
        "containers": [_container(world, {"cpu": "1", "memory": "512Mi"})],
        **template,
    }
    request = {
        "parent": f"projects/{world.project}/locations/{REGION}",
        "service_id": service_id,
        "service": {"template": settings},
    }
    world.client("run").create_service(request=request, timeout=20).result(timeout=30)


_L4 = "NvidiaL4GpuAllocNoZonalRedundancyPerProjectRegion"


def _set_quota(world: World, quota: str, value: int) -> None:
    world.cloud.kernel.quotas.set(world.project, "run.googleapis.com", quota, REGION, value)


GIVENS: dict[str, Callable[[World], None]] = {
    **givens_builds.GIVENS,
    **givens_outside.GIVENS,
    "account_of_another_project": account_of_another_project,
    "bucket": bucket,
    "bucket_dual": bucket_dual,
    "bucket_eu": bucket_eu,
    "custom_time": custom_time,
    "disabled_account": disabled_account,
    "enabled": enabled,
    "event_hold": event_hold,
    "sink": sink,
    "cpu_held": cpu_held,
    "gpus_held": gpus_held,
    "memory_held": memory_held,
    "ended_execution": ended_execution,
    "hundred_accounts": hundred_accounts,
    "image_of_another_project": image_of_another_project,
    "just_enabled": just_enabled,
    "locked_retention": locked_retention,
    "many_triggers": many_triggers,
    "no_billing": no_billing,
    "no_eventarc_agent_role": no_eventarc_agent_role,
    "no_gpu_quota": no_gpu_quota,
    "no_publisher": no_publisher,
    "no_pubsub": no_pubsub,
    "no_receiver": no_receiver,
    "noncurrent": noncurrent,
    "object": object_,
    "other_bucket": other_bucket,
    "other_workflow": other_workflow,
    "propagation": propagation,
    "repository": repository,
    "retention": retention,
    "run_image": run_image,
    "run_service": run_service,
    "runtime_account": runtime_account,
    "service": service,
    "sixty_labels": sixty_labels,
    "temporary_hold": temporary_hold,
    "ten_notifications": ten_notifications,
    "their_bucket": their_bucket,
    "topic": topic,
    "topic_unpublished": topic_unpublished,
    "thousand_services": thousand_services,
    "token_creator": token_creator,
    "trigger": trigger,
    "trigger_rights": trigger_rights,
    "uniform": uniform,
    "workflow": workflow,
    "workflows_agent": workflows_agent,
}
