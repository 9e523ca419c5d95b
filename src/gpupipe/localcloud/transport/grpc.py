"""The gRPC listener: threads, loopback only, one lookup over the rows of all services.

A method that no row has is refused by name, after authentication. An error that nobody foresaw is
INTERNAL with the id under which the log has it.
"""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from google.protobuf.message import Message

from gpupipe.localcloud.errors import ServiceError, unimplemented
from gpupipe.localcloud.kernel.failures import internal, log_failure
from gpupipe.localcloud.transport import calls
from gpupipe.localcloud.transport.errors import abort
from gpupipe.localcloud.transport.method_names import method_name
from gpupipe.localcloud.transport.pipeline import Pipeline
from gpupipe.localcloud.transport.rpc import Rpc
from gpupipe.localcloud.transport.wire import GrpcWire, Wire

_THREADS = 64
_GRACE_S = 1.0
# With reuse, a second daemon could bind the same port and calls would be split between the two.
_OPTIONS = (("grpc.so_reuseport", 0),)


class GrpcListener:
    """Serves rows on 127.0.0.1, at the wished port where it is free."""

    def __init__(self, rpcs: Iterable[Rpc], pipeline: Pipeline, wished_port: int = 0) -> None:
        self._workers = ThreadPoolExecutor(_THREADS, thread_name_prefix="grpc")
        self._server = grpc.server(
            self._workers, handlers=[_Lookup(_by_path(rpcs), pipeline)], options=_OPTIONS
        )
        self.port = self._bind(wished_port)

    def start(self) -> None:
        """Begin to serve."""
        self._server.start()

    def _bind(self, wished: int) -> int:
        try:
            return self._server.add_insecure_port(f"127.0.0.1:{wished}")
        except RuntimeError:
            return self._server.add_insecure_port("127.0.0.1:0")

    def stop(self) -> None:
        """Take no more calls, give those that run a second, and free the port."""
        self._server.stop(_GRACE_S).wait()
        self._workers.shutdown(wait=False, cancel_futures=True)


class _Lookup(grpc.GenericRpcHandler):  # type: ignore[type-arg] # generic only in the stubs
    def __init__(self, rows: Mapping[str, Rpc], pipeline: Pipeline) -> None:
        self._rows = rows
        self._pipeline = pipeline

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> "grpc.RpcMethodHandler[Any, Any]":
        path = handler_call_details.method
        row = self._rows.get(path)
        if row is None:
            return grpc.unary_unary_rpc_method_handler(
                _answering(lambda _, headers, __: self._refuse(path, headers), path)
            )
        return grpc.unary_unary_rpc_method_handler(
            _answering(lambda *call: self._call(row, *call), path),
            request_deserializer=row.request.FromString,
            response_serializer=row.response.SerializeToString,
        )

    def _call(self, row: Rpc, request: Message, headers: Mapping[str, str], wire: Wire) -> Message:
        return calls.answer(self._pipeline, row, request, headers, wire)

    def _refuse(self, path: str, headers: Mapping[str, str]) -> Message:
        missing = unimplemented(f"the method {path.removeprefix('/')}")
        self._pipeline.refuse(headers, method_name(path), missing)


def _answering(
    answer: Callable[[Any, Mapping[str, str], Wire], Message], path: str
) -> Callable[[Any, grpc.ServicerContext], Message]:
    def respond(request: Any, context: grpc.ServicerContext) -> Message:
        headers = {key: str(value) for key, value in context.invocation_metadata()}
        try:
            return answer(request, headers, GrpcWire(context))
        except ServiceError as error:
            abort(context, error)
        except Exception as error:  # noqa: BLE001  # the boundary: every error gets a status
            abort(context, internal(log_failure(path, error)))

    return respond


def _by_path(rpcs: Iterable[Rpc]) -> dict[str, Rpc]:
    rows: dict[str, Rpc] = {}
    for row in rpcs:
        if rows.setdefault(row.path, row) is not row:
            raise ValueError(f"two services offer {row.path}")
    return rows
