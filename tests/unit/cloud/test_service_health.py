"""A service is asked for its health only where nobody can read the token on the way."""

import http.server
import threading
from pathlib import Path

import pytest
from tests.support.clock import FakeClock

from gpupipe.cloud.call import Caller
from gpupipe.cloud.clients import LocalClients
from gpupipe.cloud.service_health import ServiceHealthApi
from gpupipe.cloud.target import Endpoint
from gpupipe.core.errors import GpupipeError


class Service(http.server.BaseHTTPRequestHandler):
    """Answers 200 to everything."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.mark.promise(118, 121)
def test_a_token_leaves_this_machine_over_https_only(tmp_path: Path) -> None:
    clients = LocalClients(Endpoint("127.0.0.1:9", "http://127.0.0.1:8", tmp_path), "p")
    api = ServiceHealthApi(clients, Caller(FakeClock()))
    for uri in ("http://service.invalid", "http://127.0.0.1.service.invalid", "ftp://127.0.0.1:1"):
        with pytest.raises(GpupipeError, match="not one of HTTPS") as caught:
            api.ask(uri, "token")
        assert caught.value.resource == uri
    with http.server.HTTPServer(("127.0.0.1", 0), Service) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        assert api.ask(f"http://127.0.0.1:{server.server_port}", "token") == (200, {})
