"""Hand-written ports for workflows: time that only sleeping moves, and answers by URL."""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gpupipe.workflows.effects import (
    CallbackRequest,
    Effects,
    HttpRequest,
    HttpResponse,
    RequestTimeout,
    UnknownCallback,
)
from gpupipe.workflows.interpreter import Interpreter
from gpupipe.workflows.program import load
from gpupipe.workflows.watch import NoWatch

Answer = Callable[[HttpRequest], HttpResponse]


def answer(status: int, body: Any) -> HttpResponse:
    return HttpResponse(status, {"Content-Type": "application/json"}, json.dumps(body).encode())


class _Steps(NoWatch):
    def __init__(self, steps: list[tuple[str, str]]) -> None:
        self._steps = steps

    def began(self, *of: Any) -> int:
        _, routine, step, _, number = of
        if number is None:
            self._steps.append((routine, step))
        return super().began(*of)


@dataclass
class World:
    """What a workflow did, and what the world answers."""

    respond: Answer = lambda _: answer(404, {})
    time: float = 1000.0
    slept: list[float] = field(default_factory=list)
    logged: list[tuple[str, Any]] = field(default_factory=list)
    requests: list[HttpRequest] = field(default_factory=list)
    steps: list[tuple[str, str]] = field(default_factory=list)
    calls: list[CallbackRequest] = field(default_factory=list)

    async def request(self, request: HttpRequest) -> HttpResponse:
        self.requests.append(request)
        await asyncio.sleep(0)
        return self.respond(request)

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds
        await asyncio.sleep(0)

    async def yield_(self) -> None:
        await asyncio.sleep(0)

    def write(self, severity: str, payload: Any) -> None:
        self.logged.append((severity, payload))

    async def create(self, method: str) -> str:
        return f"http://here/callbacks/{method}"

    async def wait(self, url: str, seconds: float) -> CallbackRequest:
        if not url.startswith("http://here/callbacks/"):
            raise UnknownCallback(url)
        self.slept.append(seconds)
        if not self.calls:
            raise RequestTimeout("nobody called")
        return self.calls.pop(0)

    def run(
        self, source: str, argument: Any = None, environment: Mapping[str, str] | None = None
    ) -> Any:
        effects = Effects(self, self, self, self, lambda: "an-id")
        program = load(source)
        interpreter = Interpreter(program, effects, environment or {}, _Steps(self.steps))
        return asyncio.run(interpreter.run(argument))
