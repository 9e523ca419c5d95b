"""Every grant of the pipeline is needed: without it the file fails, in the right place, with a record.

One deployed pipeline for all. A grant is taken away, a file is sent, the grant is given back,
and the file goes through: no input is lost.
"""

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from google.cloud.workflows import executions_v1
from tests.support.pipeline import PROJECT, Deployer, QuickImage, QuickPipeline

from gpupipe.cloud.builds import DeniedBuildError
from gpupipe.deploy.facts import Facts
from gpupipe.deploy.follow import Outcome, Sent, follow
from gpupipe.deploy.step import World

CREATOR, VIEWER, INVOKER = (
    "roles/storage.objectCreator",
    "roles/storage.objectViewer",
    "roles/run.invoker",
)
_names = (f"file-{number}.txt" for number in itertools.count(1))


@pytest.fixture(scope="module")
def pipeline(quick_pipeline: QuickPipeline) -> Deployer:
    # Whatever came before: the tests of the operator's roles end with a destroy.
    quick_pipeline.deployer.deploy(canary=False)
    return quick_pipeline.operator


@dataclass(frozen=True)
class Grant:
    """A role of one of our accounts on a bucket, a service or the project; what fails without it.

    stage, code: of the failure; recorded: whether an error record can be written.
    """

    account: str
    role: str
    on: str
    stage: str = ""
    code: str = ""
    recorded: bool = True

    def __str__(self) -> str:
        return f"{self.account}-{self.role.rpartition('.')[2]}-{self.on}"

    def resource(self, pipeline: Deployer) -> str:
        names = pipeline.spec.names
        if self.on == "project":
            return f"projects/{PROJECT}"
        if self.on == "repository":
            return pipeline.spec.repository.name
        if self.on in {"input", "work", "output", "models", "staging"}:
            return f"projects/_/buckets/{names.bucket(self.on)}"
        return pipeline.spec.service_name(self.on)


DENIED = "storage_permission_denied"
FATAL = (
    Grant("pre", VIEWER, "input", "preprocess", DENIED),
    Grant("pre", CREATOR, "work", "preprocess", DENIED),
    Grant("infer", VIEWER, "work", "inference", DENIED),
    Grant("infer", CREATOR, "work", "inference", DENIED),
    Grant("post", VIEWER, "work", "postprocess", DENIED),
    # It looks first whether the generation has its outcome already.
    Grant("post", VIEWER, "output", "postprocess", DENIED, recorded=False),
    Grant("post", CREATOR, "output", "postprocess", DENIED, recorded=False),
)
UNCALLABLE = (
    Grant("workflow", INVOKER, "preprocess", "preprocess", "status_403"),
    Grant("workflow", INVOKER, "gpu-inference", "inference", "status_403"),
    Grant("workflow", INVOKER, "postprocess", "postprocess", "status_403", recorded=False),
)


@contextmanager
def without(pipeline: Deployer, grant: Grant) -> Iterator[None]:
    """Take a grant away for a while."""
    policies, resource = pipeline.cloud.kernel.policies, grant.resource(pipeline)
    member = pipeline.spec.names.member(grant.account)
    policy = policies.get(resource)
    (binding,) = [one for one in policy.bindings if one.role == grant.role]
    binding.members.remove(member)  # and fails where a deploy has made no such grant
    policies.put(resource, policy)
    try:
        yield
    finally:
        policies.grant(resource, grant.role, member)


def send(pipeline: Deployer, name: str) -> Sent:
    bucket = pipeline.spec.names.bucket("input")
    done = pipeline.connect().storage.upload(
        bucket, name, b"What a wonderful film.", content_type="text/plain"
    )
    return Sent(name, done, 0.0)


def outcome_of(pipeline: Deployer, sent: Sent) -> Outcome:
    """What became of a file, as `test-upload` sees it."""
    spec = pipeline.spec
    (found,) = follow(
        pipeline.connect(),
        spec.workflow_name,
        spec.names.bucket("output"),
        [sent],
        clock=pipeline.clock,
        timeout_s=1800,
    )
    return found


def run_again(pipeline: Deployer, sent: Sent) -> Any:
    """The same generation, started by hand; the execution's result."""
    client = pipeline.cloud.client(executions_v1.ExecutionsClient)
    argument = {"input_file": sent.object.name, "generation": str(sent.object.generation)}
    execution = client.create_execution(
        parent=pipeline.spec.workflow_name,
        execution=executions_v1.Execution(argument=json.dumps(argument)),
    )
    active = executions_v1.Execution.State.ACTIVE
    while execution.state == active:
        pipeline.clock.sleep(1)
        execution = client.get_execution(name=execution.name)
    assert execution.state == executions_v1.Execution.State.SUCCEEDED, execution.error
    return json.loads(execution.result)


def error_records(pipeline: Deployer, name: str) -> list[Any]:
    storage, bucket = pipeline.connect().storage, pipeline.spec.names.bucket("output")
    return [
        json.loads(storage.read(bucket, found.name) or b"")
        for found in storage.objects(bucket, f"errors/{name}.")
    ]


def check_failure(pipeline: Deployer, grant: Grant) -> None:
    with without(pipeline, grant):
        sent = send(pipeline, next(_names))
        failed = outcome_of(pipeline, sent)
    assert failed.state == "failed"
    assert failed.error_class == "system"
    assert failed.error_code == grant.code, failed.reason
    records = error_records(pipeline, sent.object.name)
    assert [record["stage"] for record in records] == ([grant.stage] if grant.recorded else [])
    if not grant.recorded:
        assert "the error record was not written" in log_of_workflow(pipeline)
    # The input is still there, and with the grant it goes through.
    assert run_again(pipeline, sent)["status"] == "success"


