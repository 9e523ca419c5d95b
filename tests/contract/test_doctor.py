"""Doctor: what is taken away is named, with what to do; what cannot be told stops nothing."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from google.cloud import billing_v1
from tests.support.crashes import tiny_deployer
from tests.support.localcloud import RunningCloud, start_cloud
from tests.support.pipeline import Deployer, FastClock
from tests.support.quotas import L4

from gpupipe.cloud.org_policies import EffectivePolicy
from gpupipe.cloud.permissions import FOR_LOG_SINK, NEEDED, ROLES, role_for
from gpupipe.cloud.quotas import CPU, MEMORY
from gpupipe.cloud.run import Maximum
from gpupipe.cloud.target import Kind, Target
from gpupipe.commands import _deploy
from gpupipe.context import Context
from gpupipe.core.errors import Exit, GpupipeError
from gpupipe.core.flags import Flags
from gpupipe.deploy.preflight import pipeline, project, quota
from gpupipe.deploy.preflight.checks import Check, preflight, stopping_error
from gpupipe.deploy.preflight.finding import Finding, Level
from gpupipe.deploy.step import World
from gpupipe.localcloud.kernel.caller import OPERATOR
from gpupipe.localcloud.kernel.denials import Denial
from gpupipe.render.output import Output

PROJECT = "doctor-project"
ACCOUNT = f"deployer@{PROJECT}.iam.gserviceaccount.com"
RUN = "run.googleapis.com"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    running = start_cloud(tmp_path_factory.mktemp("doctor") / "cloud", clock=FastClock())
    kernel = running.kernel
    found = kernel.projects.ensure(PROJECT)
    account = kernel.identity.create_account(PROJECT, "deployer")
    kernel.policies.grant(account.name, "roles/iam.serviceAccountTokenCreator", OPERATOR.member)
    for api in ("iamcredentials", "cloudbilling", "orgpolicy", "cloudquotas", "run", "iam"):
        running.enable(f"{api}.googleapis.com", project=PROJECT)
    for role in ROLES:
        if role.needed:
            kernel.policies.grant(found.name, role.name, f"serviceAccount:{ACCOUNT}")
    yield running
    running.stop()


@pytest.fixture
def deployer(cloud: RunningCloud, tmp_path: Path) -> Callable[..., Deployer]:
    def of(text: str = "", account: str | None = None) -> Deployer:
        file = tmp_path / "gpupipe.toml"
        file.write_text(text, encoding="utf-8")
        return replace(tiny_deployer(cloud, PROJECT, file=file), account=account)

    return of


Of = Callable[..., Deployer]


def findings(world: World, *checks: Callable[[World], Iterator[Finding]]) -> Sequence[Finding]:
    return preflight(world, [Check("one", check) for check in checks])


def worst(found: Sequence[Finding]) -> Finding:
    (one,) = [finding for finding in found if finding.level is not Level.OK]
    return one


def test_a_project_where_all_is_well_has_no_blocker(deployer: Of) -> None:
    found = preflight(deployer().engine().world)
    assert {one.level for one in found} <= {Level.OK, Level.WARNING}
    assert stopping_error(found) is None
    assert {one.check for one in found} >= {"billing", "permissions", "quota", "names", "gpu"}
    assert [one.what for one in found if one.check == "credentials"] == [
        "You are the operator of the local cloud."
    ]


def test_exactly_the_documented_roles_hold_what_doctor_asks_for(deployer: Of) -> None:
    found = findings(deployer(account=ACCOUNT).engine().world, project.permissions)
    assert [(one.level, one.what) for one in found] == [
        (Level.OK, f"All {len(NEEDED)} permissions are there.")
    ]
    world = deployer("log_sink = true", account=ACCOUNT).engine().world
    count = len({*NEEDED, *FOR_LOG_SINK})
    assert [one.what for one in findings(world, project.permissions)] == [
        f"All {count} permissions are there."
    ]


@contextmanager
def without(cloud: RunningCloud, role: str) -> Iterator[None]:
    policies, member = cloud.kernel.policies, f"serviceAccount:{ACCOUNT}"
    policy = policies.get(f"projects/{PROJECT}")
    for binding in policy.bindings:
        if binding.role == role:
            binding.members.remove(member)
    policies.put(f"projects/{PROJECT}", policy)
    try:
        yield
    finally:
        policies.grant(f"projects/{PROJECT}", role, member)


SEVEN = frozenset(
    f"roles/{name}"
    for name in (
        "run.admin", "workflows.admin", "storage.admin", "eventarc.admin",
        "cloudbuild.builds.editor", "iam.serviceAccountAdmin", "resourcemanager.projectIamAdmin",
    )
)  # fmt: skip
"""The roles that the recipe names."""


@pytest.mark.parametrize("role", sorted(SEVEN | {role_for(one) for one in NEEDED}))
@pytest.mark.promise(7)
@pytest.mark.promise(8)
@pytest.mark.promise(9)
@pytest.mark.promise(10)
@pytest.mark.promise(11)
@pytest.mark.promise(12)
@pytest.mark.promise(13)
def test_a_role_that_is_missing_is_named_with_its_permissions(
    cloud: RunningCloud, deployer: Of, role: str
) -> None:
    world = deployer(account=ACCOUNT).engine().world
    with without(cloud, role):
        found = worst(findings(world, project.permissions))
    optional = role in {"roles/cloudquotas.viewer", "roles/pubsub.viewer"}
    assert found.level is (Level.WARNING if optional else Level.BLOCKER)
    assert f"--member 'serviceAccount:{ACCOUNT}' --role {role}" in found.fix
    lost = [one for one in NEEDED if role_for(one) == role]
    assert any(one in found.what for one in lost)
    assert optional or found.exit is Exit.CREDENTIALS


def test_each_permission_that_is_missing_is_named_with_its_role(
    cloud: RunningCloud, deployer: Of
) -> None:
    worlds = {
        **dict.fromkeys(NEEDED, deployer().engine().world),
        **dict.fromkeys(FOR_LOG_SINK, deployer("log_sink = true").engine().world),
    }
    assert set(FOR_LOG_SINK) - set(NEEDED) == {
        f"logging.sinks.{verb}" for verb in ("create", "update", "delete")
    }
    for permission, world in worlds.items():
        cloud.kernel.denials.revoke(Denial(PROJECT, permission))
        try:
            found = worst(findings(world, project.permissions))
        finally:
            cloud.kernel.denials.restore(Denial(PROJECT, permission))
        role = role_for(permission)
        assert f" lacks {permission}; {role} holds it." in found.what, permission
        assert f"--role {role}" in found.fix
        assert found.level in {Level.BLOCKER, Level.WARNING}


def test_each_api_that_is_missing_is_named(cloud: RunningCloud, deployer: Of) -> None:
    """A deploy enables it; without the two that tell, that is said and how to have it told."""
    world = deployer().engine().world
    kernel, before = cloud.kernel, world.cloud.service_usage.enabled(PROJECT)
    cloud.enable(*world.spec.apis, project=PROJECT)
    try:
        for api in sorted(world.spec.apis):
            kernel.projects.set_enabled(PROJECT, api, enabled=False)
            (found,) = findings(world, project.apis)
            kernel.projects.set_enabled(PROJECT, api, enabled=True)
            if api == "serviceusage.googleapis.com":
                assert (found.level, f"enable {api}" in found.fix) == (Level.UNKNOWN, True)
            else:
                assert found.what == f"A deploy enables 1 APIs: {api}."
        (found,) = findings(world, project.apis)
        assert found.what == f"All {len(world.spec.apis)} APIs are enabled."
    finally:
        for api in world.spec.apis - before:
            kernel.projects.set_enabled(PROJECT, api, enabled=False)


@pytest.mark.promise(6)
@pytest.mark.promise("S5")
def test_a_project_that_nobody_pays_for_is_a_blocker_and_a_deploy_stops_before_it_writes(
    cloud: RunningCloud, deployer: Of
) -> None:
    client, name = cloud.client(billing_v1.CloudBillingClient), f"projects/{PROJECT}"
    account = client.get_project_billing_info(name=name).billing_account_name
    link = client.update_project_billing_info
    one = deployer()
    try:
        link(name=name, project_billing_info=billing_v1.ProjectBillingInfo(billing_account_name=""))
        found = worst(findings(one.engine().world, project.billing))
        assert (found.level, "Link a billing account" in found.fix) == (Level.BLOCKER, True)
        before = cloud.cloud.pipeline.log.latest()
        with pytest.raises(GpupipeError) as caught:
            _deploy.carry_out(request(), context(one))
        assert "Billing is disabled" in (caught.value.details or "")
        assert caught.value.doc == "reference/errors.md#preflight"
        assert "--skip-preflight" in caught.value.resolution
        with pytest.raises(GpupipeError) as caught:
            _deploy.carry_out(replace(request(), preflight=False), context(one))
        assert caught.value.doc != "reference/errors.md#preflight", "the API's own refusal"
        assert not any(row.writes for row in cloud.cloud.pipeline.log.since(before, 10_000))
    finally:
        mine = billing_v1.ProjectBillingInfo(billing_account_name=account)
        link(name=name, project_billing_info=mine)


def request() -> _deploy.DeployRequest:
    return _deploy.DeployRequest(
        flags=Flags(), yes=True, dry_run=False, exit_code=False, allow_replace=False, adopt=False,
        rollback=True, verify=False, canary=False, parallelism=8, output=Output.JSON,
    )  # fmt: skip


def context(one: Deployer) -> Context:
    target = Target(Kind.LOCAL, PROJECT, "flag", "test")
    clock: Any = one.clock
    return Context(target, one.spec.config, one.spec, clock, one.connect())


@pytest.mark.promise("S25")
def test_a_deploy_that_fails_says_why_and_ends_with_the_code_of_its_error(
    cloud: RunningCloud, deployer: Of, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.inject("serviceusage.services.batchEnable", "PERMISSION_DENIED", times=100)
    asked = replace(request(), preflight=False, output=Output.TEXT)
    try:
        assert _deploy.carry_out(asked, context(deployer())) == Exit.CREDENTIALS
    finally:
        cloud.control("DELETE", "faults")
    told = capsys.readouterr().out
    assert "Not finished: 0 of " in told
    assert "Error: Enabling " in told
    assert "  Next: " in told


@pytest.mark.promise(124)
@pytest.mark.promise("D15")
def test_quotas_are_told_with_the_largest_that_fits_and_where_more_would(
    cloud: RunningCloud, deployer: Of
) -> None:
    """10 L4 are wanted and 3 allowed; elsewhere there are enough."""
    cloud.kernel.quotas.set(PROJECT, RUN, L4, "europe-west4", 12)
    cloud.kernel.quotas.set(PROJECT, RUN, L4, "us-east4", 12)
    for region in ("europe-west4", "europe-north1"):
        cloud.kernel.quotas.set(PROJECT, RUN, CPU, region, 40_000)
        cloud.kernel.quotas.set(PROJECT, RUN, MEMORY, region, 160 * 2**30)
    text = "[gpu_inference]\nmax_instances = 10\n"
    found = [one for one in findings(deployer(text).engine().world, quota.quota) if L4 in one.what]
    (one,) = found
    assert one.level is Level.BLOCKER
    assert "max_instances = 10 does not fit" in one.what
    assert "the largest that fits is 3" in one.what
    assert "Set gpu_inference.max_instances to 3 or less" in one.fix
    # Not us-east4, which has the GPUs and not the CPUs, nor europe-north1, which has no GPUs.
    assert "use a region that would fit: europe-west4;" in one.fix
    assert "https://g.co/cloudrun/gpu-quota" in one.fix

    default = findings(deployer().engine().world, quota.quota)
    assert {one.level for one in default} == {Level.WARNING}, "a default is lowered"


def test_of_cpu_and_memory_too_the_largest_that_fits_and_where_more_would(
    cloud: RunningCloud, deployer: Of
) -> None:
    """25 instances of 1 CPU where 20 are allowed, and 25 of 2Gi where 40Gi are."""
    for region, cpus, gib in (
        ("asia-east1", 25, 50),
        ("asia-east2", 24, 50),
        ("asia-south2", 25, 49),
    ):
        cloud.kernel.quotas.set(PROJECT, RUN, CPU, region, cpus * 1000)
        cloud.kernel.quotas.set(PROJECT, RUN, MEMORY, region, gib * 2**30)
    text = 'preset = "cpu-only"\n[preprocess]\nmax_instances = 25\n'
    found = findings(deployer(text).engine().world, quota.quota)
    for quota_id, amount, most in ((CPU, "20 CPU", 20), (MEMORY, "40Gi", 20)):
        (one,) = [
            one for one in found if one.what.startswith("preprocess") and quota_id in one.what
        ]
        assert one.level is Level.BLOCKER
        assert f"which allows {amount} in us-central1; the largest that fits is {most}." in one.what
        fitting = one.fix.partition("a region that would fit: ")[2].partition(";")[0].split(", ")
        assert "asia-east1" in fitting
        assert not {"asia-east2", "asia-south2", "us-central1"} & set(fitting)
        assert "https://console.cloud.google.com/iam-admin/quotas" in one.fix


def test_quota_is_asked_for_and_then_there(cloud: RunningCloud, deployer: Of) -> None:
    text = (
        'region = "europe-west1"\n[gpu_inference]\nmax_instances = 5\n'
        "[preprocess]\nmax_instances = 2\n[postprocess]\nmax_instances = 2\n"
    )
    world = deployer(text).engine().world
    short = {one.limit.quota: one.wanted for one in quota.shortages(world)}
    assert short[L4] == 5
    for quota_id, wanted in short.items():
        told = world.cloud.quotas.request(
            PROJECT, "europe-west1", quota_id, wanted, "a@example.com"
        )
        assert f"asked for {wanted}, granted {wanted}" in told
    (found,) = findings(world, quota.quota)
    assert found.level is Level.OK


def test_what_cannot_be_told_stops_nothing(cloud: RunningCloud, deployer: Of) -> None:
    world = deployer().engine().world
    cloud.kernel.projects.set_enabled(PROJECT, "orgpolicy.googleapis.com", enabled=False)
    cloud.kernel.projects.set_enabled(PROJECT, "cloudquotas.googleapis.com", enabled=False)
    try:
        found = findings(world, project.policies, quota.quota)
    finally:
        cloud.enable("orgpolicy.googleapis.com", "cloudquotas.googleapis.com", project=PROJECT)
    assert {one.level for one in found} == {Level.UNKNOWN}
    assert "gcloud services enable orgpolicy.googleapis.com" in found[0].fix
    assert stopping_error(found) is None


def test_a_name_that_is_taken_is_a_blocker(cloud: RunningCloud, deployer: Of) -> None:
    one = deployer('prefix = "taken"')
    bucket = one.spec.names.bucket("output")
    cloud.storage_client(project=PROJECT).create_bucket(bucket, location="us-central1")
    found = worst(findings(one.engine().world, pipeline.names))
    assert found.level is Level.BLOCKER
    assert bucket in found.what
    assert "buckets.output.name" in found.fix


def test_a_bucket_of_ours_in_another_project_is_a_blocker(deployer: Of) -> None:
    world = faked(deployer().engine().world, projects=SimpleNamespace(number=lambda _: 7))
    bucket = SimpleNamespace(name="b", project_number=8, labels={}, location="us-central1")
    world = faked(world, storage=SimpleNamespace(get=lambda _: bucket))
    found = list(pipeline._squatted(world))
    assert len(found) == 5
    assert all(one.level is Level.BLOCKER and "another project" in one.what for one in found)


def faked(world: World, **facades: Any) -> World:
    """The world with some facades replaced."""
    return replace(world, cloud=replace(world.cloud, **facades))


POLICIES: list[tuple[str, str, EffectivePolicy, Level, str]] = [
    ("", "run.allowedIngress", EffectivePolicy(allowed=frozenset({"internal"})), Level.BLOCKER, "all"),
    ('ingress = "internal"', "run.allowedIngress",
     EffectivePolicy(allowed=frozenset({"internal"})), Level.OK, ""),
    ("", "gcp.restrictServiceUsage", EffectivePolicy(denied=frozenset({RUN})), Level.BLOCKER, RUN),
    ("", "gcp.restrictServiceUsage", EffectivePolicy(deny_all=True), Level.BLOCKER, RUN),
    ("", "gcp.resourceLocations", EffectivePolicy(denied=frozenset({"us-central1"})),
     Level.BLOCKER, "us-central1"),
    ("", "gcp.resourceLocations", EffectivePolicy(allowed=frozenset({"in:us-central1-locations"})),
     Level.OK, ""),
    ("", "gcp.resourceLocations", EffectivePolicy(allowed=frozenset({"in:eu-locations"})),
     Level.WARNING, "in:eu-locations"),
    ('[vpc]\nnetwork = "n"', "run.allowedVPCEgress",
     EffectivePolicy(allowed=frozenset({"all-traffic"})), Level.BLOCKER, "private-ranges-only"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "constraint", "policy", "level", "words"), POLICIES)
def test_organization_policies_that_bite_are_told(
    deployer: Of, text: str, constraint: str, policy: EffectivePolicy, level: Level, words: str
) -> None:
    def effective(_: str, name: str) -> EffectivePolicy:
        return policy if name == constraint else EffectivePolicy()

    world = faked(deployer(text).engine().world, org_policies=SimpleNamespace(effective=effective))
    found = findings(world, project.policies)
    assert [one.level for one in found if constraint in one.what or level is Level.OK] == [level]
    assert all(words in one.what + one.why for one in found)


def test_old_revisions_count_for_a_first_gpu_and_other_services_share_the_region(
    deployer: Of,
) -> None:
    """The wish of a user whose revisions of long ago, in no file of theirs, were counted."""
    live = SimpleNamespace(service=SimpleNamespace(accelerator=""))
    run = SimpleNamespace(
        get=lambda _: live,
        revision_maxima=lambda _: (
            Maximum("old-00001", 10, "1", "1Gi", ""), Maximum("new-00002", 3, "1", "1Gi", "")
        ),
        maxima=lambda _: (Maximum("somebody-elses", 10, "1", "1Gi", ""),),
    )  # fmt: skip
    text = "".join(
        f"[{name}]\nmax_instances = 2\n" for name in ("preprocess", "gpu_inference", "postprocess")
    )
    world = faked(deployer(text).engine().world, run=run)
    found = worst(findings(world, quota.first_gpu))
    assert "old-00001 may grow to 10" in found.what
    assert "gcloud run revisions delete old-00001" in found.fix
    shared = [one for one in findings(world, quota.quota) if "somebody-elses" in one.what]
    assert {one.level for one in shared} == {Level.WARNING}
    assert any(CPU in one.what for one in shared)


def test_own_sources_and_places_are_checked(deployer: Of) -> None:
    world = deployer('[preprocess]\nsource = "nowhere"').engine().world
    found = worst(findings(world, pipeline.sources))
    assert (found.level, "nowhere" in found.why) == (Level.BLOCKER, True)
    bucket = SimpleNamespace(location="nam4")
    world = faked(
        deployer('[buckets.input]\nname = "mine"').engine().world,
        storage=SimpleNamespace(get=lambda _: bucket),
    )
    assert "nam4" in worst(findings(world, pipeline.places)).what
