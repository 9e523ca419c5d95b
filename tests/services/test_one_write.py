"""An answer leaves in one packet, whatever order of writes made it."""

import asyncio
from collections.abc import Callable

from common.one_write import OneWrite


class Wire(asyncio.Transport):
    """Keeps each write apart."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.closed
        self.writes.append(bytes(data))

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


def play(scene: Callable[[OneWrite], None]) -> Wire:
    async def turn() -> Wire:
        wire = Wire()
        scene(OneWrite(wire))
        await asyncio.sleep(0)  # the end of the turn; no time passes
        return wire

    return asyncio.run(turn())


def test_head_and_body_are_one_write() -> None:
    def answer(transport: OneWrite) -> None:
        transport.write(b"head")
        transport.write(b"body")

    assert play(answer).writes == [b"headbody"]


def test_first_write_alone_leaves_at_the_end_of_the_turn() -> None:
    assert play(lambda transport: transport.write(b"100 Continue")).writes == [b"100 Continue"]


def test_nothing_is_lost_or_reordered_in_a_long_answer() -> None:
    def answer(transport: OneWrite) -> None:
        for number in range(5):
            transport.write(b"%d" % number)

    assert play(answer).writes == [b"01", b"23", b"4"]


def test_close_sends_what_is_held_and_abort_does_not() -> None:
    def closed(transport: OneWrite) -> None:
        transport.write(b"last")
        transport.close()

    def aborted(transport: OneWrite) -> None:
        transport.write(b"last")
        transport.abort()

    assert play(closed).writes == [b"last"]
    assert play(aborted).writes == []
