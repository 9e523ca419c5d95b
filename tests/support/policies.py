"""Who may do what with a deployment, and how its buckets are closed, read with the official clients.

What there is comes from the inventory that a destroy takes, and from the policies in which the cloud
itself has the pipeline's accounts: a resource of a kind that nobody has told here how to read fails.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from google.cloud import (
    artifactregistry_v1,
    eventarc_v1,
    iam_admin_v1,
    resourcemanager_v3,
    run_v2,
    workflows_v1,
)
from google.cloud.devtools import cloudbuild_v1
from google.oauth2.credentials import Credentials
from google.pubsub_v1 import PublisherClient, SubscriberClient

from gpupipe.core.names import ACCOUNTS, SERVICES, Names
from gpupipe.deploy import destroy
from tests.support.localcloud import RunningCloud
from tests.support.pipeline import Deployer

PUBLIC = {"allUsers", "allAuthenticatedUsers"}
BROAD = {"roles/owner", "roles/editor", "roles/viewer"}
WITHOUT_POLICY = {
    "workflow", "log metrics", "log sink", "alert policies", "dashboard", "budget",
    "bucket notification",
}  # fmt: skip
IN_ANOTHER = {"audit logs", "project binding", "bucket binding", "repository binding"}
"""Kinds of leftovers that are parts of a policy which is read anyway."""
SINGLE = {"repository", "trigger", "topic", "subscription"}
Bindings = list[tuple[str, str]]
Listed = list[tuple[str, str]]


@dataclass(frozen=True)
class Policy:
    """Of one resource. where: "bucket work", "topic"; resource: as the local cloud calls it."""

    where: str
    resource: str
    bindings: Bindings


def policies(pipeline: Deployer) -> list[Policy]:
    """All of them, the project's first."""
    return read_all(pipeline, inventory(pipeline))


def read_all(pipeline: Deployer, listed: Listed) -> list[Policy]:
    projects = pipeline.cloud.client(resourcemanager_v3.ProjectsClient)
    project = f"projects/{pipeline.project}"
    return [
        Policy("project", project, pairs(projects.get_iam_policy(resource=project))),
        *(
            policy_of(pipeline, kind, name)
            for kind, name in listed
            if kind not in WITHOUT_POLICY | IN_ANOTHER
        ),
    ]


def inventory(pipeline: Deployer) -> Listed:
    """Kind and name of everything that a destroy would have to remove."""
    world = pipeline.engine().world
    found = destroy.inventory(world, keep=frozenset(), parallelism=pipeline.parallelism)
    return [(one.kind, one.name) for one in found]


def policy_of(pipeline: Deployer, kind: str, name: str) -> Policy:
    """How the policy of each kind is read; AssertionError for one that is not known here."""
    names = pipeline.spec.names
    email = f"{name}@{names.project}.iam.gserviceaccount.com"
    readers: Mapping[str, tuple[str, Callable[[RunningCloud, str], Bindings]]] = {
        "bucket": (f"projects/_/buckets/{name}", of_bucket),
        "service": (f"{names.location}/services/{name}", by(run_v2.ServicesClient)),
        "repository": (
            f"{names.location}/repositories/{name}",
            by(artifactregistry_v1.ArtifactRegistryClient),
        ),
        "service account": (
            f"projects/{names.project}/serviceAccounts/{email}",
            by(iam_admin_v1.IAMClient),
        ),
        "trigger": (f"{names.location}/triggers/{name}", over_rest(eventarc_v1.EventarcClient)),
        "topic": (f"projects/{names.project}/topics/{name}", over_rest(PublisherClient)),
        "subscription": (
            f"projects/{names.project}/subscriptions/{name}",
            over_rest(SubscriberClient),
        ),
    }
    assert kind in readers, f"say here how the policy of a {kind} is read, or that it has none"
    resource, read = readers[kind]
    return Policy(where(kind, name, names), resource, read(pipeline.cloud, resource))


def where(kind: str, name: str, names: Names) -> str:
    """A resource without what is the same in all names."""
    short = name.removeprefix(f"{names.prefix}-").removesuffix(f"-{names.project}")
    return kind if kind in SINGLE else f"{kind} {short}"


