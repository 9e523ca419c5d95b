"""A refusal as each listener sends it: a gRPC status with details, or Google's JSON error body."""

from typing import Any, NoReturn

import grpc
from google.protobuf.json_format import MessageToDict
from grpc_status import rpc_status
from starlette.responses import JSONResponse
from starlette.types import Scope

from gpupipe.localcloud.errors import Code, ServiceError
from gpupipe.localcloud.kernel.status import status_of
from gpupipe.localcloud.transport import hosts

# Google's own clients (gcloud) try a 501 again for half a minute; nothing will have changed.
_FOR_GOOD = 400


def abort(context: grpc.ServicerContext, error: ServiceError) -> NoReturn:
    """End a gRPC call with the error."""
    context.abort_with_status(rpc_status.to_status(status_of(error)))
    raise AssertionError("abort_with_status returned")


def as_json(error: ServiceError, http_status: int) -> dict[str, Any]:
    """The JSON error body: {"error": {code, message, status, details}}."""
    status = status_of(error)
    body: dict[str, Any] = {
        "code": http_status,
        "message": error.message,
        "status": error.code.name,
    }
    if status.details:
        body["details"] = [MessageToDict(detail) for detail in status.details]
    return {"error": body}


def json_error(error: ServiceError, scope: Scope) -> JSONResponse:
    """The error as a response, with the challenge or the delay that its status calls for.

    scope: of the request. What is not emulated is 501, but 400 for one that named its API by host.
    """
    headers = {}
    status = error.code.http_status
    if error.code is Code.UNIMPLEMENTED and hosts.named(scope):
        status = _FOR_GOOD
    if error.code is Code.UNAUTHENTICATED:
        headers["WWW-Authenticate"] = "Bearer"
    if error.details.retry_after_s is not None:
        headers["Retry-After"] = str(max(1, round(error.details.retry_after_s)))
    return JSONResponse(as_json(error, status), status, headers)
