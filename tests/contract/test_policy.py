"""What a deployment grants and allows, read back with the official clients: nothing public, nothing shared.

A reader of all policies and settings lists what breaks a rule (tests/support/policies.py). A second
test breaks each rule on purpose, for a reader that sees nothing would prove nothing.
"""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from google.api_core import exceptions
from google.cloud import run_v2
from tests.support.pipeline import Deployer, QuickPipeline
from tests.support.policies import identities, inventory, policies, policy_of, violations

from gpupipe.core.names import ACCOUNTS, BUCKETS, SERVICES

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


@pytest.mark.promise(43)
@pytest.mark.promise(77)
@pytest.mark.promise(113)
@pytest.mark.promise("S21")
def test_each_account_may_do_what_its_part_needs_and_nothing_else(pipeline: Deployer) -> None:
    ours = {pipeline.spec.names.member(one): one for one in ACCOUNTS}
    found = {
        one.where: {
            f"{ours[member]}: {role.removeprefix('roles/')}"
            for role, member in one.bindings
            if member in ours
        }
        for one in policies(pipeline)
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


@pytest.mark.promise(116)
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


def public(where: str, role: str) -> Callable[[Deployer], Callable[[], None]]:
    """Give all users a role on one of the resources."""

    def do(pipeline: Deployer) -> Callable[[], None]:
        (resource,) = (one.resource for one in policies(pipeline) if one.where == where)
        return granted(pipeline, resource, role, "allUsers")

    return do


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


def elsewhere(pipeline: Deployer) -> Callable[[], None]:
    """One of our accounts in the policy of a resource that no inventory names."""
    member = pipeline.spec.names.member("post")
    other = f"{pipeline.spec.names.location}/services/somebody-elses"
    return granted(pipeline, other, "roles/run.invoker", member)


PUBLISHED = {
    "service preprocess": "roles/run.invoker",
    "repository": "roles/artifactregistry.reader",
    "service account build": "roles/iam.serviceAccountUser",
    "bucket staging": "roles/storage.objectViewer",
    "trigger": "roles/eventarc.viewer",
    "topic": "roles/pubsub.publisher",
    "subscription": "roles/pubsub.subscriber",
}


def test_the_reader_sees_what_is_broken(pipeline: Deployer) -> None:
    other = "projects/quick-project/locations/us-central1/services/somebody-elses"
    breaks = {
        **{f"{where}: public": public(where, role) for where, role in PUBLISHED.items()},
        "project: storage role": widen,
        "project: default account": default_account,
        "bucket work: public access not prevented": not_prevented,
        f"{other}: not read": elsewhere,
    }
    with ExitStack() as stack:
        for break_it in breaks.values():
            stack.callback(break_it(pipeline))
        assert sorted(violations(pipeline)) == sorted(breaks)
    assert violations(pipeline) == []


def test_the_reader_leaves_nothing_out(pipeline: Deployer) -> None:
    read = [one.where for one in policies(pipeline)]
    expected = {"project", *PUBLISHED, *(f"service account {one}" for one in ACCOUNTS)}
    expected |= {f"bucket {one}" for one in BUCKETS} | {f"service {one}" for one in SERVICES}
    assert set(read) == expected
    assert len(read) == len(expected)
    assert {kind for kind, _ in inventory(pipeline)} > {"workflow", "dashboard"}
    with pytest.raises(AssertionError, match="how the policy of a queue is read"):
        policy_of(pipeline, "queue", "new")
