"""Workflows v1 through the official client: deploying sources, revisions, who may use an account."""

from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud import workflows_v1
from google.protobuf.field_mask_pb2 import FieldMask
from tests.support.localcloud import RunningCloud
from tests.support.workflows import WorkflowTester, moment

SOURCE = "main:\n  steps:\n    - done:\n        return: 1\n"


@pytest.fixture
def tester(local_cloud: RunningCloud) -> WorkflowTester:
    return WorkflowTester(local_cloud)


def test_a_created_workflow_is_active_and_found(tester: WorkflowTester) -> None:
    created = tester.deploy("flow", SOURCE, labels={"a": "b"}, user_env_vars={"URL": "x"})
    assert created.name == f"{tester.parent}/workflows/flow"
    assert created.state == workflows_v1.Workflow.State.ACTIVE
    assert created.service_account.rpartition("/")[2] == tester.account
    assert created.revision_id.startswith("000001-")
    assert len(created.revision_id) == len("000001-a4d")
    times = (created.create_time, created.revision_create_time, created.update_time)
    first, revised, last = map(moment, times)
    assert first <= revised <= last
    assert tester.workflows.get_workflow(name=created.name, timeout=5) == created


def test_lists_go_page_by_page(tester: WorkflowTester) -> None:
    names = [tester.deploy(f"flow-{number}", SOURCE).name for number in range(3)]
    request = {"parent": tester.parent, "page_size": 2}
    pages = list(tester.workflows.list_workflows(request=request, timeout=5).pages)
    assert [[one.name for one in page.workflows] for page in pages] == [names[:2], names[2:]]


def test_lists_are_filtered_and_ordered_by_what_workflows_have(tester: WorkflowTester) -> None:
    one = tester.deploy("one", SOURCE, labels={"team": "a"})
    two = tester.deploy("two", SOURCE, labels={"team": "b"})

    def listed(**request: Any) -> list[str]:
        asked = {"parent": tester.parent, **request}
        return [found.name for found in tester.workflows.list_workflows(request=asked, timeout=10)]

    assert listed(filter='labels.team="b"') == [two.name]
    assert listed(filter='state="ACTIVE" AND createTime>"2023-08-01"') == [one.name, two.name]
    assert listed(filter='state="UNAVAILABLE" OR NOT labels.team="b"') == [one.name]
    assert listed(order_by="name desc", page_size=1) == [two.name, one.name]
    assert listed(order_by="state, createTime asc") == [one.name, two.name]
    for wrong in ({"filter": 'colour="red"'}, {"order_by": "colour"}, {"order_by": "name up"}):
        with pytest.raises(exceptions.InvalidArgument):
            listed(**wrong)


def test_a_workflow_exists_once_until_it_is_deleted(tester: WorkflowTester) -> None:
    created = tester.deploy("flow", SOURCE)
    with pytest.raises(exceptions.AlreadyExists):
        tester.deploy("flow", SOURCE)
    tester.workflows.delete_workflow(name=created.name, timeout=5).result(timeout=5)
    with pytest.raises(exceptions.NotFound):
        tester.workflows.get_workflow(name=created.name, timeout=5)
    assert tester.deploy("flow", SOURCE).revision_id.startswith("000001-")


def test_a_revision_comes_only_with_what_runs(tester: WorkflowTester) -> None:
    created = tester.deploy("flow", SOURCE, labels={"a": "b"})
    labelled = tester.update(created.name, labels={"c": "d"})
    assert dict(labelled.labels) == {"c": "d"}
    assert labelled.revision_id == created.revision_id
    changed = tester.update(created.name, source_contents=SOURCE.replace("1", "2"))
    assert changed.revision_id.startswith("000002-")
    assert changed.source_contents.endswith("return: 2\n")
    assert dict(changed.labels) == {"c": "d"}
    varied = tester.update(created.name, user_env_vars={"URL": "y"})
    assert varied.revision_id.startswith("000003-")


def test_a_mask_changes_only_what_it_names(tester: WorkflowTester) -> None:
    created = tester.deploy("flow", SOURCE, description="first")
    change = workflows_v1.Workflow(name=created.name, description="second", labels={"a": "b"})
    mask = FieldMask(paths=["description"])
    request: dict[str, Any] = {"workflow": change, "update_mask": mask}
    updated = tester.workflows.update_workflow(request=request, timeout=5).result(timeout=5)
    assert (updated.description, dict(updated.labels)) == ("second", {})
    assert updated.source_contents == SOURCE
    request["update_mask"] = FieldMask(paths=["colour"])
    with pytest.raises(exceptions.InvalidArgument):
        tester.workflows.update_workflow(request=request, timeout=5)


