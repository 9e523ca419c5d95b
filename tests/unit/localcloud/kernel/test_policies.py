import pytest
from google.iam.v1 import policy_pb2
from tests.support.clock import FakeClock

from gpupipe.localcloud.errors import Code, ServiceError
from gpupipe.localcloud.kernel import policy_rules
from gpupipe.localcloud.kernel.kernel import Kernel

RESOURCE = "projects/demo-project/locations/us-central1/services/one"
VIEWER = "roles/run.viewer"


def policy(*members: str, role: str = VIEWER, etag: bytes = b"") -> policy_pb2.Policy:
    return policy_pb2.Policy(bindings=[policy_pb2.Binding(role=role, members=members)], etag=etag)


def set_policy(kernel: Kernel, wanted: policy_pb2.Policy) -> policy_pb2.Policy:
    return kernel.policies.set(RESOURCE, wanted, known_member=kernel.identity.knows)


def refusal(kernel: Kernel, wanted: policy_pb2.Policy) -> ServiceError:
    with pytest.raises(ServiceError) as refused:
        set_policy(kernel, wanted)
    return refused.value


def test_a_resource_without_a_policy_has_an_empty_one_with_an_etag(kernel: Kernel) -> None:
    found = kernel.policies.get(RESOURCE)
    assert not found.bindings
    assert found.etag


def test_read_modify_write_and_then_the_old_etag_is_stale(kernel: Kernel) -> None:
    first = kernel.policies.get(RESOURCE)
    wanted = policy("user:a@example.com", etag=first.etag)
    stored = set_policy(kernel, wanted)
    assert stored.etag != first.etag
    error = refusal(kernel, wanted)
    assert error.code is Code.ABORTED
    assert error.message == (
        "There were concurrent policy changes. "
        "Please retry the whole read-modify-write with exponential backoff."
    )
    assert kernel.policies.get(RESOURCE) == stored


def test_a_policy_without_etag_replaces(kernel: Kernel) -> None:
    set_policy(kernel, policy("user:a@example.com"))
    stored = set_policy(kernel, policy("user:b@example.com"))
    assert list(stored.bindings[0].members) == ["user:b@example.com"]


def test_bindings_are_merged_sorted_and_never_empty(kernel: Kernel) -> None:
    wanted = policy("user:b@example.com", "user:a@example.com")
    wanted.bindings.add(role=VIEWER, members=["user:a@example.com"])
    wanted.bindings.add(role="roles/run.admin")
    stored = set_policy(kernel, wanted)
    assert [(b.role, list(b.members)) for b in stored.bindings] == [
        (VIEWER, ["user:a@example.com", "user:b@example.com"])
    ]


def test_a_service_account_must_exist(kernel: Kernel) -> None:
    email = "someone@demo-project.iam.gserviceaccount.com"
    error = refusal(kernel, policy(f"serviceAccount:{email}"))
    assert error.code is Code.INVALID_ARGUMENT
    assert error.message == f"Service account {email} does not exist."
    kernel.identity.create_account("demo-project", "someone")
    assert set_policy(kernel, policy(f"serviceAccount:{email}")).bindings


def test_an_agent_is_a_known_account_once_it_was_created(kernel: Kernel) -> None:
    email = kernel.agents.agent_email("storage.googleapis.com", "demo-project")
    member = f"serviceAccount:{email}"
    assert refusal(kernel, policy(member, role="roles/run.invoker")).message.endswith(
        "does not exist."
    )
    kernel.agents.create("storage.googleapis.com", "demo-project")
    assert set_policy(kernel, policy(member, role="roles/run.invoker")).bindings


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        (policy("nobody"), Code.INVALID_ARGUMENT),
        (policy("user:no-at"), Code.INVALID_ARGUMENT),
        (policy("deleted:serviceAccount:a@b.iam.gserviceaccount.com"), Code.INVALID_ARGUMENT),
        (policy("user:a@example.com?uid=1"), Code.INVALID_ARGUMENT),
        (policy("user:a@example.com", role="viewer"), Code.INVALID_ARGUMENT),
        (policy("user:a@example.com", role="roles/compute.admin"), Code.UNIMPLEMENTED),
    ],
)
def test_bad_members_and_roles_are_refused(
    kernel: Kernel, wanted: policy_pb2.Policy, code: Code
) -> None:
    assert refusal(kernel, wanted).code is code
    assert not kernel.policies.get(RESOURCE).bindings


def conditional(version: int) -> policy_pb2.Policy:
    wanted = policy("user:a@example.com")
    wanted.version = version
    wanted.bindings[0].condition.expression = "request.time < timestamp('2027-01-01T00:00:00Z')"
    return wanted


def test_conditions_are_refused_by_name(kernel: Kernel) -> None:
    error = refusal(kernel, conditional(3))
    assert error.code is Code.UNIMPLEMENTED
    assert "conditions" in error.message


