"""Headers on the way through the front door: what a container gets and what a client gets back."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from starlette.datastructures import Headers

from gpupipe.localcloud.kernel import internal_traffic
from gpupipe.localcloud.services.run.invoker import forwarded_authorization

RawHeaders = list[tuple[bytes, bytes]]
_HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
# Set by the platform itself; what a client sends under these names does not get through.
_PLATFORM = frozenset(
    {
        "authorization",
        "content-length",
        "expect",
        "forwarded",
        "x-forwarded-for",
        "x-forwarded-proto",
        "x-serverless-authorization",
        "traceparent",
        "x-cloud-trace-context",
        internal_traffic.HEADER,
    }
)


@dataclass(frozen=True, slots=True)
class Trace:
    """The trace of one request, from the client's header or new."""

    trace_id: str
    span_id: str

    @classmethod
    def of(cls, headers: Headers) -> "Trace":
        """Go on with the client's trace (W3C form), or begin one."""
        parts = headers.get("traceparent", "").split("-")
        known = len(parts) == 4 and len(parts[1]) == 32 and parts[1].isalnum()  # noqa: PLR2004
        return cls(parts[1] if known else secrets.token_hex(16), secrets.token_hex(8))


def to_container(headers: Headers, client: str, trace: Trace) -> RawHeaders:
    """The request's headers as the container gets them."""
    dropped = _HOP_BY_HOP | _PLATFORM | _named_in_connection(headers.get("connection", ""))
    kept = [(name, value) for name, value in headers.raw if name.decode("latin-1") not in dropped]
    authorization = forwarded_authorization(headers)
    if authorization is not None:
        kept.append((b"authorization", authorization.encode("latin-1")))
    forwarded = [part for part in (headers.get("x-forwarded-for", ""), client) if part]
    own = {
        "x-forwarded-for": ", ".join(forwarded),
        "x-forwarded-proto": "http",
        "forwarded": f"for={client};proto=http",
        "traceparent": f"00-{trace.trace_id}-{trace.span_id}-00",
        "x-cloud-trace-context": f"{trace.trace_id}/{int(trace.span_id, 16)}",
    }
    return [*kept, *((name.encode(), value.encode("latin-1")) for name, value in own.items())]


def to_client(headers: Iterable[tuple[bytes, bytes]]) -> RawHeaders:
    """The response's headers as the client gets them."""
    raw = [(name.lower(), value) for name, value in headers]
    connection = ",".join(value.decode("latin-1") for name, value in raw if name == b"connection")
    dropped = _HOP_BY_HOP | _named_in_connection(connection)
    return [(name, value) for name, value in raw if name.decode("latin-1") not in dropped]


def _named_in_connection(value: str) -> frozenset[str]:
    return frozenset(part.strip().lower() for part in value.split(",") if part.strip())
