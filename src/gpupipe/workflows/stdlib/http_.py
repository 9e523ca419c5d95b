"""http.*: requests, the default retry predicates, and how answers and failures become values."""

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from gpupipe.workflows import limits
from gpupipe.workflows.effects import (
    Auth,
    AuthFailed,
    ConnectionBroken,
    ConnectionFailed,
    HttpRequest,
    HttpResponse,
    RequestTimeout,
)
from gpupipe.workflows.errors import WorkflowError, raised
from gpupipe.workflows.operators import text_of
from gpupipe.workflows.stdlib.function import NUMBER, Function, Parameter, Runtime, may, need, pure
from gpupipe.workflows.values import Value, from_json, is_number, to_json, type_error

_METHODS = frozenset(
    ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"]
)
_AGENT = "GoogleCloudWorkflows; (+https://cloud.google.com/workflows/docs)"
_ERROR_STATUS = 400
_RETRIED = frozenset({429, 502, 503, 504})
_RETRIED_NON_IDEMPOTENT = frozenset({429, 503})
_RETRIED_TAGS = frozenset({"ConnectionError", "ConnectionFailedError", "TimeoutError"})
_RETRIED_TAGS_NON_IDEMPOTENT = frozenset({"ConnectionFailedError"})


_NOT_IN_URL = re.compile(r"[\x00-\x20\x7f]")
_SEPARATORS = re.compile(r"[\s,]+")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_NOT_IN_HEADER = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def request_of(method: str, arguments: Mapping[str, Value]) -> HttpRequest:
    """The request that the arguments of `http.request` make; ValueError or TypeError."""
    url = arguments["url"]
    if not _is_url(url):
        raise raised("ValueError", f"{url!r} is no valid URL")
    timeout = arguments["timeout"]
    timeout = limits.HTTP_TIMEOUT_S if timeout is None else float(timeout)
    if not 0 < timeout <= limits.HTTP_TIMEOUT_MOST_S:
        raise raised("ValueError", f"timeout must be at most {limits.HTTP_TIMEOUT_MOST_S:.0f} s")
    headers = _headers(arguments["headers"])
    body = _body(arguments.get("body"), headers)
    return HttpRequest(
        method, url, headers, _query(arguments["query"]), body, timeout, _auth(arguments["auth"])
    )


def _is_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return usable and not _NOT_IN_URL.search(url)


def _headers(given: Value) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in (given or {}).items():
        if not isinstance(value, str):
            raise type_error(f"the header {name!r} must be a string")
        if not _HEADER_NAME.fullmatch(name) or _NOT_IN_HEADER.search(value):
            raise raised("ValueError", f"the header {name!r} cannot be sent")
        headers[_canonical(name)] = value
    agent = headers.get("User-Agent")
    headers["User-Agent"] = f"{agent} {_AGENT}" if agent else _AGENT
    return headers


def _canonical(name: str) -> str:
    return "-".join(part.capitalize() for part in name.split("-"))


def _body(body: Value, headers: dict[str, str]) -> bytes | None:
    if body is None:
        return None
    if isinstance(body, bytes):
        headers.setdefault("Content-Type", "application/octet-stream")
        return body
    kind = headers.setdefault("Content-Type", "application/json; charset=utf-8")
    media = kind.partition(";")[0].strip().lower()
    if media == "application/json" or media.endswith("+json"):
        return to_json(body).encode()
    if not isinstance(body, str):
        raise type_error(f"a body of type {media} must be a string or bytes")
    return body.encode()


def _query(given: Value) -> tuple[tuple[str, str], ...]:
    pairs: list[tuple[str, str]] = []
    for name, value in (given or {}).items():
        for item in value if isinstance(value, list) else [value]:
            if not (isinstance(item, str | bool) or is_number(item)):
                raise type_error(
                    f"the query parameter {name!r} must be a string, number or boolean"
                )
            pairs.append((name, text_of(item)))
    return tuple(pairs)


def _auth(given: Value) -> Auth | None:
    if given is None:
        return None
    if not _is_one_of(given.get("type"), ("OIDC", "OAuth2")):
        raise raised("ValueError", "auth.type must be OIDC or OAuth2")
    audience = given.get("audience")
    if not (audience is None or isinstance(audience, str)):
        raise type_error("auth.audience must be a string")
    scopes = given.get("scopes") or given.get("scope") or []
    listed = _SEPARATORS.split(scopes.strip()) if isinstance(scopes, str) else scopes
    if not (isinstance(listed, list) and all(isinstance(one, str) for one in listed)):
        raise type_error("auth.scopes must be a string or a list of strings")
    return Auth(given["type"], audience, tuple(listed))


