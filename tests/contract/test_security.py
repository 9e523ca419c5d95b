"""What a stranger on the same machine, or a page in the browser, can do: nothing."""

import json
import os
import socket
from pathlib import Path

import google.auth
import grpc
import httpx
import pytest
import requests
from google.api_core import exceptions
from google.auth.transport.requests import Request as AuthRequest
from google.cloud import run_v2, storage
from tests.support.givens import enabled, runtime_account, token_creator
from tests.support.localcloud import CloudFactory, RunningCloud
from tests.support.world import World

SCOPES = "https://www.googleapis.com/auth/"
CLOUD_PLATFORM = f"{SCOPES}cloud-platform"
PATHS = [
    "/",
    "/control/status",
    "/control/requests",
    "/storage/v1/b?project=gpupipe-local",
    "/upload/storage/v1/b/one/o",
    "/nothing/here",
]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("token", ["", "wrong"])
def test_http_without_a_good_token_is_401(
    module_cloud: RunningCloud, path: str, token: str
) -> None:
    with module_cloud.http_client(token) as client:
        answer = client.get(path)
    assert answer.status_code == 401
    assert answer.json()["error"]["status"] == "UNAUTHENTICATED"
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("path", PATHS)
def test_a_foreign_host_is_421_even_with_the_token(module_cloud: RunningCloud, path: str) -> None:
    with module_cloud.http_client() as client:
        assert client.get(path, headers={"host": "evil.example"}).status_code == 421


@pytest.mark.parametrize(
    "headers", [{"origin": "http://evil.example"}, {"sec-fetch-site": "cross-site"}]
)
@pytest.mark.parametrize("path", ["/control/status", "/run/p/us-central1/one", "/token"])
def test_a_web_page_is_403_even_with_the_token(
    module_cloud: RunningCloud, path: str, headers: dict[str, str]
) -> None:
    with module_cloud.http_client() as client:
        answer = client.post(path, headers=headers)
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers


