"""An answer's head and body in one packet.

Contract: of two writes in one turn of the event loop the first waits for the second; a first one that
stays alone leaves at the end of the turn. uvicorn writes the head and the body of an answer apart, which
is two system calls for the server and two awakenings for the client.
"""

import asyncio
from typing import Any


class OneWrite(asyncio.Transport):
    """A transport over another one."""

    __slots__ = ("_held", "_loop", "_transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__()
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._held = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Now, together with what was held; or soon."""
        if self._held:
            held, self._held = self._held, b""
            self._transport.write(held + data)
        else:
            self._held = bytes(data)
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        held, self._held = self._held, b""
        if held and not self._transport.is_closing():
            self._transport.write(held)

    def close(self) -> None:
        """After what is held."""
        self._flush()
        self._transport.close()

    def abort(self) -> None:
        """At once."""
        self._held = b""
        self._transport.abort()

    def is_closing(self) -> bool:
        """As the transport below."""
        return self._transport.is_closing()

    def pause_reading(self) -> None:
        """As the transport below."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """As the transport below."""
        self._transport.resume_reading()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """As the transport below."""
        self._transport.set_protocol(protocol)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """As the transport below."""
        return self._transport.get_extra_info(name, default)


def in_one_write(protocol: type[asyncio.Protocol]) -> type[asyncio.Protocol]:
    """The protocol, writing through such a transport."""

    class InOneWrite(protocol):  # type: ignore[misc,valid-type]
        def connection_made(self, transport: asyncio.Transport) -> None:
            super().connection_made(OneWrite(transport))

    return InOneWrite
