"""A load of HTTP requests with as little client as possible: one connection for each caller."""

import asyncio
import json
import time
from dataclasses import dataclass
from statistics import quantiles

TEXTS = (
    "This is wonderful, I love it!",
    "The meeting is on Tuesday at the town hall, and it will take about two hours.",
    "Terrible. I hate this broken thing.",
    "Not bad at all, although the second half drags on a little longer than it should.",
)


@dataclass(frozen=True, slots=True)
class Load:
    """What came of a load: answers, answers per second, and milliseconds that answers took."""

    answers: int
    rate: float
    p50: float
    p99: float
    failures: int


class Caller(asyncio.Protocol):
    """Sends a request, waits for its answer, sends the next; the first is requests[start]."""

    def __init__(
        self, requests: list[bytes], start: int, until: float, done: asyncio.Future[None]
    ) -> None:
        self._requests = requests
        self._until = until
        self._done = done
        # Callers in step would all send the same text at once, and how many long ones are in the
        # measured time would be chance.
        self._sent = start
        self._began = 0.0
        self._buffer = b""
        self.seconds: list[float] = []
        self.failures = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begins."""
        self._transport = transport
        self._send()

    def _send(self) -> None:
        self._began = time.perf_counter()
        if self._began >= self._until:
            self._transport.close()
            return
        assert isinstance(self._transport, asyncio.WriteTransport)  # noqa: S101 - TCP
        self._transport.write(self._requests[self._sent % len(self._requests)])
        self._sent += 1

    def data_received(self, data: bytes) -> None:
        """Counts an answer once it is whole."""
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        lower = head.lower()
        at = lower.index(b"content-length:") + len(b"content-length:")
        if len(body) < int(lower[at:].split(b"\r\n", 1)[0]):
            return
        self._buffer = b""
        self.seconds.append(time.perf_counter() - self._began)
        self.failures += not (head.startswith(b"HTTP/1.1 200") and b'"label"' in body)
        self._send()

    def connection_lost(self, _exc: Exception | None) -> None:
        """Ends."""
        if not self._done.done():
            self._done.set_result(None)


def load(port: int, path: str, callers: int, seconds: float) -> Load:
    """So many callers at once for a while."""
    return asyncio.run(_load(port, path, callers, seconds))


async def _load(port: int, path: str, callers: int, seconds: float) -> Load:
    loop = asyncio.get_running_loop()
    requests = [_request(port, path, text) for text in TEXTS]
    until = time.perf_counter() + seconds
    crowd: list[Caller] = []
    ends = []
    for number in range(callers):
        end: asyncio.Future[None] = loop.create_future()
        one = Caller(requests, number, until, end)
        await loop.create_connection(lambda one=one: one, "127.0.0.1", port)  # type: ignore[misc]
        crowd.append(one)
        ends.append(end)
    began = time.perf_counter()
    await asyncio.wait_for(asyncio.gather(*ends), seconds + 60)
    took = time.perf_counter() - began
    times = sorted(second for one in crowd for second in one.seconds)
    cuts = quantiles(times, n=100, method="inclusive")
    failures = sum(one.failures for one in crowd)
    return Load(len(times), len(times) / took, cuts[49] * 1000, cuts[98] * 1000, failures)


def _request(port: int, path: str, text: str) -> bytes:
    body = json.dumps({"instances": [text]}).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
