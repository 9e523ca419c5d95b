"""The option audit_logs: what deploys add to the project's policy, share, and take away again."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from google.cloud import resourcemanager_v3
from google.iam.v1.policy_pb2 import AuditLogConfig, Policy
from tests.support.crashes import HURRY, destroy_all
from tests.support.localcloud import RunningCloud, start_cloud
from tests.support.pipeline import Deployer, FastClock
from tests.support.proofs import latest, writes_since

from gpupipe.cloud.call import Caller
from gpupipe.core.errors import GpupipeError
from gpupipe.deploy import audit_claims, destroy
from gpupipe.deploy.action import Verb
from gpupipe.deploy.audit_claims import Claim
from gpupipe.deploy.facts import Facts
from gpupipe.deploy.health import states
from gpupipe.deploy.preflight.finding import Level
from gpupipe.deploy.preflight.project import permissions
from gpupipe.deploy.spec import AUDITED
from gpupipe.deploy.step import World
from gpupipe.deploy.steps import STEPS
from gpupipe.deploy.steps.audit_logs import AuditLogs
from gpupipe.localcloud.kernel.denials import Denial

STEP_KEYS = {"apis", "account:build", "bucket:staging", "audit logs"}
STORAGE, EXECUTIONS = "storage.googleapis.com", "workflowexecutions.googleapis.com"
OURS = {(service, kind): set[str]() for service, kind in AUDITED}
THEIRS = {
    (STORAGE, "DATA_READ"): {"user:a@example.com"},
    ("pubsub.googleapis.com", "ADMIN_READ"): set[str](),
}
Types = dict[tuple[str, str], set[str]]
_numbers = count(1)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    running = start_cloud(tmp_path_factory.mktemp("audited") / "cloud", clock=FastClock())
    yield running
    running.stop()


class Pipelines:
    """Small ones in a project of the test's own, and the project's policy."""

    def __init__(self, cloud: RunningCloud, folder: Path) -> None:
        self.cloud, self.project = cloud, f"audited-project-{next(_numbers)}"
        self.file = folder / "gpupipe.toml"
        self.file.write_text("audit_logs = true\n")
        self.projects: Any = cloud.client(resourcemanager_v3.ProjectsClient)
        self.name = f"projects/{self.project}"

    def one(self, prefix: str = "first", *, audited: bool = True) -> Deployer:
        steps = tuple(step for step in STEPS if step.key in STEP_KEYS)
        file = self.file if audited else None
        return Deployer(self.cloud, FastClock(), self.project, hurry=HURRY, steps=steps,
                        prefix=prefix, file=file)  # fmt: skip

    def deployed(self, prefix: str = "first") -> Deployer:
        one = self.one(prefix)
        assert one.deploy(canary=False).outcome.errors == []
        return one

    def logged(self) -> Types:
        policy = self.projects.get_iam_policy(resource=self.name)
        return {
            (config.service, AuditLogConfig.LogType.Name(one.log_type)): set(one.exempted_members)
            for config in policy.audit_configs
            for one in config.audit_log_configs
        }

    def log(self, types: Types) -> None:
        """What a person does."""
        policy = Policy()
        for (service, kind), exempted in types.items():
            config = policy.audit_configs.add(service=service)
            config.audit_log_configs.add(log_type=kind, exempted_members=exempted)
        request = {
            "resource": self.name,
            "policy": policy,
            "update_mask": {"paths": ["audit_configs"]},
        }
        self.projects.set_iam_policy(request=request)

    def claim(self, one: Deployer) -> Claim | None:
        return audit_claims.own(one.connect().storage, one.spec.names.bucket("staging"))


@pytest.fixture
def pipelines(cloud: RunningCloud, tmp_path: Path) -> Pipelines:
    return Pipelines(cloud, tmp_path)


def kept(one: Deployer) -> list[str]:
    plan = destroy.plan_removal(one.engine().world, keep=frozenset(), parallelism=8)
    return [what for what, why in plan.kept if what.startswith("audit") and why == "shared, kept"]


def state_of_audit_logs(one: Deployer) -> str:
    """What `gpupipe status` calls them."""
    (state,) = (found.state for found in states(one.engine().world) if found.kind == AuditLogs.kind)
    return state


def leave(one: Deployer, caller: Caller | None = None) -> None:
    """What a destroy does of it."""
    AuditLogs().remove(World(one.connect(caller), one.spec, Facts()))


@pytest.mark.promise(123)
def test_what_is_not_logged_yet_is_added_and_taken_away_and_what_is_others_stays(
    pipelines: Pipelines,
) -> None:
    pipelines.one().connect().storage.agent()  # the project comes into being
    pipelines.log(THEIRS)
    before = pipelines.projects.get_iam_policy(resource=pipelines.name).bindings
    first = pipelines.one()
    engine = first.engine()
    assert any("Cloud Logging" in note for note in engine.notes(engine.plan()))
    pipelines.deployed()
    assert pipelines.logged() == {**OURS, **THEIRS}
    after = pipelines.projects.get_iam_policy(resource=pipelines.name).bindings
    assert list(before) == list(after)
    claim = pipelines.claim(first)
    assert claim == Claim(AUDITED - {(STORAGE, "DATA_READ")})
    seen = latest(pipelines.cloud)
    assert first.deploy(canary=False).outcome.done == []
    assert not writes_since(pipelines.cloud, seen)
    assert kept(first) == [f"audit logs {STORAGE} DATA_READ"]
    outcome, left = destroy_all(first, first.connect())
    assert ("audit logs", pipelines.project) in {(one.kind, one.name) for one in outcome.done}
    assert (left, pipelines.logged()) == ((), THEIRS)


@pytest.mark.promise(123)
def test_what_two_pipelines_want_goes_with_the_second(pipelines: Pipelines) -> None:
    first, second = pipelines.deployed(), pipelines.deployed("second")
    assert pipelines.claim(second) == Claim(AUDITED)
    assert kept(first) == [f"audit logs {service} {kind}" for service, kind in sorted(AUDITED)]
    seen = latest(pipelines.cloud)
    assert destroy_all(first, first.connect())[1] == ()
    written = writes_since(pipelines.cloud, seen)
    assert "cloudresourcemanager.projects.setIamPolicy" not in written
    assert pipelines.logged() == OURS
    assert kept(second) == []
    assert destroy_all(second, second.connect())[1] == ()
    assert pipelines.logged() == {}


def test_of_two_that_end_at_once_one_takes_everything_away(pipelines: Pipelines) -> None:
    first, second = pipelines.deployed(), pipelines.deployed("second")
    bucket = first.spec.names.bucket("staging")
    audit_claims.write(first.connect().storage, bucket, Claim(AUDITED, ending=True))
    leave(second)
    assert pipelines.logged() == {}
    # The first was cut off there: a deploy takes its end back.
    (action,) = first.engine().plan().writes
    assert action.changes[-1].field == "removal"
    pipelines.deployed()
    assert (pipelines.logged(), pipelines.claim(first)) == (OURS, Claim(AUDITED))


class Meanwhile(Caller):
    """Somebody else does something right after the policy was changed."""

    def __init__(self, clock: FastClock, then: Callable[[], object]) -> None:
        super().__init__(clock, hurry=HURRY)
        self._then: list[Callable[[], object]] = [then]

    def call(self, what: str, *args: Any, **more: Any) -> Any:
        answer = super().call(what, *args, **more)
        if what == "Changing which calls are logged" and self._then:
            self._then.pop()()
        return answer


def test_who_claims_them_while_another_takes_them_away_gets_them_back(pipelines: Pipelines) -> None:
    first, second = pipelines.deployed(), pipelines.one("second", audited=False)
    second.deploy(canary=False)
    storage, bucket = second.connect().storage, second.spec.names.bucket("staging")
    meanwhile = Meanwhile(first.clock, lambda: audit_claims.write(storage, bucket, Claim(AUDITED)))
    leave(first, meanwhile)
    assert pipelines.logged() == OURS


def test_a_destroy_that_goes_on_keeps_what_tells_that_they_are_ours(pipelines: Pipelines) -> None:
    one, denials = pipelines.deployed(), pipelines.cloud.kernel.denials
    denied = Denial(pipelines.project, "resourcemanager.projects.setIamPolicy")
    denials.revoke(denied)
    outcome, left = destroy_all(one, one.connect(), force=True)
    denials.restore(denied)
    assert {action.step for action, _ in outcome.errors} == {"audit logs", "bucket:staging"}
    assert {found.kind for found in left} == {"audit logs", "bucket"}
    assert destroy_all(one, one.connect())[1] == ()
    assert pipelines.logged() == {}


@pytest.mark.promise(123)
def test_without_the_option_a_deploy_takes_them_away_and_its_plan_says_so(
    pipelines: Pipelines,
) -> None:
    pipelines.deployed()
    pipelines.log({**OURS, **THEIRS})
    plain = pipelines.one(audited=False)
    engine = plain.engine()
    plan = engine.plan()
    assert [(one.kind, one.verb) for one in plan.writes] == [("audit logs", Verb.DELETE)]
    (note,) = engine.notes(plan)
    gone, stays = note.split("Logged all the same")
    assert f"{STORAGE} DATA_WRITE" in gone
    assert f"{STORAGE} DATA_READ" in stays
    assert plain.deploy(canary=False).outcome.errors == []
    assert (pipelines.logged(), pipelines.claim(plain)) == (THEIRS, None)
    assert not plain.engine().plan().writes


def test_one_from_which_somebody_exempted_a_member_stays_theirs(pipelines: Pipelines) -> None:
    one, theirs = pipelines.deployed(), {(STORAGE, "DATA_READ"): {"user:a@example.com"}}
    pipelines.log({**OURS, **theirs})
    assert not one.engine().plan().writes
    assert kept(one) == [f"audit logs {STORAGE} DATA_READ"]
    leave(one)
    assert pipelines.logged() == theirs


def test_what_was_turned_off_by_hand_is_turned_on_again(pipelines: Pipelines) -> None:
    one = pipelines.deployed()
    pipelines.log({(EXECUTIONS, "DATA_READ"): set(), ("allServices", "DATA_WRITE"): set()})
    (action,) = one.engine().plan().writes
    assert [change.field for change in action.changes] == [f"{STORAGE} DATA_READ"]
    assert state_of_audit_logs(one) == "incomplete"
    pipelines.deployed()
    assert state_of_audit_logs(one) == "ready"
    assert (STORAGE, "DATA_WRITE") not in pipelines.logged()
    assert not one.engine().plan().writes


def test_a_deploy_that_was_cut_off_after_its_claim_goes_on(pipelines: Pipelines) -> None:
    pipelines.one(audited=False).deploy(canary=False)
    one, denials = pipelines.one(), pipelines.cloud.kernel.denials
    denied = Denial(pipelines.project, "resourcemanager.projects.setIamPolicy")
    denials.revoke(denied)
    ((_, error),) = one.deploy(canary=False).outcome.errors
    assert "Changing which calls are logged" in str(error)
    assert (pipelines.claim(one), pipelines.logged()) == (Claim(AUDITED), {})
    denials.restore(denied)
    pipelines.deployed()
    assert pipelines.logged() == OURS


def test_doctor_tells_who_could_not_read_them(pipelines: Pipelines) -> None:
    one, denials = pipelines.deployed(), pipelines.cloud.kernel.denials
    denied = Denial(pipelines.project, "logging.privateLogEntries.list")
    denials.revoke(denied)
    try:
        (found,) = permissions(one.engine().world)
        assert found.level is Level.WARNING
        assert "roles/logging.privateLogViewer" in found.fix
        (plain,) = permissions(pipelines.one(audited=False).engine().world)
        assert plain.level is Level.OK
    finally:
        denials.restore(denied)


def test_who_may_not_see_the_policy_is_told_only_where_they_are_asked_for(
    pipelines: Pipelines,
) -> None:
    pipelines.deployed()
    denials = pipelines.cloud.kernel.denials
    denied = Denial(pipelines.project, "resourcemanager.projects.getIamPolicy")
    denials.revoke(denied)
    try:
        with pytest.raises(GpupipeError, match="permission is missing"):
            pipelines.one().engine().plan()
        assert not pipelines.one(audited=False).engine().plan().writes
    finally:
        denials.restore(denied)
