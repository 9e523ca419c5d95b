"""events.*: endpoints that others call, and waiting for a call."""

from collections.abc import Mapping

from gpupipe.workflows.effects import RequestTimeout, UnknownCallback
from gpupipe.workflows.errors import raised
from gpupipe.workflows.limits import CALLBACK_S, EXECUTION_S
from gpupipe.workflows.stdlib.function import NUMBER, Function, Runtime, may, need
from gpupipe.workflows.stdlib.http_ import parsed
from gpupipe.workflows.values import Value, kind, type_error

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})


async def _create(runtime: Runtime, given: Mapping[str, Value]) -> Value:
    method = given["http_callback_method"]
    if method not in _METHODS:
        raise raised("ValueError", f"a callback endpoint cannot have the method {method!r}")
    return {"url": await runtime.effects.callbacks.create(method)}


async def _await(runtime: Runtime, given: Mapping[str, Value]) -> Value:
    url = given["callback"].get("url")
    if not isinstance(url, str):
        raise type_error(f"the url of a callback must be a string; got: {kind(url)}")
    timeout = given["timeout"]
    if timeout is not None and not timeout >= 0:
        raise raised("ValueError", "the timeout of a callback cannot be negative")
    seconds = CALLBACK_S if timeout is None else min(float(timeout), EXECUTION_S)
    try:
        request = await runtime.effects.callbacks.wait(url, seconds)
    except RequestTimeout as error:
        raise raised("TimeoutError", str(error)) from error
    except UnknownCallback as error:
        raise raised("ValueError", f"{url!r} is no callback endpoint of this execution") from error
    media = (request.headers.get("Content-Type") or [""])[0]
    return {
        "http_request": {
            "body": parsed(request.body, media) if request.body else None,
            "headers": dict(request.headers),
            "method": request.method,
            "query": dict(request.query),
            "url": request.url,
        },
        "received_time": request.received_time,
        "type": "HTTP",
    }


FUNCTIONS: tuple[Function, ...] = (
    Function(
        "events.create_callback_endpoint",
        (may("http_callback_method", "POST", "string"),),
        _create,
    ),
    Function(
        "events.await_callback",
        (need("callback", "map"), may("timeout", None, *NUMBER)),
        _await,
        blocking=True,
    ),
)
