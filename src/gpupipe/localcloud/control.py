"""The control surface: status, requests, faults, quotas, reset and stop. Operator token only.

It is no Google API. Every call is logged like the others, as "control.NAME".
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from gpupipe import __version__
from gpupipe.localcloud.errors import Code, ServiceError, invalid_argument
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.transport.faults import Fault, When
from gpupipe.localcloud.transport.pipeline import Pipeline
from gpupipe.localcloud.transport.rpc import BaseSurface

Json = dict[str, Any]
T = TypeVar("T")
_MAX_BODY = 1 << 20


class FaultIn(BaseModel):
    """A fault as the caller sends it."""

    model_config = ConfigDict(extra="forbid")

    method: str = Field(min_length=1)
    code: str
    times: int = Field(default=1, ge=1, le=1_000_000)
    when: When = When.BEFORE
    message: str = ""
    retry_after_s: float | None = Field(default=None, ge=0)


class QuotaIn(BaseModel):
    """A quota's new limit as the caller sends it."""

    model_config = ConfigDict(extra="forbid")

    project: str
    service: str
    quota_id: str
    region: str
    value: int = Field(ge=0)


class Control(BaseSurface):
    """`on_stop` asks the process to end; `on_reset` forgets all state."""

    def __init__(
        self,
        kernel: Kernel,
        pipeline: Pipeline,
        *,
        on_stop: Callable[[], None],
        on_reset: Callable[[], None],
    ) -> None:
        self._kernel = kernel
        self._pipeline = pipeline
        self._on_stop = on_stop
        self._on_reset = on_reset

    def routes(self) -> Iterable[BaseRoute]:
        """Everything under /control."""
        yield self._route("GET", "status", self._status)
        yield self._route("GET", "requests", self._requests)
        yield self._route("POST", "stop", self._stop, writes=True)
        yield self._route("POST", "reset", self._reset, writes=True)
        yield self._route("GET", "faults", self._faults)
        yield self._route("POST", "faults", self._inject, writes=True)
        yield self._route("DELETE", "faults", self._clear_faults, writes=True)
        yield self._route("POST", "quota", self._quota, writes=True)

    def _route(
        self,
        verb: str,
        name: str,
        answer: Callable[[Request, bytes], Json],
        *,
        writes: bool = False,
    ) -> Route:
        def guarded(request: Request, body: bytes) -> Json:
            method = f"control.{name}"
            with self._pipeline.guard(request.headers, method=method, writes=writes) as call:
                if not call.caller.is_operator:
                    raise ServiceError(
                        Code.PERMISSION_DENIED, "Only the operator may use the control surface."
                    )
                return answer(request, body)

        async def endpoint(request: Request) -> Response:
            body = await _body(request)
            return JSONResponse(await asyncio.to_thread(guarded, request, body))

        return Route(f"/control/{name}", endpoint, methods=[verb])

    def _status(self, _: Request, __: bytes) -> Json:
        settings = self._kernel.settings
        return {
            "version": __version__,
            "home": str(settings.home),
            "project": settings.project,
            "region": settings.region,
            "projects": [project.id for project in self._kernel.projects.all()],
            "requests": self._pipeline.log.latest(),
        }

    def _requests(self, request: Request, _: bytes) -> Json:
        since = request.query_params.get("since", "0")
        if not since.isdecimal():
            raise invalid_argument("since must be a sequence number.", "since")
        rows = self._pipeline.log.since(int(since))
        return {"requests": [asdict(row) for row in rows]}

    def _stop(self, _: Request, __: bytes) -> Json:
        self._on_stop()
        return {"stopping": True}

    def _reset(self, _: Request, __: bytes) -> Json:
        self._on_reset()
        return {"reset": True}

    def _faults(self, _: Request, __: bytes) -> Json:
        faults = self._pipeline.faults.account()
        return {
            "faults": [
                {**asdict(fault), "code": fault.code.name, "consumed": fault.consumed}
                for fault in faults
            ]
        }

    def _inject(self, request: Request, body: bytes) -> Json:
        given = _parsed(TypeAdapter(FaultIn | list[FaultIn]), body)
        faults = [_fault(one) for one in (given if isinstance(given, list) else [given])]
        for fault in faults:
            self._pipeline.faults.inject(fault)
        return self._faults(request, body)

    def _clear_faults(self, request: Request, body: bytes) -> Json:
        self._pipeline.faults.clear()
        return self._faults(request, body)

    def _quota(self, _: Request, body: bytes) -> Json:
        quota = _parsed(TypeAdapter(QuotaIn), body)
        self._kernel.quotas.set(
            quota.project, quota.service, quota.quota_id, quota.region, quota.value
        )
        return quota.model_dump()


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_BODY:
            raise invalid_argument("The body is larger than 1 MiB.")
    return bytes(body)


def _parsed(adapter: TypeAdapter[T], body: bytes) -> T:
    try:
        return adapter.validate_json(body)
    except ValidationError as error:
        reasons = "; ".join(
            f"{'.'.join(map(str, item['loc']))}: {item['msg']}"
            for item in error.errors(include_url=False)
        )
        raise invalid_argument(f"The body is not valid: {reasons}.") from error


def _fault(given: FaultIn) -> Fault:
    if given.code not in Code.__members__:
        raise invalid_argument(f"{given.code!r} is not a canonical code.", "code")
    return Fault(
        given.method,
        Code[given.code],
        given.times,
        given.when,
        given.message,
        given.retry_after_s,
    )