def test_a_preflight_gets_no_permission(module_cloud: RunningCloud) -> None:
    with module_cloud.http_client("") as client:
        answer = client.options(
            "/control/stop",
            headers={"origin": "http://evil.example", "access-control-request-method": "POST"},
        )
    assert answer.status_code == 403
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize("verb", ["GET", "CONNECT"])
def test_the_proxy_form_dials_nowhere(module_cloud: RunningCloud, verb: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        elsewhere.setblocking(False)
        host = f"127.0.0.1:{elsewhere.getsockname()[1]}"
        target = host if verb == "CONNECT" else f"http://{host}/x"
        refused = proxied(module_cloud, target, host, verb=verb)
        with pytest.raises(BlockingIOError):
            elsewhere.accept()
    assert refused.startswith(b"HTTP/1.1 421")
    assert f"The local cloud is no way to {host}".encode() in refused


@pytest.mark.parametrize(
    "host",
    [
        "compute.gpupipe.test",
        "compute.googleapis.com",
        "storage.googleapis.com.evil.example",
        "evil.example",
        "storage.gpupipe.test@evil.example",
        "x-run.gpupipe.test",
        "",
    ],
)
def test_a_host_that_names_no_api_is_refused_by_name(module_cloud: RunningCloud, host: str) -> None:
    refused = proxied(module_cloud, f"http://{host}/storage/v1/b?project=x", host)
    assert refused.startswith((b"HTTP/1.1 421", b"HTTP/1.1 400"))
    assert host.encode() in refused


@pytest.mark.parametrize(
    "host",
    ["storage.gpupipe.test", "Storage.googleapis.com:80", "us-central1-run.gpupipe.test"],
)
def test_a_host_that_names_an_api_is_served_to_who_has_the_token(
    module_cloud: RunningCloud, host: str
) -> None:
    target = f"http://{host}/storage/v1/b?project={module_cloud.project}"
    assert proxied(module_cloud, target, host).startswith(b"HTTP/1.1 200")
    for token in ("", "wrong"):
        assert proxied(module_cloud, target, host, token=token).startswith(b"HTTP/1.1 401")
    page = "Origin: http://evil.example\r\n"
    assert proxied(module_cloud, target, host, headers=page).startswith(b"HTTP/1.1 403")


def proxied(
    cloud: RunningCloud,
    target: str,
    host: str,
    *,
    verb: str = "GET",
    token: str | None = None,
    headers: str = "",
) -> bytes:
    """The answer to a request in the form for proxies."""
    port = int(cloud.http.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(
            f"{verb} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}"
            f"Authorization: Bearer {cloud.token if token is None else token}\r\n\r\n".encode()
        )
        answer = b""
        while chunk := connection.recv(65_536):
            answer += chunk
    return answer


@pytest.mark.parametrize("token", ["", "wrong"])
def test_grpc_without_a_good_token_is_unauthenticated(
    module_cloud: RunningCloud, token: str
) -> None:
    for method in (
        "/google.cloud.run.v2.Services/GetService",
        "/google.longrunning.Operations/GetOperation",
        "/no.such.Service/Method",
    ):
        with pytest.raises(grpc.RpcError) as refused:
            module_cloud.grpc_channel(token).unary_unary(method, None, None)(b"", timeout=10)
        assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED


def test_both_listeners_are_on_loopback_only(module_cloud: RunningCloud) -> None:
    ours = {int(address.rpartition(":")[2]) for address in (module_cloud.http, module_cloud.grpc)}
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            local, state = line.split()[1], line.split()[3]
            address, _, port = local.partition(":")
            if state == "0A" and int(port, 16) in ours:
                found.add((table, address))
    # 127.0.0.1, plain and as gRPC has it on a socket for both families (little-endian)
    loopback = {("tcp", "0100007F"), ("tcp6", "0000000000000000FFFF00000100007F")}
    assert found
    assert found <= loopback


def test_a_service_account_may_not_use_the_control_surface(module_cloud: RunningCloud) -> None:
    token = module_cloud.account_token("someone")
    with module_cloud.http_client(token) as client:
        for verb, path in (
            ("GET", "status"),
            ("GET", "requests"),
            ("POST", "stop"),
            ("POST", "reset"),
            ("POST", "faults"),
            ("POST", "quota"),
            ("GET", "quotas"),
            ("POST", "permissions"),
            ("POST", "latency"),
            ("POST", "clock"),
        ):
            answer = client.request(verb, f"/control/{path}")
            assert answer.status_code == 403, path
    assert not module_cloud.stop_asked.is_set()


def test_a_token_that_would_do_more_than_its_scopes_say_is_not_made(
    module_cloud: RunningCloud,
) -> None:
    world = World(module_cloud, "scopes-project")
    for given in (enabled, runtime_account, token_creator):
        given(world)
    account = "projects/-/serviceAccounts/runtime@scopes-project.iam.gserviceaccount.com"
    client, narrow = world.client("iamcredentials"), f"{SCOPES}devstorage.read_only"
    for scopes, refused in (([narrow], narrow), ([CLOUD_PLATFORM, "foo"], "foo")):
        request = {"name": account, "scope": scopes}
        with pytest.raises(exceptions.MethodNotImplemented, match=refused):
            client.generate_access_token(request=request, retry=None)
    # Beside the widest scope a narrow one takes nothing away.
    request = {"name": account, "scope": [CLOUD_PLATFORM, narrow, "openid"]}
    answer = client.generate_access_token(request=request, retry=None)
    assert (answer.access_token != "", answer.expire_time.microsecond) == (True, 0)


def test_the_folder_and_its_files_are_private(local_cloud: RunningCloud) -> None:
    assert local_cloud.home.stat().st_mode & 0o777 == 0o700
    for path in local_cloud.home.iterdir():
        allowed = 0o700 if path.is_dir() else 0o600
        assert path.stat().st_mode & 0o777 & ~allowed == 0, path


def test_a_folder_that_others_can_read_is_closed_to_them(
    tmp_path: Path, local_cloud_factory: CloudFactory
) -> None:
    home = tmp_path / "open"
    home.mkdir()
    home.chmod(0o755)
    local_cloud_factory(home=home)
    assert home.stat().st_mode & 0o777 == 0o700


def test_two_clouds_never_share_a_port(tmp_path: Path, local_cloud_factory: CloudFactory) -> None:
    clouds = [local_cloud_factory(home=tmp_path / str(number)) for number in range(3)]
    addresses = {address for cloud in clouds for address in (cloud.grpc, cloud.http)}
    assert len({address.rpartition(":")[2] for address in addresses}) == 6
    # and the one does not take the other's token
    with clouds[0].http_client(clouds[1].token) as client:
        assert client.get("/control/status").status_code == 401
    port = int(clouds[0].grpc.rpartition(":")[2])
    with socket.socket() as thief:
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        with pytest.raises(OSError, match="in use"):
            thief.bind(("127.0.0.1", port))


def test_no_row_of_the_request_log_and_no_log_line_has_a_token(
    local_cloud: RunningCloud, caplog: pytest.LogCaptureFixture
) -> None:
    with local_cloud.http_client() as client:
        client.get("/control/status")
        client.get("/control/status", headers={"authorization": "Bearer a-wrong-token"})
    text = json.dumps(local_cloud.requests()) + caplog.text
    assert local_cloud.token not in text
    assert "a-wrong-token" not in text


class TestCredentialsFile:
    """adc.json: application default credentials for any Google client."""

    def test_it_is_private_and_names_only_loopback(self, module_cloud: RunningCloud) -> None:
        path = module_cloud.home / "adc.json"
        assert path.stat().st_mode & 0o777 == 0o600
        found = json.loads(path.read_text())
        assert found["type"] == "external_account_authorized_user"
        assert found["token_url"] == f"{module_cloud.http}/token"
        assert module_cloud.token not in path.read_text()

    @pytest.mark.filterwarnings("ignore:The load_credentials_from_file method:DeprecationWarning")
    def test_google_auth_refreshes_with_it_and_is_the_operator(
        self, module_cloud: RunningCloud
    ) -> None:
        credentials, _ = google.auth.load_credentials_from_file(str(module_cloud.home / "adc.json"))
        with requests.Session() as session:
            session.trust_env = False
            credentials.refresh(AuthRequest(session))
        assert credentials.valid
        # It asks Google for the caller's locations only when it has an address for the question.
        assert credentials._build_regional_access_boundary_lookup_url() is None
        with module_cloud.http_client(credentials.token) as client:
            assert client.get("/control/status").status_code == 200

    @pytest.mark.parametrize(
        ("form", "error"),
        [
            ({"grant_type": "refresh_token", "refresh_token": "wrong"}, "invalid_grant"),
            ({"grant_type": "refresh_token"}, "invalid_grant"),
            ({"grant_type": "client_credentials"}, "unsupported_grant_type"),
            ({}, "unsupported_grant_type"),
            ({"grant_type": "x" * 20_000}, "invalid_request"),
        ],
    )
    def test_a_wrong_refresh_token_gets_nothing(
        self, module_cloud: RunningCloud, form: dict[str, str], error: str
    ) -> None:
        answer = httpx.post(f"{module_cloud.http}/token", data=form, trust_env=False)
        assert answer.status_code == 400
        assert answer.json()["error"] == error

    def test_it_is_new_for_every_run(
        self, local_cloud: RunningCloud, local_cloud_factory: CloudFactory
    ) -> None:
        first = json.loads((local_cloud.home / "adc.json").read_text())["refresh_token"]
        local_cloud.stop()
        again = local_cloud_factory(home=local_cloud.home)
        assert json.loads((again.home / "adc.json").read_text())["refresh_token"] != first


def test_no_client_looks_for_other_credentials(
    module_cloud: RunningCloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    decoy = tmp_path / "decoy.json"
    decoy.write_text("{not json")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(decoy))
    module_cloud.client(run_v2.ServicesClient)
    assert isinstance(module_cloud.storage_client(), storage.Client)


def test_a_public_key_set_and_no_private_part(module_cloud: RunningCloud) -> None:
    answer = httpx.get(f"{module_cloud.http}/oauth2/v1/certs", trust_env=False)
    (key,) = answer.json()["keys"]
    assert set(key) == {"kty", "alg", "use", "kid", "n", "e"}


def test_an_enormous_control_body_is_refused(module_cloud: RunningCloud) -> None:
    with module_cloud.http_client() as client:
        answer = client.post("/control/faults", content=os.urandom(2 << 20))
    assert answer.status_code == 400