def by(client: Any) -> Callable[[RunningCloud, str], Bindings]:
    def read(cloud: RunningCloud, resource: str) -> Bindings:
        return pairs(cloud.client(client).get_iam_policy(request={"resource": resource}))

    return read


def over_rest(client: Any) -> Callable[[RunningCloud, str], Bindings]:
    """By a client that reads policies at an address which several APIs share over gRPC."""

    def read(cloud: RunningCloud, resource: str) -> Bindings:
        transport = client.get_transport_class("rest")(
            host=cloud.http.removeprefix("http://"),
            credentials=Credentials(cloud.token),
            url_scheme="http",
        )
        transport._session.trust_env = False
        return pairs(client(transport=transport).get_iam_policy(request={"resource": resource}))

    return read


def of_bucket(cloud: RunningCloud, resource: str) -> Bindings:
    bucket = cloud.storage_client().bucket(resource.rpartition("/")[2])
    policy = bucket.get_iam_policy(requested_policy_version=3)
    return [(one["role"], member) for one in policy.bindings for member in one["members"]]


def pairs(policy: Any) -> Bindings:
    return [(str(one.role), str(member)) for one in policy.bindings for member in one.members]


def identities(cloud: RunningCloud, names: Names) -> Iterator[tuple[str, str]]:
    """What runs, and the account that it runs as."""
    run, parent = cloud.client(run_v2.ServicesClient), names.location
    for service in SERVICES:
        found = run.get_service(name=f"{parent}/services/{names.service(service)}")
        yield f"service {service}", found.template.service_account
    workflow = cloud.client(workflows_v1.WorkflowsClient).get_workflow(
        name=f"{parent}/workflows/{names.workflow}"
    )
    yield "workflow", workflow.service_account.rpartition("/")[2]
    trigger = cloud.client(eventarc_v1.EventarcClient).get_trigger(
        name=f"{parent}/triggers/{names.trigger}"
    )
    yield "trigger", trigger.service_account.rpartition("/")[2]
    builds = cloud.client(cloudbuild_v1.CloudBuildClient)
    ours = tuple(f"{names.service(service)}-" for service in SERVICES)
    for build in builds.list_builds(request={"parent": parent, "project_id": names.project}):
        if not any(tag.startswith(ours) for tag in build.tags):
            continue
        yield f"build {build.id}", build.service_account.rpartition("/")[2]


def violations(pipeline: Deployer) -> list[str]:
    """Every rule that is broken, as `where: what`."""
    names, listed = pipeline.spec.names, inventory(pipeline)
    read = read_all(pipeline, listed)
    ours = {names.member(role) for role in ACCOUNTS}
    found = [
        f"{one.where}: {what}"
        for one in read
        for role, member in one.bindings
        for what in broken(one.where, role, member, ours)
    ]
    found += [
        f"{resource}: not read"
        for member in ours
        for resource in pipeline.cloud.kernel.policies.resources_with_member(member)
        if resource not in {one.resource for one in read}
    ]
    found += [
        f"{what}: default account"
        for what, who in identities(pipeline.cloud, names)
        if who not in {names.account(one) for one in ACCOUNTS}
    ]
    return found + list(open_buckets(pipeline, listed))


def broken(place: str, role: str, member: str, ours: set[str]) -> Iterator[str]:
    """The rules that one binding breaks."""
    if member in PUBLIC:
        yield "public"
    if is_default(member):
        yield "default account"
    if member in ours and role in BROAD:
        yield "broad role"
    if place == "project" and member in ours and role.startswith("roles/storage."):
        yield "storage role"


def open_buckets(pipeline: Deployer, listed: Listed) -> Iterator[str]:
    storage = pipeline.cloud.storage_client(project=pipeline.project)
    for kind, name in listed:
        if kind != "bucket":
            continue
        settings = storage.get_bucket(name).iam_configuration
        place = where(kind, name, pipeline.spec.names)
        if settings.public_access_prevention != "enforced":
            yield f"{place}: public access not prevented"
        if not settings.uniform_bucket_level_access_enabled:
            yield f"{place}: access lists"


def is_default(member: str) -> bool:
    return member.endswith(
        ("-compute@developer.gserviceaccount.com", "@appspot.gserviceaccount.com")
    )
