"""Cloud Audit Logs of the local cloud through official clients: what the policy has on is written."""

from itertools import count
from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud import resourcemanager_v3
from google.cloud.audit.audit_log_pb2 import AuditLog
from google.cloud.logging_v2.services.logging_service_v2 import LoggingServiceV2Client
from google.iam.v1.policy_pb2 import Policy
from tests.support.localcloud import RunningCloud
from tests.support.workflows import WorkflowTester

DATA, ADMIN = ("cloudaudit.googleapis.com%2F" + one for one in ("data_access", "activity"))
STORAGE, EXECUTIONS = "storage.googleapis.com", "workflowexecutions.googleapis.com"
READ, WRITE = "DATA_READ", "DATA_WRITE"
_numbers = count(1)


class Project:
    """A project with a bucket in it, and what its logs say."""

    def __init__(self, cloud: RunningCloud, name: str) -> None:
        self.cloud, self.id, self.name = cloud, name, f"projects/{name}"
        self.bucket = cloud.storage_client(name).create_bucket(f"{name}-data")
        self.logging: Any = cloud.client(LoggingServiceV2Client)

    def set(self, policy: Policy, *fields: str) -> Policy:
        return self.cloud.client(resourcemanager_v3.ProjectsClient).set_iam_policy(
            request={"resource": self.name, "policy": policy, "update_mask": {"paths": fields}}
        )

    def log(self, *types: str, service: str = STORAGE, exempt: tuple[str, ...] = ()) -> Policy:
        """Log these types of a service's calls; none of all the others."""
        policy = Policy()
        if types:
            config = policy.audit_configs.add(service=service)
            for one in types:
                config.audit_log_configs.add(log_type=one, exempted_members=exempt)
        return self.set(policy, "audit_configs")

    def entries(self, log: str = DATA, more: str = "", token: str | None = None) -> list[Any]:
        where = f'logName="{self.name}/logs/{log}" {more}'
        client = self.cloud.client(LoggingServiceV2Client, token) if token else self.logging
        return list(
            client.list_log_entries(request={"resource_names": [self.name], "filter": where})
        )

    def told(self, log: str = DATA, more: str = "") -> list[tuple[str, str, str, int]]:
        """Each entry's method, resource, caller and status."""
        return [
            (one.method_name, one.resource_name, one.authentication_info.principal_email,
             one.status.code)
            for one in map(audit, self.entries(log, more))
        ]  # fmt: skip


def audit(entry: Any) -> AuditLog:
    found = AuditLog()
    assert type(entry).pb(entry).proto_payload.Unpack(found)
    return found


@pytest.fixture
def project(module_cloud: RunningCloud) -> Project:
    return Project(module_cloud, f"audited-{next(_numbers)}")


@pytest.mark.promise(123)
def test_a_read_and_a_write_of_data_are_told_where_the_policy_has_them_on(project: Project) -> None:
    blob = project.bucket.blob("a/b.txt")
    blob.upload_from_string("x")
    assert project.entries() == []
    project.log(READ, WRITE)
    blob.upload_from_string("y")
    blob.download_as_bytes()
    name, operator = f"projects/_/buckets/{project.bucket.name}", "operator@gpupipe.local"
    assert project.told() == [
        ("storage.objects.create", f"{name}/objects/a/b.txt", operator, 0),
        ("storage.objects.get", f"{name}/objects/a/b.txt", operator, 0),
    ]
    first = project.entries()[0]
    assert (first.resource.type, first.severity) == ("gcs_bucket", 200)
    assert dict(first.resource.labels) == {
        "bucket_name": project.bucket.name, "location": "us", "project_id": project.id,
    }  # fmt: skip
    (asked,) = audit(first).authorization_info
    assert (asked.permission, asked.granted) == ("storage.objects.create", True)
    project.log()
    blob.download_as_bytes()
    assert len(project.entries()) == 2


def test_who_is_refused_is_told_and_who_is_exempted_is_not(project: Project) -> None:
    email = f"stranger@{project.id}.iam.gserviceaccount.com"
    token = project.cloud.account_token("stranger", project.id)
    theirs = project.cloud.storage_client(project.id, token).bucket(project.bucket.name)
    project.log(READ)
    with pytest.raises(exceptions.Forbidden):
        theirs.blob("secret").download_as_bytes()
    ((method, _, who, status),) = project.told(more="severity=ERROR")
    assert (method, who, status) == ("storage.objects.get", email, 7)
    assert not audit(project.entries()[0]).authorization_info[0].granted
    # allServices and the service count together, and so do those whom they exempt
    policy = Policy()
    policy.audit_configs.add(service="allServices").audit_log_configs.add(log_type=READ)
    policy.audit_configs.add(service=STORAGE).audit_log_configs.add(
        log_type=READ, exempted_members=[f"serviceAccount:{email}"]
    )
    project.set(policy, "audit_configs")
    with pytest.raises(exceptions.Forbidden):
        theirs.blob("secret").download_as_bytes()
    assert len(project.entries()) == 1
    list(project.bucket.list_blobs())
    assert [one[0] for one in project.told()][1:] == ["storage.objects.list"]


