"""Version 1 of Cloud Run's API, which gcloud speaks: other words for the same services."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from google.cloud import run_v2
from tests.support.localcloud import RunningCloud
from tests.support.run_services import REGION, RunTester
from tests.support.waiting import until

HOST = f"http://{REGION}-run.gpupipe.test"


class Knative:
    """A client that takes the local cloud as its proxy, as gcloud does."""

    def __init__(self, cloud: RunningCloud, folder: Path) -> None:
        self.run = RunTester(cloud, folder)
        self.space = f"{HOST}/apis/serving.knative.dev/v1/namespaces/{cloud.project}"
        headers = {"authorization": f"Bearer {cloud.token}"}
        self.http = httpx.Client(proxy=cloud.http, headers=headers, timeout=30, trust_env=False)

    def object(self, name: str, image: str, **metadata: Any) -> dict[str, Any]:
        """What gcloud would send for a small service."""
        template = {
            "metadata": {
                "labels": {"client.knative.dev/nonce": "one"},
                "annotations": {
                    "autoscaling.knative.dev/maxScale": "2",
                    "run.googleapis.com/cpu-throttling": "False",
                },
            },
            "spec": {
                "serviceAccountName": self.run.account,
                "timeoutSeconds": 60,
                "containers": [{"image": image, "name": "", "resources": {"requests": {}}}],
            },
        }
        return {
            "apiVersion": "serving.knative.dev/v1",
            "kind": "Service",
            "metadata": {"name": name, "labels": {"a": "b"}, **metadata},
            "spec": {"template": template},
            "status": {"address": {}},
        }

    def create(self, body: Any, **query: str) -> httpx.Response:
        return self.http.post(f"{self.space}/services", json=body, params=query)

    def settled(self, name: str) -> run_v2.Service:
        """The service of version 2, once a change has ended."""
        services = self.run.services
        until(lambda: not services.get_service(name=name, timeout=5).reconciling)
        return services.get_service(name=name, timeout=5)

    def get(self, path: str, **query: str) -> Any:
        return self.http.get(f"{self.space}/{path}", params=query).json()


@pytest.fixture(scope="module")
def knative(
    module_cloud: RunningCloud, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Knative]:
    client = Knative(module_cloud, tmp_path_factory.mktemp("images"))
    with client.http:
        yield client


def refused(answer: httpx.Response) -> tuple[int, str]:
    error = answer.json()["error"]
    assert error["code"] == answer.status_code
    return answer.status_code, error["message"]


def test_one_service_in_the_words_of_both(knative: Knative) -> None:
    image = knative.run.image()
    made = knative.create(knative.object("both", image)).json()
    assert [one["status"] for one in made["status"]["conditions"]] == ["Unknown"] * 3
    name = f"{knative.run.parent}/services/both"
    service = knative.settled(name)
    assert (service.template.containers[0].resources.cpu_idle, service.labels["a"]) == (False, "b")
    assert service.template.max_instance_request_concurrency == 80
    found = knative.get("services/both")
    assert found["metadata"]["namespace"] == str(knative.run.cloud.project_number)
    assert found["metadata"]["labels"]["cloud.googleapis.com/location"] == REGION
    assert {one["type"]: one["status"] for one in found["status"]["conditions"]} == {
        "Ready": "True",
        "RoutesReady": "True",
        "ConfigurationsReady": "True",
    }
    revision = service.latest_ready_revision.rpartition("/")[2]
    assert found["status"]["traffic"] == [
        {"percent": 100, "revisionName": revision, "latestRevision": True}
    ]
    assert found["status"]["url"] == service.uri
    # What was read is what may be sent back.
    found["spec"]["template"]["spec"]["containerConcurrency"] = 7
    found["spec"]["template"]["metadata"]["labels"] = {"client.knative.dev/nonce": "two"}
    replaced = knative.http.put(f"{knative.space}/services/both", json=found)
    assert replaced.status_code == 200, replaced.text
    assert knative.settled(name).template.max_instance_request_concurrency == 7
    listed = knative.get("revisions", labelSelector="serving.knative.dev/service = both")["items"]
    assert len(listed) == 2
    (one,) = knative.get("revisions", labelSelector="client.knative.dev/nonce = one")["items"]
    assert one["metadata"]["name"] == revision
    assert knative.get(f"revisions/{revision}")["spec"]["containerConcurrency"] == 80
    # The resourceVersion of before is too old.
    status, _ = refused(knative.http.put(f"{knative.space}/services/both", json=found))
    assert status == 409
    everywhere = f"http://run.gpupipe.test/v1/projects/{knative.run.cloud.project}/locations/-"
    items = knative.http.get(f"{everywhere}/services").json()["items"]
    assert [item["metadata"]["name"] for item in items] == ["both"]
    deleted = knative.http.delete(f"{knative.space}/services/both")
    assert deleted.json()["status"] == "Success"


def test_a_dry_run_makes_nothing(knative: Knative) -> None:
    body = knative.object("dry", knative.run.image())
    assert knative.create(body, dryRun="all").json()["metadata"]["name"] == "dry"
    assert knative.http.get(f"{knative.space}/services/dry").status_code == 404


@pytest.mark.parametrize(
    ("change", "status", "word"),
    [
        ({"kind": "Job"}, 400, "kind"),
        ({"spec": {"colour": 1}}, 400, "spec.colour"),
        ({"spec": {"template": {"spec": {"volumes": [{"name": "v"}]}}}}, 400, "volumes"),
        ({"metadata": {"name": "x", "namespace": "another-project"}}, 400, "namespace"),
        (
            {"metadata": {"name": "x", "annotations": {"run.googleapis.com/ingress": "none"}}},
            400,
            "ingress",
        ),
        (
            {"metadata": {"name": "x", "annotations": {"run.googleapis.com/iap-enabled": "true"}}},
            400,
            "iap-enabled",
        ),
        (
            {"spec": {"template": {"spec": {"containers": [{"image": "i", "tty": True}]}}}},
            400,
            "tty",
        ),
        ({"spec": "text"}, 400, "spec is no object"),
        ({"metadata": {"name": "Not_An_Id"}}, 400, "service id"),
    ],
)
def test_what_has_no_place_is_refused(
    knative: Knative, change: dict[str, Any], status: int, word: str
) -> None:
    answer = knative.create({**knative.object("x", "us-docker.pkg.dev/a/b/c"), **change})
    found = refused(answer)
    assert found[0] == status
    assert word in found[1]


def test_a_namespace_needs_a_region(knative: Knative) -> None:
    space = knative.space.replace(f"{REGION}-", "")
    status, message = refused(knative.http.get(f"{space}/services"))
    assert (status, "regional hosts" in message) == (400, True)


def test_a_host_answers_for_its_api_alone(knative: Knative) -> None:
    path = f"/v1/projects/{knative.run.cloud.project}/locations/-/services"
    status, message = refused(knative.http.get(f"http://eventarc.gpupipe.test{path}"))
    assert (status, "does not emulate" in message) == (400, True)
