"""Who may deploy: an account with exactly the documented roles can, one with any of them less cannot.

The account is acted as by the code behind --impersonate-service-account.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import pytest
from tests.support.localcloud import RunningCloud
from tests.support.pipeline import ACCOUNT, PROJECT, Deployer, FastClock, QuickPipeline
from tests.support.refusing import latest, writes_since

from gpupipe.cloud.permissions import NEEDED as DOCTORS
from gpupipe.cloud.permissions import ROLES, Role, role_for
from gpupipe.core.errors import Exit, GpupipeError
from gpupipe.deploy import destroy, unproven
from gpupipe.deploy.executor import Outcome
from gpupipe.deploy.spec import APIS
from gpupipe.deploy.unproven import Unproven

RESOURCE = f"projects/{PROJECT}"
NEEDED = [role for role in ROLES if role.needed]


@pytest.mark.promise(24)
def test_exactly_the_documented_roles_are_enough(quick_pipeline: QuickPipeline) -> None:
    deployed = quick_pipeline.deployed
    assert deployed.outcome.errors == []
    assert not deployed.outcome.failed
    assert deployed.canary is not None
    assert deployed.canary.outcome.state == "succeeded"
    callers = {row["caller"] for row in quick_pipeline.cloud.requests() if row["writes"]}
    assert f"serviceAccount:{ACCOUNT}" in callers


@contextmanager
def without(cloud: RunningCloud, role: str) -> Iterator[None]:
    """Take one role away for a while."""
    policies, member = cloud.kernel.policies, f"serviceAccount:{ACCOUNT}"
    policy = policies.get(RESOURCE)
    for binding in policy.bindings:
        if binding.role == role:
            binding.members.remove(member)
    policies.put(RESOURCE, policy)
    try:
        yield
    finally:
        policies.grant(RESOURCE, role, member)


def test_what_is_not_proved_is_proved_by_the_next_deploy(quick_pipeline: QuickPipeline) -> None:
    deployer = quick_pipeline.deployer
    storage, bucket = deployer.connect().storage, deployer.spec.names.bucket("staging")
    assert unproven.read(storage, bucket) is None
    storage.upload(bucket, unproven.NAME, b"no JSON", content_type="application/json")
    plan = deployer.engine().plan()
    assert (plan.writes, plan.unproven) == ((), Unproven())
    done = deployer.deploy()
    assert done.canary is not None
    assert done.canary.outcome.state == "succeeded"
    assert unproven.read(storage, bucket) is None
    before = latest(deployer.cloud)
    assert deployer.deploy().canary is None
    assert writes_since(deployer.cloud, before) == []


@pytest.mark.parametrize("role", NEEDED, ids=lambda role: role.name)
def test_without_one_of_them_the_error_names_the_permission_and_the_role(
    quick_pipeline: QuickPipeline, role: Role
) -> None:
    with something_to_do(quick_pipeline, role.name), without(quick_pipeline.cloud, role.name):
        errors = errors_of(impatient(quick_pipeline.cloud), role.needed)
    assert errors
    for error in errors:
        assert error.exit is Exit.CREDENTIALS, error.details
        assert role.name in error.resolution, (error.brief, error.details)
        permission = error.resolution.partition("(it holds ")[2].partition(")")[0]
        assert role_for(permission) == role.name
        # Cloud Run's text has the permission in other letters.
        assert permission.lower() in (error.details or "").lower()


@contextmanager
def something_to_do(pipeline: QuickPipeline, role: str) -> Iterator[None]:
    """Make a deploy need the role, where it does not need it only to look."""
    spec, kernel = pipeline.spec, pipeline.cloud.kernel
    account = spec.account("eventarc")
    if role in {"roles/cloudbuild.builds.editor", "roles/iam.serviceAccountUser"}:
        untag(pipeline.cloud, spec.repository.name, "preprocess")
    if role == "roles/serviceusage.serviceUsageAdmin":
        kernel.projects.set_enabled(PROJECT, "pubsub.googleapis.com", enabled=False)
    if role == "roles/iam.serviceAccountAdmin":
        kernel.identity.delete_account(account.email)
    try:
        yield
    finally:
        give_back(pipeline)


def give_back(pipeline: QuickPipeline) -> None:
    """Undo what made something to do."""
    spec, kernel = pipeline.spec, pipeline.cloud.kernel
    account = spec.account("eventarc")
    kernel.projects.set_enabled(PROJECT, "pubsub.googleapis.com", enabled=True)
    if kernel.identity.account(account.email) is None:
        account_id = spec.names.account_id("eventarc")
        kernel.identity.create_account(
            PROJECT, account_id, account.display_name, account.description
        )


def impatient(cloud: RunningCloud) -> Deployer:
    """Gives up on a missing right in no time."""
    return Deployer(cloud, FastClock(400.0), PROJECT, account=ACCOUNT, hurry=1.0)


def untag(cloud: RunningCloud, repository: str, name: str) -> None:
    """Let no tag name any image of a name."""
    for image in cloud.kernel.images.list(repository):
        for tag in image.tags if image.image == name else ():
            cloud.kernel.images.untag(repository, name, tag)


def errors_of(one: Deployer, command: str) -> list[GpupipeError]:
    """What a deploy fails with, its plan or its steps; or the look at what a destroy leaves."""
    try:
        if command == "destroy":
            destroy.inventory(one.engine().world, keep=frozenset(), parallelism=8)
            return []
        done = one.deploy(canary=False)
    except GpupipeError as error:
        return [error]
    return [error for _, error in done.outcome.errors]


@pytest.fixture(scope="module")
def destroyed(quick_pipeline: QuickPipeline) -> Outcome:
    """For the last tests of all that use the pipeline: it is gone afterwards."""
    one = quick_pipeline.deployer
    world = one.engine().world
    removal = destroy.plan_removal(world, keep=frozenset(), parallelism=8)
    return destroy.remove(
        world,
        removal,
        lambda _: nullcontext(lambda _: None),
        clock=one.clock,
        parallelism=8,
        cancel=threading.Event(),
        force=False,
    )


@pytest.mark.promise("S66")
def test_the_roles_are_enough_to_destroy(quick_pipeline: QuickPipeline, destroyed: Outcome) -> None:
    world = quick_pipeline.deployer.engine().world
    assert destroyed.errors == []
    assert destroy.inventory(world, keep=frozenset(), parallelism=8) == ()
    assert world.cloud.service_usage.enabled(PROJECT) >= APIS


@pytest.mark.usefixtures("destroyed")
def test_doctor_asks_for_every_permission_that_deploys_and_destroys_needed(
    quick_pipeline: QuickPipeline,
) -> None:
    """After the destroy: every method that the account called, with the permissions of each."""
    cloud = quick_pipeline.cloud
    of_method: dict[str, set[str]] = {}
    for surface in cloud.cloud.surfaces:
        for method, permission in surface.permissions():
            of_method.setdefault(method, set()).add(permission)
    called = {
        row.method
        for row in cloud.cloud.pipeline.log.since(0, 100_000)
        if row.caller == f"serviceAccount:{ACCOUNT}"
    }
    asked = {one for method in called for one in of_method.get(method, ())} - {""}
    optional = {
        one for one in asked if any(role.name == role_for(one) for role in ROLES if not role.needed)
    }
    assert asked - optional - set(DOCTORS) == set()
    assert len(asked & set(DOCTORS)) > 40
    # The rest: changes of what is there, of which these runs had none, and a look at one execution.
    unasked = {one for one in set(DOCTORS) - asked if not one.endswith((".update", ".list"))}
    assert unasked == {"workflows.executions.get"}
