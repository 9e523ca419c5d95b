"""What an instance is given: its environment, its account's tokens, and nothing of the user's."""

import base64
import json
import sysconfig
from pathlib import Path

import httpx
import pytest
from google.cloud import run_v2
from tests.support.localcloud import RunningCloud
from tests.support.run_services import RunTester

AUTH = """
import http.server, json, os
import google.auth, google.auth.transport.requests
from google.cloud import storage
from google.oauth2 import id_token

def lookup(credentials, request):
    try:
        return credentials._lookup_regional_access_boundary(request, fail_fast=True)
    except Exception as error:
        return repr(error)

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = {}
        if self.path == "/auth":
            credentials, project = google.auth.default()
            request = google.auth.transport.requests.Request()
            credentials.refresh(request)
            client = storage.Client(project=project)
            blob = client.bucket("decoy-test-bucket").blob("from-service")
            blob.upload_from_string(b"hello", if_generation_match=0)
            body = {
                "kind": type(credentials).__module__, "email": credentials.service_account_email,
                "project": project, "id_token": id_token.fetch_id_token(request, "https://a.invalid"),
                "host": client._connection.API_BASE_URL,
                "lookup": lookup(credentials, request),
            }
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


@pytest.fixture
def run(local_cloud: RunningCloud, tmp_path: Path) -> RunTester:
    return RunTester(local_cloud, tmp_path)


def test_the_environment_is_made_from_nothing(
    run: RunTester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_USER", "x")
    service = run.service(run.image(env={"APP": "/app/server.py", "PATH": "/app/bin:/usr/bin"}))
    service.template.containers[0].env = [run_v2.EnvVar(name="INPUT_BUCKET", value="in")]
    created = run.create("svc", service).result(timeout=30)
    run.grant(created, f"serviceAccount:{run.account}")
    environ = run.get(created).json()["environ"]
    revision = created.latest_ready_revision.rpartition("/")[2]
    assert (environ["K_SERVICE"], environ["K_CONFIGURATION"]) == ("svc", "svc")
    assert (environ["K_REVISION"], environ["INPUT_BUCKET"]) == (revision, "in")
    assert environ["API_ENDPOINT_OVERRIDE"] == run.cloud.http
    assert environ["GCE_METADATA_HOST"] == environ["GCE_METADATA_IP"]
    assert (
        int(environ["GCE_METADATA_TIMEOUT"]) >= 30
    )  # the library's own 3 s end a start under load
    assert Path(environ["APP"]).is_relative_to(run.cloud.home / "images")
    assert Path(environ["HOME"]).is_relative_to(run.cloud.home / "instances")
    assert Path(environ["HOME"]).stat().st_mode & 0o777 == 0o700
    assert "SECRET_OF_THE_USER" not in environ
    allowed = {
        "PORT",
        "HOST",
        "TMPDIR",
        "PATH",
        "https://iamcredentials.googleapis.com_proxy",
        "LC_CTYPE",
    }
    known = {"K_SERVICE", "K_REVISION", "K_CONFIGURATION", "INPUT_BUCKET", "APP", "HOME"}
    libraries = {"API_ENDPOINT_OVERRIDE", "GCE_METADATA_HOST", "GCE_METADATA_IP"}
    libraries |= {"GCE_METADATA_TIMEOUT"}
    assert set(environ) <= allowed | known | libraries


@pytest.mark.promise(31)
@pytest.mark.promise(82)
def test_an_l4_is_emulated_and_said_so(run: RunTester) -> None:
    service = run.service(run.image())
    service.template.node_selector = run_v2.NodeSelector(accelerator="nvidia-l4")
    service.template.gpu_zonal_redundancy_disabled = True
    container = service.template.containers[0]
    container.env = [run_v2.EnvVar(name="DEVICE", value="cuda")]
    container.resources = run_v2.ResourceRequirements(
        limits={"cpu": "4", "memory": "16Gi", "nvidia.com/gpu": "1"}
    )
    created = run.create("gpu", service).result(timeout=30)
    run.grant(created, f"serviceAccount:{run.account}")
    environ = run.get(created).json()["environ"]
    assert environ["DEVICE"] == "cpu"
    assert environ["GPUPIPE_EMULATED_ACCELERATOR"] == "nvidia-l4"
    assert created.template.containers[0].env[0].value == "cuda"


def test_plain_google_auth_gets_the_services_account_and_no_decoy(
    run: RunTester, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    decoy = {
        "type": "authorized_user",
        "client_id": "d",
        "client_secret": "d",
        "refresh_token": "d",
    }
    gcloud = tmp_path / "home" / ".config" / "gcloud"
    gcloud.mkdir(parents=True)
    for path in (tmp_path / "decoy.json", gcloud / "application_default_credentials.json"):
        path.write_text(json.dumps(decoy))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "decoy.json"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://decoy.invalid")
    bucket = run.cloud.storage_client().create_bucket("decoy-test-bucket", location="us-central1")
    policy = bucket.get_iam_policy(requested_policy_version=3)
    member = f"serviceAccount:{run.account}"
    policy.bindings.append({"role": "roles/storage.objectAdmin", "members": {member}})
    bucket.set_iam_policy(policy)
    site = sysconfig.get_paths()["purelib"]
    created = run.create("svc", run.service(run.image(AUTH, env={"PYTHONPATH": site})))
    service = created.result(timeout=60)
    run.grant(service, member)
    answer = run.get(service, "/auth")
    assert answer.status_code == 200
    body = answer.json()
    assert body["kind"] == "google.auth.compute_engine.credentials"
    assert (body["email"], body["project"]) == (run.account, run.cloud.project)
    assert body["host"] == run.cloud.http
    # google.auth's question to Google ends in the process: there is no connection to refuse.
    assert "InvalidProxyURL" in body["lookup"]
    assert bucket.blob("from-service").download_as_bytes() == b"hello"
    claims = json.loads(base64.urlsafe_b64decode(body["id_token"].split(".")[1] + "=="))
    assert (claims["aud"], claims["email"]) == ("https://a.invalid", run.account)


def test_the_metadata_server_answers_living_instances_only(run: RunTester) -> None:
    service = run.deploy()
    run.grant(service, f"serviceAccount:{run.account}")
    environ = run.get(service).json()["environ"]
    root = f"http://{environ['GCE_METADATA_HOST']}"
    flavor = {"Metadata-Flavor": "Google"}
    with httpx.Client(trust_env=False) as client:

        def ask(path: str, **headers: str) -> httpx.Response:
            return client.get(f"{root}/computeMetadata/v1/{path}", headers=headers or flavor)

        ping = client.get(root, headers=flavor)
        assert (ping.status_code, ping.headers["metadata-flavor"]) == (200, "Google")
        assert ask("project/project-id").text == run.cloud.project
        assert ask("project/numeric-project-id").text == str(run.cloud.project_number)
        assert ask("instance/region").text.endswith("/regions/us-central1")
        accounts = ask("instance/service-accounts/?recursive=true").json()
        assert accounts["default"]["email"] == run.account
        assert ask("instance/service-accounts/default/email").text == run.account
        token = ask("instance/service-accounts/default/token").json()
        assert run.cloud.kernel.identity.authenticate(token["access_token"]).email == run.account
        assert ask("instance/service-accounts/default/token").json() == token | {
            "expires_in": ask("instance/service-accounts/default/token").json()["expires_in"]
        }
        assert ask("project/project-id", Other="1").status_code == 403
        assert ask("instance/service-accounts/other@x/token").status_code == 404
        assert ask("nothing/here").status_code == 404
        guess = client.get(f"{run.cloud.http}/{'0' * 32}/computeMetadata/v1/", headers=flavor)
        assert guess.status_code == 404
        run.services.delete_service(name=service.name, timeout=5).result(timeout=30)
        assert run.supervisor.drop_all()
        assert ask("project/project-id").status_code == 404
