"""IAM policies: only our bindings change, conditions and others stay, conflicts are read again."""

from google.iam.v1.policy_pb2 import Policy
from tests.support.clock import FakeClock

from gpupipe.cloud.api import Binding
from gpupipe.cloud.call import Caller
from gpupipe.cloud.errors import ApiError, Refusal
from gpupipe.cloud.policy import bindings_of, edit

OURS, THEIRS = "serviceAccount:ours@p.iam.gserviceaccount.com", "user:them@example.com"
VIEWER, ADMIN = "roles/viewer", "roles/admin"


class Resource:
    """Has a policy; refuses a write with another etag. `race` is written by somebody in between."""

    def __init__(self, policy: Policy, race: Policy | None = None) -> None:
        self.policy, self._race = policy, race
        self.policy.etag = b"1"
        self.reads = self.writes = 0

    def read(self) -> Policy:
        self.reads += 1
        copy = Policy()
        copy.CopyFrom(self.policy)
        if self._race is not None:
            self.policy, self._race = self._race, None
            self.policy.etag = b"2"
        return copy

    def write(self, policy: Policy) -> None:
        if policy.etag != self.policy.etag:
            raise ApiError(Refusal("ABORTED", "", "changed"), what="Setting", resource="r")
        self.writes += 1
        self.policy = policy

    def edit(self, add: set[Binding] = frozenset(), remove: set[Binding] = frozenset()) -> None:  # type: ignore[assignment]
        edit(Caller(FakeClock()), read=self.read, write=self.write, add=add, remove=remove)


def policy(*rows: tuple[str, list[str]], condition: str = "") -> Policy:
    found = Policy()
    for role, members in rows:
        found.bindings.add(role=role, members=members)
    if condition:
        found.bindings.add(role=VIEWER, members=[OURS]).condition.expression = condition
    return found


def test_a_binding_is_added_beside_those_of_others() -> None:
    resource = Resource(policy((VIEWER, [THEIRS])))
    resource.edit(add={(VIEWER, OURS), (ADMIN, OURS)})
    assert bindings_of(resource.policy) == {(VIEWER, THEIRS), (VIEWER, OURS), (ADMIN, OURS)}
    assert len(resource.policy.bindings) == 2
    assert resource.policy.version == 3


def test_what_is_there_already_is_not_written() -> None:
    resource = Resource(policy((VIEWER, [OURS])))
    resource.edit(add={(VIEWER, OURS)}, remove={(ADMIN, OURS)})
    assert (resource.reads, resource.writes) == (1, 0)


def test_a_binding_is_removed_and_an_empty_one_disappears() -> None:
    resource = Resource(policy((VIEWER, [OURS, THEIRS]), (ADMIN, [OURS])))
    resource.edit(remove={(VIEWER, OURS), (ADMIN, OURS)})
    assert bindings_of(resource.policy) == {(VIEWER, THEIRS)}
    assert len(resource.policy.bindings) == 1


def test_a_member_that_stands_in_two_bindings_of_a_role_leaves_both() -> None:
    resource = Resource(policy((VIEWER, [OURS]), (VIEWER, [OURS, THEIRS])))
    resource.edit(remove={(VIEWER, OURS)})
    assert bindings_of(resource.policy) == {(VIEWER, THEIRS)}


def test_conditional_bindings_are_neither_counted_nor_touched() -> None:
    resource = Resource(policy(condition="request.time < timestamp('2027-01-01T00:00:00Z')"))
    assert bindings_of(resource.policy) == frozenset()
    resource.edit(add={(VIEWER, OURS)})
    resource.edit(remove={(VIEWER, OURS)})
    [left] = resource.policy.bindings
    assert left.condition.expression.startswith("request.time")
    assert list(left.members) == [OURS]


def test_a_change_of_somebody_faster_is_kept() -> None:
    resource = Resource(policy(), race=policy((ADMIN, [THEIRS])))
    resource.edit(add={(VIEWER, OURS)})
    assert bindings_of(resource.policy) == {(ADMIN, THEIRS), (VIEWER, OURS)}
    assert (resource.reads, resource.writes) == (2, 1)
