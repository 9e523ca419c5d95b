"""The three services in the test's own process, behind the URLs that the workflow calls.

One store, a scorer that needs no model. `faults` are taken by the calls in turn: what goes wrong with
a call before or after the service has done its work.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from starlette.applications import Starlette

from common.bundle import Bundle
from common.manifest import parse_manifest
from common.onnx_file import GraphFacts
from common.settings import Environment
from gpu_inference import app as inference
from gpu_inference.loading import BAKED, Ready, build_engine
from gpupipe.workflows.effects import (
    ConnectionBroken,
    ConnectionFailed,
    Effects,
    HttpRequest,
    HttpResponse,
    RequestTimeout,
)
from gpupipe.workflows.interpreter import Interpreter
from gpupipe.workflows.program import load
from postprocess import app as postprocess
from preprocess import app as preprocess
from tests.services.fakes import INPUT, OUTPUT, WORK, FakeScorer, FixedClock, MemoryStore
from tests.unit.workflows.world import World

PIPELINE = (
    Path(preprocess.__file__).resolve().parents[2] / "src/gpupipe/pipeline/pipeline.yaml"
).read_text(encoding="utf-8")
VARIABLES = {
    "PREPROCESS_URL": "http://preprocess",
    "INFERENCE_URL": "http://inference",
    "POSTPROCESS_URL": "http://postprocess",
    "INPUT_BUCKET": INPUT,
    "OUTPUT_BUCKET": OUTPUT,
    "QUEUE_WAIT_SECONDS": "600",
    "SERVICE_TIMEOUT": "300",
    "PARALLEL_CHUNKS": "8",
}
Fault = Exception | int
BEFORE: dict[str, Fault] = {"refused": ConnectionFailed("refused"), "busy": 429, "unavailable": 503}
AFTER: dict[str, Fault] = {
    "lost": ConnectionBroken("broken"),
    "late": RequestTimeout("late"),
    "crashed": 500,
}
FINE = "fine"
BUSY = {429, 503}


@dataclass
class Services(World):
    """Runs executions of the workflow over the services."""

    store: MemoryStore = field(default_factory=MemoryStore)
    scorer: FakeScorer = field(default_factory=FakeScorer)
    faults: Iterator[str] = field(default_factory=lambda: iter(()))
    called: list[str] = field(default_factory=list)
    clients: dict[str, httpx.AsyncClient] = field(default_factory=dict)
    _under_way: int = 0
    _ended: asyncio.Event = field(default_factory=asyncio.Event)

    def apps(self) -> dict[str, Starlette]:
        base = {"WORK_BUCKET": WORK, "OUTPUT_BUCKET": OUTPUT}
        clock = FixedClock()

        def store() -> MemoryStore:
            return self.store

        settings = inference.read_settings(Environment(base))

        def ready() -> Ready:
            manifest = parse_manifest((BAKED / "manifest.json").read_bytes())
            bundle = Bundle(manifest, b"", (BAKED / "vocab.txt").read_bytes(), GraphFacts())
            return Ready(self.store, build_engine(settings.model, bundle, self.scorer, clock))

        return {
            "preprocess": preprocess.create_app(
                preprocess.read_settings(Environment(base)), store, clock
            ),
            "inference": inference.create_app(settings, ready, clock),
            "postprocess": postprocess.create_app(
                postprocess.read_settings(Environment(base)), store, clock
            ),
        }

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Services"]:
        """While the services are up."""
        async with AsyncExitStack() as stack:
            for name, app in self.apps().items():
                await stack.enter_async_context(app.router.lifespan_context(app))
                await app.state.startup.wait()
                transport = httpx.ASGITransport(app)
                client = httpx.AsyncClient(transport=transport, base_url=f"http://{name}")
                self.clients[name] = await stack.enter_async_context(client)
            yield self

    async def execute(self, name: str, generation: str, execution: str = "run-1") -> object:
        """One execution for an event of an object. Raises ExecutionFailed."""
        event = {"data": {"bucket": INPUT, "name": name, "generation": generation}}
        variables = {**VARIABLES, "GOOGLE_CLOUD_WORKFLOW_EXECUTION_ID": execution}
        effects = Effects(self, self, self, self, lambda: execution)
        return await Interpreter(load(PIPELINE), effects, variables).run(event)

    async def request(self, request: HttpRequest) -> HttpResponse:
        fault = next(self.faults, FINE)
        self.called.append(request.url.rpartition("/")[2])
        if fault in BEFORE:
            return _fault(BEFORE[fault])
        self._under_way += 1
        try:
            answer = await self._sent(request)
        finally:
            self._under_way -= 1
        if answer.status not in BUSY or not self._under_way:
            self._ended.set()
        return _fault(AFTER[fault]) if fault in AFTER else answer

    async def sleep(self, seconds: float) -> None:
        """Time passes only when nothing is under way, or when some of it has got done."""
        if self._under_way:
            self._ended.clear()
            await self._ended.wait()
        await super().sleep(seconds)

    async def _sent(self, request: HttpRequest) -> HttpResponse:
        host = httpx.URL(request.url).host
        answer = await self.clients[host].post(
            request.url, content=request.body or b"", headers={"content-type": "application/json"}
        )
        return HttpResponse(
            answer.status_code, {"Content-Type": "application/json"}, answer.content
        )


def _fault(what: Fault) -> HttpResponse:
    if isinstance(what, Exception):
        raise what
    return HttpResponse(what, {"Content-Type": "text/plain"}, b"a fault")
