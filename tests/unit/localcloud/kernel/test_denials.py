"""Permissions taken from the operator by hand."""

import pytest

from gpupipe.localcloud.kernel.caller import OPERATOR
from gpupipe.localcloud.kernel.denials import ALL_PROJECTS, Denial
from gpupipe.localcloud.kernel.kernel import Kernel

PROJECT = "projects/demo-project"
SERVICE = f"{PROJECT}/locations/us-central1/services/one"


@pytest.mark.parametrize("name", ["run.services.get", "roles/run.viewer"])
@pytest.mark.parametrize("project", ["demo-project", ALL_PROJECTS])
def test_a_revoked_permission_is_denied_although_the_operator_owns_the_project(
    kernel: Kernel, name: str, project: str
) -> None:
    allowed = kernel.authorizer.allowed
    kernel.denials.revoke(Denial(project, name))
    assert not allowed(OPERATOR.member, "run.services.get", SERVICE)
    assert allowed(OPERATOR.member, "run.services.create", SERVICE)
    assert kernel.denials.restore(Denial(project, name))
    assert allowed(OPERATOR.member, "run.services.get", SERVICE)
    assert not kernel.denials.restore(Denial(project, name))


def test_another_project_and_another_member_keep_it(kernel: Kernel) -> None:
    kernel.projects.ensure("other-project")
    kernel.policies.grant(PROJECT, "roles/run.viewer", "user:alice@example.com")
    kernel.denials.revoke(Denial("demo-project", "run.services.get"))
    allowed = kernel.authorizer.allowed
    assert allowed(OPERATOR.member, "run.services.get", SERVICE.replace("demo", "other"))
    assert allowed("user:alice@example.com", "run.services.get", SERVICE)
    number = kernel.projects.ensure("demo-project").number
    by_number = SERVICE.replace("demo-project", str(number))
    assert not allowed(OPERATOR.member, "run.services.get", by_number)
