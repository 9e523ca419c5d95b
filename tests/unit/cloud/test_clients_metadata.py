"""Where the metadata server is looked for: on a machine of Google's, and never on the local target."""

import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from gpupipe.cloud.clients import CLIENTS


class MetadataServer(ThreadingHTTPServer):
    """A metadata server as a machine of Google's has it, and what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Metadata)
        self.asked: list[str] = []


class Metadata(BaseHTTPRequestHandler):
    server: MetadataServer

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        path = self.path.partition("?")[0]
        if path.endswith("/token"):
            body, kind = b'{"access_token": "machines-token", "expires_in": 3600}', "json"
        elif path.endswith("/service-accounts/default/"):
            body, kind = b'{"email": "machine@x", "scopes": []}', "json"
        else:
            body, kind = b"googleapis.com" if "universe" in path else b"demo-project", "text"
        self.send_response(200)
        self.send_header("Metadata-Flavor", "Google")
        self.send_header("Content-Type", f"application/{kind}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@pytest.fixture
def metadata(tmp_path: Path) -> Iterator[tuple[list[str], dict[str, str]]]:
    """What the metadata server was asked, and the environment of a process that has it."""
    server = MetadataServer()
    thread = Thread(target=server.serve_forever)
    thread.start()
    place = f"127.0.0.1:{server.server_port}"
    yield (
        server.asked,
        {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "GCE_METADATA_HOST": place,
            "GCE_METADATA_IP": place,
        },
    )
    server.shutdown()
    thread.join()
    server.server_close()


def script(code: str, environment: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.promise(5)
@pytest.mark.promise("S10")
def test_on_a_machine_of_googles_its_own_credentials_are_used(
    metadata: tuple[list[str], dict[str, str]],
) -> None:
    code = (
        "from gpupipe.cloud.clients import GoogleClients\n"
        "clients = GoogleClients('demo-project', 'europe-west4')\n"
        "print(clients.session('serviceusage')[0].credentials.token)"
    )
    assert script(code, metadata[1]) == "machines-token"


def test_on_the_local_target_no_metadata_server_is_looked_for(
    metadata: tuple[list[str], dict[str, str]], token_file: Path
) -> None:
    asked, environment = metadata
    code = (
        "from pathlib import Path\n"
        "from gpupipe.cloud.clients import CLIENTS, LocalClients\n"
        "from gpupipe.cloud.target import Endpoint\n"
        f"address = Endpoint('127.0.0.1:9', 'http://127.0.0.1:8', Path({str(token_file)!r}))\n"
        "clients = LocalClients(address, 'p')\n"
        "print(len([clients.client(api) for api in CLIENTS]), bool(clients.storage()),\n"
        "      bool(clients.session('serviceusage')))"
    )
    assert script(code, environment) == f"{len(CLIENTS)} True True"
    assert asked == []
