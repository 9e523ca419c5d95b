"""The front door of services: who may call, what is passed on, what is answered instead."""

import base64
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from google.cloud import run_v2
from tests.support.localcloud import CloudFactory, RunningCloud
from tests.support.run_services import RunTester

from gpupipe.localcloud.kernel import internal_traffic
from gpupipe.localcloud.kernel.logs import LogEntry

SEEN = {"message": "seen", "n": 1}


@pytest.fixture(scope="module")
def run(module_cloud: RunningCloud, tmp_path_factory: pytest.TempPathFactory) -> RunTester:
    return RunTester(module_cloud, tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def service(run: RunTester) -> run_v2.Service:
    service = run.deploy("door")
    run.grant(service, f"serviceAccount:{run.account}")
    return service


@pytest.mark.promise("D3")
@pytest.mark.promise(73)
@pytest.mark.promise(115)
def test_the_identity_token_of_an_invoker_gets_through(
    run: RunTester, service: run_v2.Service
) -> None:
    answer = run.get(service, "/some/a%2Fb?x=1")
    assert answer.status_code == 200
    body = answer.json()
    assert body["path"] == "/some/a%2Fb?x=1"
    assert body["headers"]["authorization"].endswith(".SIGNATURE_REMOVED_BY_GOOGLE")
    assert body["headers"]["x-forwarded-for"] == "127.0.0.1"
    assert body["headers"]["traceparent"].count("-") == 3


@pytest.mark.promise(73)
@pytest.mark.promise(116)
def test_no_token_is_403(run: RunTester, service: run_v2.Service) -> None:
    assert run.get(service, Authorization="").status_code == 403


def test_tokens_that_are_no_good_are_401(run: RunTester, service: run_v2.Service) -> None:
    identity = run.cloud.kernel.identity
    wrong_audience = run.id_token(service.uri + "/")
    expired = identity.id_token(run.account, service.uri, lifetime_s=-1)
    access_token = identity.access_token(run.account)[0]
    good, of_another_path = run.id_token(service.uri), run.id_token(f"{service.uri}/some/path")
    other_key = f"{good.rpartition('.')[0]}.{run.id_token('other').rpartition('.')[2]}"
    head, payload, signature = good.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    claims["email"] = run.new_account("forged")
    forged = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    for token in (
        wrong_audience,
        of_another_path,
        expired,
        access_token,
        run.cloud.token,
        "x.y.z",
        other_key,
        f"{head}.{forged}.{signature}",
        f"{head}.{payload}.",
    ):
        answer = run.get(service, Authorization=f"Bearer {token}")
        assert answer.status_code == 401
        assert "invalid_token" in answer.headers["www-authenticate"]


@pytest.mark.promise(44)
def test_another_account_is_403(run: RunTester, service: run_v2.Service) -> None:
    stranger = run.new_account("stranger")
    token = run.id_token(service.uri, stranger)
    assert run.get(service, Authorization=f"Bearer {token}").status_code == 403


def test_the_token_of_a_deleted_account_is_401(run: RunTester, service: run_v2.Service) -> None:
    leaver = run.new_account("leaver")
    run.grant(service, f"serviceAccount:{leaver}")
    token = run.id_token(service.uri, leaver)
    assert run.get(service, Authorization=f"Bearer {token}").status_code == 200
    run.cloud.kernel.identity.delete_account(leaver)
    assert run.get(service, Authorization=f"Bearer {token}").status_code == 401


def test_an_invoker_of_the_project_may_call_every_service(
    run: RunTester, service: run_v2.Service
) -> None:
    caller = run.new_account("caller")
    run.cloud.kernel.policies.grant(
        f"projects/{run.cloud.project}", "roles/run.invoker", f"serviceAccount:{caller}"
    )
    token = run.id_token(service.uri, caller)
    assert run.get(service, Authorization=f"Bearer {token}").status_code == 200


def test_the_serverless_header_wins_and_authorization_passes(
    run: RunTester, service: run_v2.Service
) -> None:
    token = run.id_token(service.uri)
    headers = {"X-Serverless-Authorization": f"Bearer {token}", "Authorization": "Bearer mine"}
    body = run.get(service, **headers).json()
    assert body["headers"]["authorization"] == "Bearer mine"
    assert "x-serverless-authorization" not in body["headers"]


def test_all_users_need_no_token(run: RunTester) -> None:
    public = run.deploy("public")
    run.grant(public, "allUsers")
    assert run.get(public, Authorization="").status_code == 200


def test_what_is_not_there_is_404(run: RunTester, service: run_v2.Service) -> None:
    with httpx.Client(trust_env=False) as client:
        assert client.get(service.uri + "x").status_code == 404


@pytest.mark.promise(116)
@pytest.mark.promise(119)
@pytest.mark.parametrize("ingress", ["INTERNAL_ONLY", "INTERNAL_LOAD_BALANCER"])
def test_internal_ingress_answers_the_project_only(run: RunTester, ingress: str) -> None:
    """The local cloud has no load balancer, so that none lets anybody else in."""
    inner = run.service(run.image())
    inner.ingress = getattr(run_v2.IngressTraffic, f"INGRESS_TRAFFIC_{ingress}")
    service = run.create(f"inner-{ingress[-4:].lower()}", inner).result(timeout=30)
    run.grant(service, f"serviceAccount:{run.account}")
    marker = internal_traffic.marker(run.cloud.token, run.cloud.project)
    assert run.get(service).status_code == 404
    inside = run.get(service, **{internal_traffic.HEADER: marker})
    assert inside.status_code == 200
    assert internal_traffic.HEADER not in inside.json()["headers"]


def test_bodies_are_passed_on_up_to_32_mib(run: RunTester, service: run_v2.Service) -> None:
    headers = {"Authorization": f"Bearer {run.id_token(service.uri)}"}
    with httpx.Client(trust_env=False, timeout=20) as client:
        kept = client.post(service.uri + "/", content=b"x" * (1 << 20), headers=headers)
        assert kept.json() == {"size": 1 << 20}
        large = client.post(service.uri + "/", content=b"x" * ((32 << 20) + 1), headers=headers)
        assert large.status_code == 413


@pytest.mark.promise(61)
def test_a_request_beyond_the_timeout_is_504(run: RunTester) -> None:
    slow = run.deploy("slow", timeout={"nanos": 300_000_000})
    run.grant(slow, f"serviceAccount:{run.account}")
    assert run.get(slow, "/hang").status_code == 504
    assert run.get(slow, "/release").status_code == 200


def test_a_crash_is_503_and_the_next_request_gets_a_new_instance(run: RunTester) -> None:
    service = run.deploy("crash")
    run.grant(service, f"serviceAccount:{run.account}")
    first = run.get(service).json()["pid"]
    assert run.get(service, "/crash").status_code == 503
    assert run.get(service).json()["pid"] != first


@pytest.mark.promise(106)
def test_concurrency_one_starts_a_second_instance(run: RunTester) -> None:
    service = run.deploy("one", max_instance_request_concurrency=1)
    run.grant(service, f"serviceAccount:{run.account}")
    hanging = threading.Thread(target=run.get, args=(service, "/hang"))
    hanging.start()
    run.wait_for_line("one", "hanging")
    assert run.get(service).status_code == 200
    pool = run.pool(service)
    assert pool.count == 2
    pool.stop()
    hanging.join(20)
    assert not hanging.is_alive()


@pytest.mark.promise(96)
@pytest.mark.promise(112)
def test_lines_and_requests_are_logged(run: RunTester, service: run_v2.Service) -> None:
    run.get(service, "/log")
    structured = run.wait_for_entry("door", lambda entry: entry.payload == SEEN)
    assert structured.severity == "WARNING"
    assert structured.log_name.endswith("/logs/run.googleapis.com%2Fstdout")
    assert structured.resource_type == "cloud_run_revision"
    revision = service.latest_ready_revision.rpartition("/")[2]
    run.wait_for_line("door", f"starting {revision}")
    request = run.wait_for_entry("door", lambda entry: _url(entry).endswith("/door/log"))
    assert request.log_name.endswith("/logs/run.googleapis.com%2Frequests")
    assert isinstance(request.payload, dict)
    assert request.payload["httpRequest"]["status"] == 200


def _url(entry: LogEntry) -> str:
    payload = entry.payload if isinstance(entry.payload, dict) else {}
    return str(payload.get("httpRequest", {}).get("requestUrl", ""))


def test_an_injected_fault_is_answered(run: RunTester, service: run_v2.Service) -> None:
    run.cloud.inject("run.services.invoke", "UNAVAILABLE")
    assert run.get(service).status_code == 503
    assert run.get(service).status_code == 200


def test_a_reset_closes_the_connection_of_a_request(
    run: RunTester, service: run_v2.Service
) -> None:
    run.cloud.control("POST", "faults", {"method": "run.services.invoke", "kind": "reset"})
    with pytest.raises(httpx.TransportError):
        run.get(service)
    assert run.get(service).status_code == 200


def test_a_request_that_is_held_up_goes_on_in_time(run: RunTester, service: run_v2.Service) -> None:
    stall = {"method": "run.services.invoke", "kind": "stall", "seconds": 3600}
    run.cloud.control("DELETE", "faults")
    run.cloud.control("POST", "faults", stall)
    with ThreadPoolExecutor() as pool:
        held = pool.submit(run.get, service)
        while not run.cloud.control("GET", "faults")["faults"][0]["consumed"]:
            assert not held.done()
        # The clock may move before the request waits; an hour more each time is enough for both.
        while not held.done():
            run.cloud.control("POST", "clock", {"seconds": 3600})
        assert held.result().status_code == 200


def test_the_folder_of_images_may_have_spaces(
    local_cloud_factory: CloudFactory, tmp_path: Path
) -> None:
    run = RunTester(local_cloud_factory(home=tmp_path / "a cloud's home"), tmp_path)
    service = run.deploy()
    run.grant(service, f"serviceAccount:{run.account}")
    assert run.get(service).json()["cwd"].endswith("/app")
