"""Tunnels to Google's hosts end in the local cloud itself; no other tunnel is opened."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from tests.support.localcloud import CloudFactory, RunningCloud

from gpupipe.localcloud.transport import hosts


def trusting(cloud: RunningCloud, token: str | None = None) -> httpx.Client:
    """A client that has the local cloud as its proxy and trusts its certificate alone."""
    context = ssl.create_default_context(cafile=str(cloud.kernel.settings.certificate))
    headers = {"authorization": f"Bearer {cloud.token if token is None else token}"}
    return httpx.Client(proxy=cloud.http, verify=context, headers=headers, trust_env=False)


@contextmanager
def connected(cloud: RunningCloud) -> Iterator[socket.socket]:
    port = int(cloud.http.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        yield connection


def everything(connection: socket.socket) -> bytes:
    answer = b""
    while chunk := connection.recv(65_536):
        answer += chunk
    return answer


def test_an_api_answers_under_its_own_name(module_cloud: RunningCloud) -> None:
    with trusting(module_cloud) as client:
        url = "https://storage.googleapis.com/storage/v1/b"
        for _ in range(2):
            answer = client.get(url, params={"project": module_cloud.project})
            assert (answer.status_code, answer.json()["kind"]) == (200, "storage#buckets")


@pytest.mark.parametrize(
    ("host", "headers", "status"),
    [
        ("storage", {"authorization": "Bearer wrong"}, 401),
        ("storage", {"authorization": ""}, 401),
        ("storage", {"origin": "https://evil.example"}, 403),
        ("compute", {}, 421),
    ],
)
def test_the_gate_holds_inside(
    module_cloud: RunningCloud, host: str, headers: dict[str, str], status: int
) -> None:
    with trusting(module_cloud) as client:
        url = f"https://{host}.googleapis.com/storage/v1/b?project=x"
        answer = client.get(url, headers=headers)
    assert answer.status_code == status
    if status == 421:
        assert "no way to compute.googleapis.com" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "target",
    [
        "example.com:443",
        "storage.googleapis.com:80",
        "googleapis.com:443",
        "a.b.googleapis.com:443",
        "storage.googleapis.com.example.com:443",
        "127.0.0.1:1",
    ],
)
def test_another_tunnel_is_refused(module_cloud: RunningCloud, target: str) -> None:
    with connected(module_cloud) as connection:
        connection.sendall(
            f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\nConnection: close\r\n\r\n".encode()
        )
        answer = everything(connection)
    assert answer.startswith(b"HTTP/1.1 421")
    assert f"no way to {target}".encode() in answer


def test_a_client_that_does_not_trust_it_is_let_go_and_others_are_served(
    module_cloud: RunningCloud,
) -> None:
    with (
        httpx.Client(proxy=module_cloud.http, trust_env=False) as client,
        pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"),
    ):
        client.get("https://storage.googleapis.com/storage/v1/b")
    with connected(module_cloud) as connection:
        connection.sendall(b"CONNECT run.googleapis.com:443 HTTP/1.1\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
        connection.sendall(b"this is no handshake\r\n\r\n")
        everything(connection)
    test_an_api_answers_under_its_own_name(module_cloud)


def test_bytes_may_come_one_by_one(module_cloud: RunningCloud) -> None:
    host = module_cloud.http.removeprefix("http://")
    request = (
        f"CONNECT {host} HTTP/1.1\r\n\r\n"
        f"GET /storage/v1/b?project={module_cloud.project} HTTP/1.1\r\nHost: {host}\r\n"
        f"Authorization: Bearer {module_cloud.token}\r\nConnection: close\r\n\r\n"
    )
    with connected(module_cloud) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in request.encode():
            connection.sendall(bytes([byte]))
        answer = everything(connection)
    assert answer.startswith(b"HTTP/1.1 200 Connection established\r\n\r\nHTTP/1.1 200 OK")


def test_a_head_without_end_is_refused(module_cloud: RunningCloud) -> None:
    with connected(module_cloud) as connection:
        connection.sendall(b"CONNECT " + b"x" * 100_000)
        assert everything(connection).startswith(b"HTTP/1.1 400")


def test_the_certificate_is_private_vouches_for_nobody_else_and_its_key_is_nowhere(
    module_cloud: RunningCloud,
) -> None:
    place = module_cloud.kernel.settings.certificate
    assert place.stat().st_mode & 0o077 == 0
    certificate = x509.load_pem_x509_certificate(place.read_bytes())
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert (constraints.critical, constraints.value.ca) == (True, False)
    assert names.value.get_values_for_type(x509.DNSName) == ["*.googleapis.com"]
    for path in Path(module_cloud.home).rglob("*"):
        if path.is_file() and path.name != "signing-key.pem":
            assert b"PRIVATE KEY" not in path.read_bytes(), path


def test_who_waits_to_ask_does_not_keep_it_from_ending(local_cloud_factory: CloudFactory) -> None:
    cloud = local_cloud_factory()
    with connected(cloud) as connection:
        connection.sendall(b"CONN")
        cloud.stop()
        assert everything(connection) == b""


def test_every_emulated_api_has_a_name(module_cloud: RunningCloud) -> None:
    emulated = {row.api for row in module_cloud.cloud.rpcs()} - {""}
    assert len(emulated) > 10
    assert emulated <= {f"{name}.googleapis.com" for name in hosts.APIS}