def test_an_update_without_a_mask_takes_the_whole(tester: WorkflowTester) -> None:
    created = tester.deploy("flow", SOURCE, description="first", labels={"a": "b"})
    change = workflows_v1.Workflow(
        name=created.name, source_contents=SOURCE, service_account=tester.account
    )
    request = workflows_v1.UpdateWorkflowRequest(workflow=change)
    updated = tester.workflows.update_workflow(request=request, timeout=5).result(timeout=5)
    assert (updated.description, dict(updated.labels)) == ("", {})
    assert updated.revision_id == created.revision_id


def test_old_revisions_are_kept_and_listed_newest_first(tester: WorkflowTester) -> None:
    first = tester.deploy("flow", SOURCE, labels={"a": "b"})
    second = tester.update(first.name, source_contents=SOURCE.replace("1", "2"))
    third = tester.update(first.name, user_env_vars={"A": "b"})
    tester.update(first.name, labels={"c": "d"})
    request = {"name": first.name, "page_size": 2}
    pager = tester.workflows.list_workflow_revisions(request=request, timeout=5)
    pages = [[one.revision_id for one in page.workflows] for page in pager.pages]
    assert pages == [[third.revision_id, second.revision_id], [first.revision_id]]
    request = {"name": first.name, "revision_id": first.revision_id}
    old = tester.workflows.get_workflow(request=request, timeout=5)
    assert (old.source_contents, dict(old.user_env_vars)) == (SOURCE, {})
    # labels belong to the workflow
    assert dict(old.labels) == {"c": "d"}
    request = {"name": first.name, "revision_id": "000009-abc"}
    with pytest.raises(exceptions.NotFound):
        tester.workflows.get_workflow(request=request, timeout=5)
    tester.workflows.delete_workflow(name=first.name, timeout=5).result(timeout=5)
    again = tester.deploy("flow", SOURCE)
    listed = tester.workflows.list_workflow_revisions(request={"name": again.name}, timeout=5)
    assert [one.revision_id for one in listed] == [again.revision_id]


def test_a_wrong_source_is_refused_with_its_lines(tester: WorkflowTester) -> None:
    source = "main:\n  steps:\n    - one:\n        next: nowhere\n    - two:\n        call: what\n"
    with pytest.raises(exceptions.InvalidArgument, match=r"(?s)line 4.*nowhere.*line 6.*what"):
        tester.deploy("flow", source)
    with pytest.raises(exceptions.NotFound):
        tester.workflows.get_workflow(name=f"{tester.parent}/workflows/flow", timeout=5)


@pytest.mark.parametrize(
    "wrong",
    [
        {"labels": {"Upper": "x"}},
        {"labels": {"1st": "x"}},
        {"user_env_vars": {"GOOGLE_X": "x"}},
        {"user_env_vars": {"WORKFLOWS_X": "x"}},
        {"user_env_vars": {f"V{number}": "x" for number in range(21)}},
        {"user_env_vars": {"BIG": "x" * 4097}},
        {"description": "x" * 1001},
        {"service_account": "nobody@x.iam.gserviceaccount.com"},
    ],
)
def test_what_google_refuses_is_refused(tester: WorkflowTester, wrong: dict[str, Any]) -> None:
    with pytest.raises(exceptions.InvalidArgument):
        tester.deploy("flow", SOURCE, **wrong)


@pytest.mark.parametrize("workflow_id", ["", "1st", "ends-", "has space", "x" * 65])
def test_ids_have_a_form(tester: WorkflowTester, workflow_id: str) -> None:
    with pytest.raises(exceptions.InvalidArgument):
        tester.deploy(workflow_id, SOURCE)


def test_a_location_must_exist(tester: WorkflowTester) -> None:
    tester.region = "mars-north1"
    with pytest.raises(exceptions.NotFound):
        tester.deploy("flow", SOURCE)


def test_who_deploys_must_be_allowed_to_act_as_the_account(tester: WorkflowTester) -> None:
    token = tester.cloud.account_token("deployer")
    member = f"serviceAccount:deployer@{tester.cloud.project}.iam.gserviceaccount.com"
    project = f"projects/{tester.cloud.project}"
    tester.cloud.kernel.policies.grant(project, "roles/workflows.editor", member)
    with pytest.raises(exceptions.PermissionDenied, match="actAs"):
        tester.deploy("flow", SOURCE, token=token)
    tester.cloud.kernel.policies.grant(project, "roles/iam.serviceAccountUser", member)
    assert tester.deploy("flow", SOURCE, token=token).name.endswith("/flow")


def test_a_fresh_project_has_no_service_agent(local_cloud: RunningCloud) -> None:
    tester = WorkflowTester(local_cloud, agent=False)
    with pytest.raises(exceptions.GoogleAPICallError, match="service agent does not exist"):
        tester.deploy("flow", SOURCE)