@pytest.mark.parametrize("version", [0, 1])
def test_a_condition_needs_version_3(kernel: Kernel, version: int) -> None:
    assert refusal(kernel, conditional(version)).code is Code.INVALID_ARGUMENT


def test_without_conditions_any_version_is_written_and_1_is_read(kernel: Kernel) -> None:
    for version in (0, 1, 3):
        wanted = policy("user:a@example.com")
        wanted.version = version
        assert set_policy(kernel, wanted).version == 1
    wanted.version = 2
    assert refusal(kernel, wanted).code is Code.INVALID_ARGUMENT


def test_audit_configurations_of_less_than_a_project_are_refused_by_name(kernel: Kernel) -> None:
    wanted = policy_pb2.Policy()
    wanted.audit_configs.add(service="allServices").audit_log_configs.add(log_type="DATA_READ")
    kernel.policies.set(RESOURCE, wanted, known_member=lambda _: True)  # outside of the mask
    assert not kernel.policies.get(RESOURCE).audit_configs
    with pytest.raises(ServiceError, match="audit configurations in the policies of services"):
        kernel.policies.set(RESOURCE, wanted, known_member=lambda _: True, fields={"audit_configs"})


def test_every_occurrence_of_a_member_counts(kernel: Kernel) -> None:
    wanted = policy(*(f"user:{number}@example.com" for number in range(1_500)))
    assert set_policy(kernel, wanted).bindings
    wanted.bindings.add(role="roles/run.admin", members=["user:0@example.com"])
    error = refusal(kernel, wanted)
    assert error.code is Code.INVALID_ARGUMENT
    assert "(1,501) is larger than the maximum allowed size 1,500" in error.message


def test_a_new_grant_waits_and_the_old_ones_go_on(kernel: Kernel, clock: FakeClock) -> None:
    old, new = "user:a@example.com", "user:b@example.com"
    allowed = kernel.authorizer.allowed
    set_policy(kernel, policy(old))
    kernel.behaviour.propagation_s = 90
    set_policy(kernel, policy(old, new))
    assert allowed(old, "run.services.get", RESOURCE)
    assert not allowed(new, "run.services.get", RESOURCE)
    clock.advance(89)
    assert not allowed(new, "run.services.get", RESOURCE)
    clock.advance(1)
    assert allowed(new, "run.services.get", RESOURCE)


def test_writing_the_same_policy_again_delays_nothing(kernel: Kernel, clock: FakeClock) -> None:
    member = "user:a@example.com"
    kernel.behaviour.propagation_s = 90
    set_policy(kernel, policy(member))
    clock.advance(60)
    set_policy(kernel, policy(member))
    clock.advance(30)
    assert kernel.authorizer.allowed(member, "run.services.get", RESOURCE)


def test_what_is_taken_away_and_given_again_waits_again(kernel: Kernel, clock: FakeClock) -> None:
    member = "user:a@example.com"
    set_policy(kernel, policy(member))
    kernel.behaviour.propagation_s = 90
    set_policy(kernel, policy("user:b@example.com"))
    assert not kernel.authorizer.allowed(member, "run.services.get", RESOURCE)
    set_policy(kernel, policy(member))
    assert not kernel.authorizer.allowed(member, "run.services.get", RESOURCE)


def test_what_the_platform_grants_has_effect_at_once(kernel: Kernel) -> None:
    kernel.behaviour.propagation_s = 90
    kernel.policies.grant(RESOURCE, VIEWER, "user:a@example.com")
    assert kernel.authorizer.allowed("user:a@example.com", "run.services.get", RESOURCE)


@pytest.mark.parametrize("asked", [["run.services.*"], ["*"], ["run.services.fly"], ["run"] * 101])
def test_what_cannot_be_tested(asked: list[str]) -> None:
    with pytest.raises(ServiceError) as refused:
        policy_rules.check_tested(asked)
    assert refused.value.code is Code.INVALID_ARGUMENT


def test_a_deleted_account_stays_visible_and_its_successor_inherits_nothing(
    kernel: Kernel,
) -> None:
    account = kernel.identity.create_account("demo-project", "someone")
    member = f"serviceAccount:{account.email}"
    before = set_policy(kernel, policy(member, "user:a@example.com"))
    kernel.identity.delete_account(account.email)
    found = kernel.policies.get(RESOURCE)
    assert set(found.bindings[0].members) == {
        f"deleted:{member}?uid={account.unique_id}",
        "user:a@example.com",
    }
    assert found.etag != before.etag
    kernel.identity.create_account("demo-project", "someone")
    assert not kernel.authorizer.allowed(member, "run.services.get", RESOURCE)
    # Google takes such a member back in a write; so a reader can send what it read.
    assert set_policy(kernel, found).bindings == found.bindings


def test_resources_with_member(kernel: Kernel) -> None:
    set_policy(kernel, policy("user:a@example.com"))
    assert kernel.policies.resources_with_member("user:a@example.com") == (RESOURCE,)
    kernel.policies.delete(RESOURCE)
    assert kernel.policies.resources_with_member("user:a@example.com") == ()
