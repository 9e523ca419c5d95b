"""What a deployment grants and allows, read back with the official clients: nothing public, nothing shared.

A reader of all policies and settings lists what breaks a rule. A second test breaks each rule on
purpose, for a reader that sees nothing would prove nothing.
"""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from google.api_core import exceptions
from google.cloud import (
    artifactregistry_v1,
    eventarc_v1,
    iam_admin_v1,
    resourcemanager_v3,
    run_v2,
    workflows_v1,
)
from google.cloud.devtools import cloudbuild_v1
from tests.support.localcloud import RunningCloud
from tests.support.pipeline import Deployer, QuickPipeline

from gpupipe.core.names import ACCOUNTS, BUCKETS, SERVICES, Names

PUBLIC = {"allUsers", "allAuthenticatedUsers"}
BROAD = {"roles/owner", "roles/editor", "roles/viewer"}
GRANTS = {
    "project": {
        "workflow: logging.logWriter", "build: logging.logWriter",
        "eventarc: workflows.invoker", "eventarc: eventarc.eventReceiver",
    },
    **{f"service {one}": {"workflow: run.invoker"} for one in SERVICES},
    "repository": {"build: artifactregistry.writer"},
    "bucket input": {"pre: storage.objectViewer"},
    "bucket models": {"infer: storage.objectViewer"},
    "bucket output": {"post: storage.objectViewer", "post: storage.objectCreator"},
    "bucket work": {
        "pre: storage.objectViewer", "pre: storage.objectCreator",
        "infer: storage.objectViewer", "infer: storage.objectCreator",
        "post: storage.objectViewer",
    },
    "bucket staging": {"build: storage.objectViewer"},
}  # fmt: skip
"""Everything that an account of ours may do; what is not here, none may."""


@pytest.fixture(scope="module")
def pipeline(quick_pipeline: QuickPipeline) -> Deployer:
    # Whatever came before: the tests of the operator's roles end with a destroy.
    quick_pipeline.deployer.deploy(canary=False)
    return quick_pipeline.operator


