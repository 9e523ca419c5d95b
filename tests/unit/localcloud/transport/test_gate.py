"""The gate as an ASGI application, without a socket."""

import asyncio
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from gpupipe.localcloud.kernel.identity import unauthenticated
from gpupipe.localcloud.transport.gate import TOKEN_FREE, Gate

PORT = 1234
OURS = f"127.0.0.1:{PORT}"
GOOD = {"host": OURS, "authorization": "Bearer good"}


def authenticate(token: str) -> None:
    if token != "good":
        raise unauthenticated("no")


def ask(
    path: str = "/storage/v1/b", headers: dict[str, str] | None = None, method: str = "GET"
) -> tuple[int, Scope | None]:
    """The status, and the request that got through to the application."""
    passed: list[Scope] = []
    sent: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        passed.append(scope)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [
            (name.encode(), value.encode())
            for name, value in (GOOD if headers is None else headers).items()
        ],
    }
    asyncio.run(Gate(app, port=PORT, authenticate=authenticate)(scope, receive, send))
    return sent[0]["status"], passed[0] if passed else None


def test_a_good_request_passes() -> None:
    assert ask()[0] == 200
    assert ask(headers=GOOD | {"host": f"localhost:{PORT}"})[0] == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", f"evil.example:{PORT}", "127.0.0.1", "127.0.0.1:1", "", f"127.1:{PORT}"],
)
def test_a_foreign_host_is_misdirected_whatever_the_token(host: str) -> None:
    assert ask(headers=GOOD | {"host": host}) == (421, None)


def test_a_request_without_host_is_misdirected() -> None:
    assert ask(headers={"authorization": "Bearer good"})[0] == 421


@pytest.mark.parametrize(
    "extra",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": f"http://{OURS}"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_web_pages_are_refused_also_where_no_token_is_needed(extra: dict[str, str]) -> None:
    assert ask(headers=GOOD | extra) == (403, None)
    assert ask("/run/p/r/s", headers=GOOD | extra) == (403, None)


@pytest.mark.parametrize("value", [None, "Bearer bad", "Bearer ", "Basic good", "good", "bearer"])
def test_all_else_needs_a_token(value: str | None) -> None:
    headers = {"host": OURS} | ({} if value is None else {"authorization": value})
    for path in ("/", "/storage/v1/b", "/control/status", "/nothing", "/runs", "/token/x"):
        assert ask(path, headers) == (401, None)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"/{'a' * 32}"),
        ("GET", f"/{'0' * 32}/computeMetadata/v1/instance/"),
        ("POST", "/run/demo/us-central1/one/predict"),
        ("POST", "/token"),
        ("GET", "/oauth2/v1/certs"),
    ],
)
def test_the_listed_surfaces_are_token_free(method: str, path: str) -> None:
    assert ask(path, {"host": OURS}, method)[0] == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/token"),
        ("GET", "/run/"),
        ("POST", f"/{'a' * 32}/computeMetadata/v1/"),
        ("GET", f"/{'a' * 31}/computeMetadata/v1/"),
        ("GET", f"/{'A' * 32}/computeMetadata/v1/"),
        ("GET", f"/x/{'a' * 32}"),
        ("POST", "/upload/storage/v1/b/one/o"),
    ],
)
def test_and_nothing_near_them(method: str, path: str) -> None:
    assert ask(path, {"host": OURS}, method)[0] == 401


def test_each_token_free_surface_says_why() -> None:
    assert len(TOKEN_FREE) == 4
    assert all(surface.why for surface in TOKEN_FREE)


def test_the_proxy_form_is_stripped_and_served() -> None:
    host = "us-central1-run.gpupipe.test"
    status, scope = ask(f"http://{host}/v1/projects/p", GOOD | {"host": host})
    assert status == 200
    assert scope is not None
    assert (scope["path"], scope["raw_path"]) == ("/v1/projects/p", b"/v1/projects/p")
    assert ask(f"http://{host}")[1]["path"] == "/"  # type: ignore[index] # it passed


@pytest.mark.parametrize("host", ["evil.example", "gpupipe.test.evil.example", "127.0.0.1:1"])
def test_the_proxy_form_serves_no_other_host(host: str) -> None:
    assert ask(f"http://{host}/x", GOOD | {"host": host}) == (421, None)


def test_the_proxy_form_needs_a_token_too() -> None:
    host = "run.gpupipe.test"
    assert ask(f"http://{host}/v1/projects/p", {"host": host})[0] == 401
