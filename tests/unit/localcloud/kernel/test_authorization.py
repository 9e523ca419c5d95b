import pytest

from gpupipe.localcloud.errors import Code, ServiceError
from gpupipe.localcloud.kernel.caller import OPERATOR, Caller
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.kernel.roles import ROLES, grants

PROJECT = "projects/demo-project"
SERVICE = f"{PROJECT}/locations/us-central1/services/one"
ALICE = "user:alice@example.com"


def test_a_role_on_the_project_reaches_its_resources(kernel: Kernel) -> None:
    kernel.policies.grant(PROJECT, "roles/run.viewer", ALICE)
    assert kernel.authorizer.allowed(ALICE, "run.services.get", SERVICE)
    assert not kernel.authorizer.allowed(ALICE, "run.services.delete", SERVICE)


def test_a_role_on_a_resource_reaches_below_it_and_not_beside_it(kernel: Kernel) -> None:
    repository = f"{PROJECT}/locations/us-central1/repositories/one"
    kernel.policies.grant(repository, "roles/artifactregistry.reader", ALICE)
    allowed = kernel.authorizer.allowed
    permission = "artifactregistry.dockerimages.get"
    assert allowed(ALICE, permission, f"{repository}/dockerImages/image@sha256:0")
    assert not allowed(ALICE, permission, f"{PROJECT}/locations/us-central1/repositories/two")
    assert not allowed(ALICE, permission, PROJECT)


def test_the_project_may_be_named_by_its_number(kernel: Kernel) -> None:
    kernel.policies.grant(SERVICE, "roles/run.viewer", ALICE)
    project = kernel.projects.get("demo-project")
    assert project is not None
    named = SERVICE.replace("demo-project", str(project.number))
    assert kernel.authorizer.allowed(ALICE, "run.services.get", named)


def test_a_registered_parent_says_the_project_of_a_bucket(kernel: Kernel) -> None:
    bucket = "projects/_/buckets/one"
    kernel.policies.grant(PROJECT, "roles/storage.objectViewer", ALICE)
    assert not kernel.authorizer.allowed(ALICE, "storage.objects.get", bucket)
    kernel.authorizer.register_parent("projects/_/buckets/", lambda _: PROJECT)
    assert kernel.authorizer.allowed(ALICE, "storage.objects.get", bucket)
    assert kernel.authorizer.allowed(ALICE, "storage.objects.get", f"{bucket}/objects/a/b/c")


def test_project_owners_in_a_bucket_policy_are_the_owners_of_that_project(kernel: Kernel) -> None:
    bucket = "projects/_/buckets/one"
    kernel.policies.grant(bucket, "roles/storage.legacyBucketOwner", "projectOwner:demo-project")
    assert kernel.authorizer.allowed(OPERATOR.member, "storage.buckets.update", bucket)
    assert not kernel.authorizer.allowed(ALICE, "storage.buckets.update", bucket)


def test_public_members(kernel: Kernel) -> None:
    allowed = kernel.authorizer.allowed
    kernel.policies.grant(SERVICE, "roles/run.invoker", "allAuthenticatedUsers")
    assert allowed(ALICE, "run.routes.invoke", SERVICE)
    assert not allowed("allUsers", "run.routes.invoke", SERVICE)
    kernel.policies.grant(SERVICE, "roles/run.invoker", "allUsers")
    assert allowed("allUsers", "run.routes.invoke", SERVICE)


def test_check_refuses_in_the_same_words_whether_the_resource_exists_or_not(
    kernel: Kernel,
) -> None:
    with pytest.raises(ServiceError) as refused:
        kernel.authorizer.check(Caller(ALICE), "run.services.get", SERVICE)
    error = refused.value
    assert error.code is Code.PERMISSION_DENIED
    assert error.message == (
        f"Permission 'run.services.get' denied on resource '{SERVICE}' (or it may not exist)."
    )
    assert error.details.reason == "IAM_PERMISSION_DENIED"
    assert error.details.metadata["permission"] == "run.services.get"


def test_owners_lack_object_data_and_tokens() -> None:
    assert grants("roles/owner", "run.services.delete")
    assert not grants("roles/owner", "storage.objects.get")
    assert not grants("roles/owner", "iam.serviceAccounts.getAccessToken")
    assert not grants("roles/not.there", "run.services.get")


@pytest.mark.parametrize(
    ("role", "has", "lacks"),
    [
        ("roles/storage.objectCreator", "storage.objects.create", "storage.objects.get"),
        ("roles/storage.objectCreator", "storage.objects.create", "storage.objects.delete"),
        ("roles/storage.objectViewer", "storage.objects.list", "storage.objects.create"),
        ("roles/run.developer", "run.services.update", "run.services.setIamPolicy"),
        ("roles/run.invoker", "run.routes.invoke", "run.services.get"),
        ("roles/workflows.invoker", "workflows.executions.create", "workflows.workflows.get"),
        ("roles/artifactregistry.writer", "artifactregistry.repositories.uploadArtifacts",
         "artifactregistry.repositories.deleteArtifacts"),
        ("roles/eventarc.eventReceiver", "eventarc.events.receiveEvent", "eventarc.triggers.get"),
    ],
)  # fmt: skip
def test_the_roles_of_the_pipeline(role: str, has: str, lacks: str) -> None:
    assert grants(role, has)
    assert not grants(role, lacks)


def test_only_basic_roles_have_a_wildcard() -> None:
    assert {role for role, permissions in ROLES.items() if "*" in permissions} == {"roles/owner"}