def policies(pipeline: Deployer) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Each resource that has a policy, with its bindings."""
    cloud, names = pipeline.cloud, pipeline.spec.names
    projects = cloud.client(resourcemanager_v3.ProjectsClient)
    run, registry = (
        cloud.client(run_v2.ServicesClient),
        cloud.client(artifactregistry_v1.ArtifactRegistryClient),
    )
    iam = cloud.client(iam_admin_v1.IAMClient)
    yield "project", pairs(projects.get_iam_policy(resource=f"projects/{names.project}"))
    for service in SERVICES:
        name = f"{names.location}/services/{names.service(service)}"
        yield f"service {service}", pairs(run.get_iam_policy(request={"resource": name}))
    name = f"{names.location}/repositories/{names.repository}"
    yield "repository", pairs(registry.get_iam_policy(request={"resource": name}))
    for role in ACCOUNTS:
        name = f"projects/{names.project}/serviceAccounts/{names.account(role)}"
        yield f"account {role}", pairs(iam.get_iam_policy(request={"resource": name}))
    storage = cloud.storage_client(project=names.project)
    for role in BUCKETS:
        policy = storage.bucket(names.bucket(role)).get_iam_policy(requested_policy_version=3)
        bindings = [(one["role"], member) for one in policy.bindings for member in one["members"]]
        yield f"bucket {role}", bindings


def pairs(policy: Any) -> list[tuple[str, str]]:
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
    for build in builds.list_builds(request={"parent": parent, "project_id": names.project}):
        yield f"build {build.id}", build.service_account.rpartition("/")[2]


def violations(pipeline: Deployer) -> list[str]:
    """Every rule that is broken, as `where: what`."""
    names, found = pipeline.spec.names, []
    ours = {names.member(role) for role in ACCOUNTS}
    for where, bindings in policies(pipeline):
        for role, member in bindings:
            if member in PUBLIC:
                found.append(f"{where}: public")
            if is_default(member):
                found.append(f"{where}: default account")
            if member in ours and role in BROAD:
                found.append(f"{where}: broad role")
            if where == "project" and member in ours and role.startswith("roles/storage."):
                found.append("project: storage role")
    found += [
        f"{what}: default account"
        for what, who in identities(pipeline.cloud, names)
        if who not in {names.account(one) for one in ACCOUNTS}
    ]
    storage = pipeline.cloud.storage_client(project=names.project)
    for role in BUCKETS:
        settings = storage.get_bucket(names.bucket(role)).iam_configuration
        if settings.public_access_prevention != "enforced":
            found.append(f"bucket {role}: public access not prevented")
        if not settings.uniform_bucket_level_access_enabled:
            found.append(f"bucket {role}: access lists")
    return found


def is_default(member: str) -> bool:
    return member.endswith(
        ("-compute@developer.gserviceaccount.com", "@appspot.gserviceaccount.com")
    )


@pytest.mark.promise(116)
@pytest.mark.promise(43)
@pytest.mark.promise(77)
@pytest.mark.promise(113)
@pytest.mark.promise("S21")
def test_each_account_may_do_what_its_part_needs_and_nothing_else(pipeline: Deployer) -> None:
    ours = {pipeline.spec.names.member(one): one for one in ACCOUNTS}
    found = {
        where: {
            f"{ours[member]}: {role.removeprefix('roles/')}"
            for role, member in bindings
            if member in ours
        }
        for where, bindings in policies(pipeline)
    }
    assert {where: roles for where, roles in found.items() if roles} == GRANTS


@pytest.mark.promise(44)
def test_a_service_reaches_no_bucket_and_no_service_of_another(pipeline: Deployer) -> None:
    cloud, names = pipeline.cloud, pipeline.spec.names
    reads = {"pre": "input", "infer": "models", "post": "output"}
    for account, read in reads.items():
        token, _ = cloud.kernel.identity.access_token(names.account(account))
        own = cloud.storage_client(project=names.project, token=token)
        for role in reads.values():
            blob = own.bucket(names.bucket(role)).blob("_nothing")
            refused = exceptions.NotFound if role == read else exceptions.Forbidden
            with pytest.raises(refused):
                blob.download_as_bytes()
            if (account, role) != ("post", "output"):
                with pytest.raises(exceptions.Forbidden):
                    blob.upload_from_string("x")
        for service, uri in uris(pipeline).items():
            token = cloud.kernel.identity.id_token(names.account(account), uri)
            headers = {"Authorization": f"Bearer {token}"}
            answer = httpx.get(f"{uri}/health", headers=headers, trust_env=False)
            assert answer.status_code == 403, (account, service)


def uris(pipeline: Deployer) -> dict[str, str]:
    client, names = pipeline.cloud.client(run_v2.ServicesClient), pipeline.spec.names
    return {
        one: client.get_service(name=f"{names.location}/services/{names.service(one)}").uri
        for one in SERVICES
    }


@pytest.mark.promise(43)
@pytest.mark.promise(73)
@pytest.mark.promise(113)
@pytest.mark.promise(114)
@pytest.mark.promise(122)
@pytest.mark.promise(152)
@pytest.mark.promise("S54")
@pytest.mark.promise("D3")
@pytest.mark.promise("S58")
@pytest.mark.promise("S61")
def test_nothing_is_public_shared_or_wider_than_it_must_be(pipeline: Deployer) -> None:
    assert violations(pipeline) == []
    whose = dict(identities(pipeline.cloud, pipeline.spec.names))
    runs = [whose[f"service {one}"] for one in SERVICES]
    assert len({*runs, whose["workflow"], whose["trigger"]}) == 5
    assert any(one.startswith("build ") for one in whose)


def bucket(pipeline: Deployer) -> Any:
    return pipeline.cloud.storage_client(project=pipeline.project).get_bucket(
        pipeline.spec.names.bucket("work")
    )


def publish(pipeline: Deployer) -> Callable[[], None]:
    name = f"{pipeline.spec.names.location}/services/{pipeline.spec.names.service('preprocess')}"
    return granted(pipeline, name, "roles/run.invoker", "allUsers")


def granted(pipeline: Deployer, resource: str, role: str, member: str) -> Callable[[], None]:
    policies = pipeline.cloud.kernel.policies
    before = policies.get(resource)
    policies.grant(resource, role, member)
    return lambda: policies.put(resource, before)


def widen(pipeline: Deployer) -> Callable[[], None]:
    member = pipeline.spec.names.member("pre")
    return granted(pipeline, f"projects/{pipeline.project}", "roles/storage.objectViewer", member)


def default_account(pipeline: Deployer) -> Callable[[], None]:
    number = pipeline.cloud.kernel.projects.ensure(pipeline.project).number
    member = f"serviceAccount:{number}-compute@developer.gserviceaccount.com"
    return granted(pipeline, f"projects/{pipeline.project}", "roles/editor", member)


def not_prevented(pipeline: Deployer) -> Callable[[], None]:
    one = bucket(pipeline)
    one.iam_configuration.public_access_prevention = "inherited"
    one.patch()

    def restore() -> None:
        one.iam_configuration.public_access_prevention = "enforced"
        one.patch()

    return restore


@pytest.mark.parametrize(
    ("break_it", "seen"),
    [
        (publish, "service preprocess: public"),
        (widen, "project: storage role"),
        (default_account, "project: default account"),
        (not_prevented, "bucket work: public access not prevented"),
    ],
)
def test_the_reader_sees_what_is_broken(
    pipeline: Deployer, break_it: Callable[[Deployer], Callable[[], None]], seen: str
) -> None:
    restore = break_it(pipeline)
    try:
        assert violations(pipeline) == [seen]
    finally:
        restore()