def test_a_resumable_upload_is_told_once(project: Project) -> None:
    project.log(WRITE)
    blob = project.bucket.blob("large.bin", chunk_size=256 * 1024)
    blob.upload_from_string(b"x" * 600 * 1024)
    assert [one[:2] for one in project.told()] == [
        ("storage.objects.create", f"projects/_/buckets/{project.bucket.name}/objects/large.bin")
    ]


@pytest.mark.promise(123)
def test_what_changes_the_project_is_always_told(project: Project) -> None:
    project.bucket.labels = {"a": "b"}
    project.bucket.patch()
    policy = project.bucket.get_iam_policy()
    project.bucket.set_iam_policy(policy)
    name = f"projects/_/buckets/{project.bucket.name}"
    changes = project.told(ADMIN, 'protoPayload.serviceName="storage.googleapis.com"')
    assert [one[:2] for one in changes] == [
        ("storage.buckets.create", name),
        ("storage.buckets.update", name),
        ("storage.setIamPermissions", name),
    ]
    project.log(READ)
    (entry,) = project.entries(ADMIN, 'protoPayload.methodName:"SetIamPolicy"')
    assert audit(entry).resource_name == project.name
    assert entry.severity == 300
    assert project.entries() == []


def test_a_service_agent_that_is_asked_for_is_told(project: Project) -> None:
    place = f"{project.name}/services/eventarc.googleapis.com"
    answer = project.cloud.http_client().post(f"/v1beta1/{place}:generateServiceIdentity", json={})
    assert answer.status_code == 200, answer.text
    (method, resource, *_), *others = project.told(ADMIN, 'protoPayload.methodName:"Identity"')
    assert method == "google.api.serviceusage.v1beta1.ServiceUsage.GenerateServiceIdentity"
    assert (resource, others) == (place, [])


@pytest.mark.promise(123)
def test_executions_are_told_with_who_started_them(module_cloud: RunningCloud) -> None:
    tester = WorkflowTester(module_cloud)
    workflow = tester.deploy("audited", "main: {steps: [{done: {return: 1}}]}").name
    project = Project(module_cloud, module_cloud.project)
    creations = project.told(ADMIN, 'protoPayload.methodName:"CreateWorkflow"')
    assert [one[1] for one in creations] == [workflow]
    project.log(READ, WRITE, service=EXECUTIONS)
    made = tester.executions.create_execution(parent=workflow)
    tester.executions.get_execution(name=made.name)
    start = "google.cloud.workflows.executions.v1.Executions."
    assert [one[:2] for one in project.told()] == [
        (f"{start}CreateExecution", workflow),
        (f"{start}GetExecution", made.name),
    ]


@pytest.mark.promise(123)
def test_who_may_read_logs_may_not_read_who_read_data(project: Project) -> None:
    project.log(READ)
    list(project.bucket.list_blobs())
    grant, member = project.cloud.kernel.policies.grant, "serviceAccount:{}"
    for role, seen in (("viewer", 0), ("privateLogViewer", 1)):
        token = project.cloud.account_token(f"a-{role.lower()}", project.id)
        email = f"a-{role.lower()}@{project.id}.iam.gserviceaccount.com"
        grant(project.name, f"roles/logging.{role}", member.format(email))
        assert len(project.entries(token=token)) == seen
        assert project.entries(ADMIN, token=token)


def test_a_mask_says_what_of_a_policy_is_replaced(project: Project) -> None:
    projects: Any = project.cloud.client(resourcemanager_v3.ProjectsClient)
    read = projects.get_iam_policy(resource=project.name)
    stored = project.log(READ, exempt=("user:a@example.com",))
    assert stored.bindings == read.bindings
    (config,) = stored.audit_configs
    assert list(config.audit_log_configs[0].exempted_members) == ["user:a@example.com"]
    # Without a mask only bindings count (google-api-java-client-services#7988).
    stored.ClearField("audit_configs")
    again = projects.set_iam_policy(request={"resource": project.name, "policy": stored})
    assert list(again.audit_configs) == [config]
    assert projects.get_iam_policy(resource=project.name) == again


def test_nobody_writes_or_deletes_audit_logs(project: Project) -> None:
    log = f"{project.name}/logs/{ADMIN}"
    with pytest.raises(exceptions.MethodNotImplemented):
        project.logging.delete_log(log_name=log)
    entry = {"text_payload": "x", "resource": {"type": "global"}}
    with pytest.raises(exceptions.MethodNotImplemented):
        project.logging.write_log_entries(log_name=log, entries=[entry])