def _is_one_of(value: Value, words: tuple[str, ...]) -> bool:
    return isinstance(value, str) and value in words


async def send(runtime: Runtime, request: HttpRequest) -> Value:
    """The answer as a map of code, headers and body; the errors of `http.*`."""
    try:
        response = await runtime.effects.http.request(request)
    except ConnectionFailed as error:
        raise raised("ConnectionFailedError", str(error)) from error
    except ConnectionBroken as error:
        raise raised("ConnectionError", str(error)) from error
    except RequestTimeout as error:
        raise raised("TimeoutError", str(error)) from error
    except AuthFailed as error:
        raise raised("AuthError", str(error)) from error
    return _answer(response)


def _answer(response: HttpResponse) -> Value:
    if len(response.body) > limits.RESPONSE_BYTES:
        raise raised("ResourceLimitError", "the HTTP response is larger than 2 MB")
    headers = {_canonical(name): value for name, value in response.headers.items()}
    body = parsed(response.body, headers.get("Content-Type", ""))
    if response.status >= _ERROR_STATUS:
        raise WorkflowError(
            {
                "code": response.status,
                "message": f"HTTP server responded with error code {response.status}",
                "tags": ["HttpError"],
                "headers": headers,
                "body": body,
            }
        )
    return {"code": response.status, "headers": headers, "body": body}


def parsed(body: bytes, content_type: str) -> Value:
    """A body as a value: JSON where it says so, else text, else bytes."""
    media = content_type.partition(";")[0].strip().lower()
    try:
        text = body.decode()
    except UnicodeDecodeError:
        # What becomes of other bytes is not documented.
        return body
    if media != "application/json" or not text:
        return text
    try:
        return from_json(text)
    except WorkflowError:
        return text


def _verb(method: str) -> Function:
    async def run(runtime: Runtime, arguments: Mapping[str, Value]) -> Value:
        return await send(runtime, request_of(method, arguments))

    body = () if method == "GET" else (may("body", None),)
    return Function(f"http.{method.lower()}", (*_COMMON, *body), run, blocking=True)


async def _any(runtime: Runtime, arguments: Mapping[str, Value]) -> Value:
    if arguments["method"] not in _METHODS:
        raise raised("ValueError", f"unknown method {arguments['method']!r}")
    return await send(runtime, request_of(arguments["method"], arguments))


def is_retried(error: Value, *, idempotent: bool) -> bool:
    """Whether the default policies try again after an error."""
    if idempotent:
        return _predicate(_RETRIED, _RETRIED_TAGS, error)
    return _predicate(_RETRIED_NON_IDEMPOTENT, _RETRIED_TAGS_NON_IDEMPOTENT, error)


def _predicate(codes: frozenset[int], tags: frozenset[str], error: Value) -> bool:
    if not isinstance(error, dict):
        return False
    given, code = error.get("tags"), error.get("code")
    found = {tag for tag in given if isinstance(tag, str)} if isinstance(given, list) else set()
    return ("HttpError" in found and is_number(code) and code in codes) or bool(tags & found)


_COMMON = (
    need("url", "string"),
    may("timeout", None, *NUMBER),
    may("headers", None, "map"),
    may("query", None, "map"),
    may("auth", None, "map"),
    Parameter("private_service_name", optional=True, refused=True),
    Parameter("ca_certificate", optional=True, refused=True),
)
FUNCTIONS: tuple[Function, ...] = (
    *(_verb(method) for method in ("GET", "POST", "PUT", "PATCH", "DELETE")),
    Function("http.request", (need("method", "string"), *_COMMON, may("body", None)), _any,
             blocking=True),
    pure("http.default_retry_predicate",
         lambda error: is_retried(error, idempotent=True), need("exception")),
    pure("http.default_retry_predicate_non_idempotent",
         lambda error: is_retried(error, idempotent=False), need("exception")),
    pure("retry.always", lambda _: True, need("exception")),
    pure("retry.never", lambda _: False, need("exception")),
)  # fmt: skip
