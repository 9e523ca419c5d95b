"""The first bytes of a connection: a request, or a client that asks its proxy for a tunnel.

A tunnel to a host of Google's ends right here: the listener itself speaks TLS in its name, to the
clients that were given its certificate. What comes through is answered as any request is, or
refused. A tunnel to the listener's own address is the connection that there is. Others are refused
by the gate: no connection to anywhere is ever made.
"""

import asyncio
import ssl
from collections.abc import Mapping
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from gpupipe.localcloud.transport import hosts
from gpupipe.localcloud.transport.wire import WireProtocol

_CONNECT = b"CONNECT "
_END = b"\r\n\r\n"
_HEAD_BYTES = 16_384
_ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
_KEY = "tunnel"


class EntranceConfig(uvicorn.Config):
    """uvicorn's configuration, and what to speak TLS with."""

    def __init__(self, app: Any, tls: ssl.SSLContext, **options: Any) -> None:
        super().__init__(app, http=Entrance, **options)
        self.tls = tls


def tunnel_of(scope: Mapping[str, Any]) -> str | None:
    """The host that a request's client believes to speak to through a tunnel, or None."""
    found = scope.get("state", {}).get(_KEY)
    return found if isinstance(found, str) else None


class Entrance(asyncio.Protocol):
    """Hands the connection over once it is known what it is; uvicorn makes one for each."""

    def __init__(
        self,
        config: EntranceConfig,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._config = config
        self._server_state = server_state
        self._app_state = app_state
        self._loop = _loop or asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._securing: asyncio.Task[None] | None = None
        self._read = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the first bytes; the server closes who waits when it ends."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  # a stream's always is
        self._transport = transport
        self._server_state.connections.add(self)  # type: ignore[arg-type]  # has their `shutdown`

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody waits any more."""
        del exc
        self._transport = None
        self._server_state.connections.discard(self)

    def shutdown(self) -> None:
        """The server ends."""
        if self._transport is not None:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Gather until it is known what the client wants."""
        self._read += data
        if self._securing is not None:
            return
        if not self._read.startswith(_CONNECT[: len(self._read)]):
            self._hand_over()
        elif _END in self._read or len(self._read) > _HEAD_BYTES:
            self._connect()

    def _connect(self) -> None:
        head, _, rest = self._read.partition(_END)
        target = head[len(_CONNECT) :].partition(b" ")[0].decode("latin-1")
        host, transport = hosts.tunnelled(target), self._transport
        if transport is None or (host is None and not _leads_here(target, transport)):
            self._hand_over()
            return
        self._read = rest
        transport.write(_ESTABLISHED)
        if host is None:
            self._hand_over()
        else:
            self._app_state = {**self._app_state, _KEY: host}
            self._securing = self._loop.create_task(self._secure(transport))

    async def _secure(self, plain: asyncio.Transport) -> None:
        try:
            self._transport = await self._loop.start_tls(
                plain, self, self._config.tls, server_side=True
            )
        except OSError:
            # The client does not trust the certificate, or went away.
            plain.close()
        else:
            self._hand_over()

    def _hand_over(self) -> None:
        transport = self._transport
        if transport is None:
            return
        self._server_state.connections.discard(self)
        protocol = WireProtocol(self._config, self._server_state, self._app_state, _loop=self._loop)
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        if self._read:
            protocol.data_received(self._read)


def _leads_here(target: str, transport: asyncio.Transport) -> bool:
    address, port = transport.get_extra_info("sockname")
    return target in {f"{address}:{port}", f"localhost:{port}"}
