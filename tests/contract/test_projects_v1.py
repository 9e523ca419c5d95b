"""Projects as v1 of Resource Manager has them, which gcloud reads."""

from typing import Any

import pytest
from tests.support.localcloud import RunningCloud

IDS = ("alpha-project", "beta-project", "beta-second")


@pytest.fixture(scope="module")
def cloud(module_cloud: RunningCloud) -> RunningCloud:
    for name in IDS:
        module_cloud.kernel.projects.ensure(name)
    return module_cloud


def listed(cloud: RunningCloud, token: str | None = None, **query: Any) -> Any:
    answer = cloud.http_client(token).get("/v1/projects", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_every_field_that_is_read_is_there(cloud: RunningCloud) -> None:
    number = cloud.kernel.projects.ensure("alpha-project").number
    for named in ("alpha-project", number):
        found = cloud.http_client().get(f"/v1/projects/{named}").json()
        assert found.pop("createTime").endswith("Z")
        assert found == {
            "projectId": "alpha-project",
            "projectNumber": str(number),
            "name": "alpha-project",
            "lifecycleState": "ACTIVE",
        }


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("lifecycleState:ACTIVE AND id:beta-*", ["beta-project", "beta-second"]),
        ("lifecycleState:DELETE_REQUESTED", []),
        ("(projectId=ALPHA-project OR name:beta-second) lifecycleState:ACTIVE",
         ["alpha-project", "beta-second"]),
    ],
)  # fmt: skip
def test_the_list_is_filtered(cloud: RunningCloud, text: str, ids: list[str]) -> None:
    assert [one["projectId"] for one in listed(cloud, filter=text)["projects"]] == ids


def test_the_list_is_paged_and_shows_what_the_caller_may_see(cloud: RunningCloud) -> None:
    first = listed(cloud, pageSize=2, filter="id:alpha-* OR id:beta-*")
    second = listed(
        cloud,
        pageSize=2,
        filter="id:alpha-* OR id:beta-*",
        pageToken=first["nextPageToken"],
    )
    found = [one["projectId"] for page in (first, second) for one in page["projects"]]
    assert found == list(IDS)
    account = cloud.account_token("viewer", "beta-project")
    cloud.kernel.policies.grant(
        "projects/beta-second",
        "roles/run.viewer",
        "serviceAccount:viewer@beta-project.iam.gserviceaccount.com",
    )
    (seen,) = listed(cloud, account)["projects"]
    assert seen["projectId"] == "beta-second"


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"filter": "labels.a:b"}, 501),
        ({"filter": "id>a"}, 501),
        ({"filter": "id:*-project"}, 501),
        ({"filter": "id:("}, 400),
        ({"pageSize": "many"}, 400),
        ({"parent": "x"}, 501),
    ],
)
def test_what_is_not_understood_is_refused(
    cloud: RunningCloud, query: dict[str, str], status: int
) -> None:
    answer = cloud.http_client().get("/v1/projects", params=query)
    assert (answer.status_code, bool(answer.json()["error"]["message"])) == (status, True)


def test_a_project_that_one_may_not_see_is_denied(cloud: RunningCloud) -> None:
    account = cloud.account_token("nobody", "beta-project")
    for name in ("alpha-project", "never-made"):
        answer = cloud.http_client(account).get(f"/v1/projects/{name}")
        assert answer.status_code == 403