def log_of_workflow(pipeline: Deployer) -> str:
    entries = pipeline.cloud.kernel.logs.query(
        PROJECT, where=lambda entry: "Workflow" in entry.resource_type
    )
    return "\n".join(str(entry.payload) for entry in entries)


@pytest.mark.promise(73)
@pytest.mark.parametrize("grant", UNCALLABLE, ids=str)
def test_a_service_that_may_not_be_called(pipeline: Deployer, grant: Grant) -> None:
    check_failure(pipeline, grant)


def test_a_bucket_that_may_not_be_used(pipeline: Deployer) -> None:
    check_failure(pipeline, FATAL[0])


@pytest.mark.long
@pytest.mark.parametrize("grant", FATAL[1:], ids=str)
def test_any_bucket_that_may_not_be_used(pipeline: Deployer, grant: Grant) -> None:
    check_failure(pipeline, grant)


@pytest.mark.parametrize(
    ("role", "permission"),
    [
        ("roles/workflows.invoker", "workflows.executions.create"),
        ("roles/eventarc.eventReceiver", "eventarc.events.receiveEvent"),
    ],
)
def test_an_event_that_may_not_be_delivered_waits(
    pipeline: Deployer, role: str, permission: str
) -> None:
    logs = pipeline.cloud.kernel.logs
    with without(pipeline, Grant("eventarc", role, "project")):
        sent = send(pipeline, next(_names))
        seen = logs.latest()
        while not (entries := refusals(pipeline, permission)):
            assert logs.wait(seen, 20)
            seen = logs.latest()
    assert "was not delivered and is tried again" in str(entries[0].payload)
    pipeline.clock.sleep(60)  # longer than the pause between the first tries
    send(pipeline, "_wakes-the-delivery.txt")  # ignored by the pipeline
    assert outcome_of(pipeline, sent).state == "succeeded"


def refusals(pipeline: Deployer, permission: str) -> list[Any]:
    return [
        entry
        for entry in pipeline.cloud.kernel.logs.query(
            PROJECT, where=lambda one: "eventarc" in one.log_name
        )
        if permission in str(entry.payload)
    ]


@pytest.mark.parametrize(
    "grant",
    [
        # The first run of a file only creates; reading is for the one that finds something there.
        Grant("pre", VIEWER, "work"),
        # The default model is in the image.
        Grant("infer", VIEWER, "models"),
        # The log is not the work.
        Grant("workflow", "roles/logging.logWriter", "project"),
    ],
    ids=str,
)
def test_a_grant_for_another_day(pipeline: Deployer, grant: Grant) -> None:
    before = len(log_of_workflow(pipeline))
    with without(pipeline, grant):
        sent = send(pipeline, next(_names))
        assert outcome_of(pipeline, sent).state == "succeeded"
    if grant.account == "workflow":
        assert len(log_of_workflow(pipeline)) == before


@pytest.mark.promise(43, 113, "D9")
@pytest.mark.promise(77)
@pytest.mark.promise("S21")
def test_every_grant_of_the_pipeline_is_in_this_file(pipeline: Deployer) -> None:
    tested = {(one.account, one.role, one.on) for one in (*FATAL, *UNCALLABLE)} | {
        ("pre", VIEWER, "work"), ("infer", VIEWER, "models"),
        ("workflow", "roles/logging.logWriter", "project"),
        ("eventarc", "roles/workflows.invoker", "project"),
        ("eventarc", "roles/eventarc.eventReceiver", "project"),
    }  # fmt: skip
    spec = pipeline.spec
    given = {
        (role, member, bucket)
        for bucket in ("input", "models", "output", "work")
        for role, member in spec.bucket_roles(bucket)
    }
    given |= {
        (role, member, "project")
        for role, member in spec.project_roles("agent")
        # Those of builds are tested below; the agent is Google's.
        if member not in {"serviceAccount:agent", spec.names.member("build")}
    }
    given |= {(INVOKER, spec.names.member("workflow"), one) for one in
              ("preprocess", "gpu-inference", "postprocess")}  # fmt: skip
    assert {(role, spec.names.member(account), on) for account, role, on in tested} == given


def build(pipeline: Deployer) -> str:
    """One build of the preprocess image, as a deploy makes it; its digest."""
    cloud, spec = pipeline.connect(), pipeline.spec
    step = QuickImage("preprocess")
    request = step._request(World(cloud, spec, Facts()), f"grants-{next(_names)}")
    return cloud.builds.finish(
        spec.names.project,
        cloud.builds.start(request),
        cloud.logging,
        deadline_s=600,
        tell=lambda _: None,
    )


@pytest.mark.parametrize(
    ("role", "on", "permission"),
    [
        (VIEWER, "staging", "storage.objects.get"),
        ("roles/artifactregistry.writer", "repository",
         "artifactregistry.repositories.uploadArtifacts"),
    ],
    ids=["source", "push"],
)  # fmt: skip
def test_a_build_that_may_not_do_its_part(
    pipeline: Deployer, role: str, on: str, permission: str
) -> None:
    with without(pipeline, Grant("build", role, on)):
        with pytest.raises(DeniedBuildError) as caught:
            build(pipeline)
        assert permission in (caught.value.details or "")
    assert build(pipeline).startswith("sha256:")


def test_a_build_without_the_right_to_log_goes_on(pipeline: Deployer) -> None:
    with without(pipeline, Grant("build", "roles/logging.logWriter", "project")):
        assert build(pipeline).startswith("sha256:")
