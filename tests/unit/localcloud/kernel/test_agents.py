import pytest

from gpupipe.localcloud.errors import Code, ServiceError
from gpupipe.localcloud.kernel.kernel import Kernel

PROJECT = "demo-project"


def roles_of(kernel: Kernel, email: str) -> set[str]:
    bindings = kernel.policies.get(f"projects/{PROJECT}").bindings
    return {b.role for b in bindings if f"serviceAccount:{email}" in b.members}


def test_an_agent_gets_its_role_when_it_is_created_and_only_then(kernel: Kernel) -> None:
    api = "eventarc.googleapis.com"
    email = kernel.agents.agent_email(api, PROJECT)
    project = kernel.projects.ensure(PROJECT)
    assert email == f"service-{project.number}@gcp-sa-eventarc.iam.gserviceaccount.com"
    assert not kernel.agents.exists(email)
    assert kernel.agents.create(api, PROJECT) == email
    assert kernel.agents.exists(email)
    assert roles_of(kernel, email) == {"roles/eventarc.serviceAgent"}


def test_creating_again_does_not_bring_a_removed_role_back(kernel: Kernel) -> None:
    email = kernel.agents.create("workflows.googleapis.com", PROJECT)
    kernel.policies.delete(f"projects/{PROJECT}")
    assert kernel.agents.create("workflows.googleapis.com", PROJECT) == email
    assert roles_of(kernel, email) == set()


def test_the_storage_agent_has_no_role(kernel: Kernel) -> None:
    email = kernel.agents.create("storage.googleapis.com", PROJECT)
    assert email.endswith("@gs-project-accounts.iam.gserviceaccount.com")
    assert roles_of(kernel, email) == set()


def test_an_api_without_agent_is_refused(kernel: Kernel) -> None:
    with pytest.raises(ServiceError) as refused:
        kernel.agents.create("iam.googleapis.com", PROJECT)
    assert refused.value.code is Code.FAILED_PRECONDITION
    assert not kernel.agents.has_agent("iam.googleapis.com")
