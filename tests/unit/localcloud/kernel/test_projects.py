import pytest
from tests.support.clock import FakeClock

from gpupipe.localcloud.errors import Code, ServiceError
from gpupipe.localcloud.kernel.caller import OPERATOR
from gpupipe.localcloud.kernel.kernel import Kernel


def test_a_number_has_twelve_digits_and_is_the_same_after_a_reset(kernel: Kernel) -> None:
    first = kernel.projects.ensure("some-project")
    kernel.database.clear()
    assert kernel.projects.get("some-project") is None
    assert kernel.projects.ensure("some-project").number == first.number
    assert len(str(first.number)) == 12


def test_a_project_is_found_by_id_and_by_number(kernel: Kernel) -> None:
    project = kernel.projects.ensure("demo-project")
    assert kernel.projects.get(str(project.number)) == project
    assert kernel.projects.get("demo-project") == project
    assert kernel.projects.get("other-project") is None


@pytest.mark.parametrize(
    "bad", ["short", "1-begins-with-digit", "ends-", "Upper-case", "a" * 31, "a.com:p", ""]
)
def test_a_bad_id_is_refused(kernel: Kernel, bad: str) -> None:
    with pytest.raises(ServiceError) as refused:
        kernel.projects.ensure(bad)
    assert refused.value.code is Code.INVALID_ARGUMENT


def test_a_new_project_belongs_to_the_operator_and_has_the_first_apis(kernel: Kernel) -> None:
    policy = kernel.policies.get("projects/demo-project")
    roles = {binding.role for binding in policy.bindings if OPERATOR.member in binding.members}
    assert roles == {"roles/owner", "roles/storage.admin"}
    enabled = kernel.projects.enabled_apis("demo-project")
    assert "serviceusage.googleapis.com" in enabled
    assert "run.googleapis.com" not in enabled


def test_enabling_and_disabling(kernel: Kernel) -> None:
    api = "run.googleapis.com"
    kernel.projects.set_enabled("demo-project", api, enabled=True)
    kernel.projects.set_enabled("demo-project", api, enabled=True)
    assert kernel.projects.is_enabled("demo-project", api)
    kernel.projects.set_enabled("demo-project", api, enabled=False)
    assert not kernel.projects.is_enabled("demo-project", api)


def test_an_api_enabled_by_a_caller_is_usable_after_the_delay(
    kernel: Kernel, clock: FakeClock
) -> None:
    api = "run.googleapis.com"
    kernel.behaviour.propagation_s = 90
    kernel.projects.enable("demo-project", api)
    assert kernel.projects.is_enabled("demo-project", api)
    assert not kernel.projects.is_usable("demo-project", api)
    clock.advance(60)
    kernel.projects.enable("demo-project", api)  # no change, so no new delay
    clock.advance(30)
    assert kernel.projects.is_usable("demo-project", api)
