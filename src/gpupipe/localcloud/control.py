"""The control surface: how a person looks into the local cloud and disturbs it. Operator token only.

It is no Google API. Calls are logged like the others, as "control.NAME", but for reading the log.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any

from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from gpupipe import __version__
from gpupipe.localcloud.control_input import (
    FAULTS,
    AdvanceIn,
    AgentIn,
    CallFaultIn,
    DenialIn,
    LatencyIn,
    PropagationIn,
    QuotaIn,
    ResourceIn,
    parsed,
)
from gpupipe.localcloud.errors import Code, ServiceError, invalid_argument, not_found
from gpupipe.localcloud.kernel import latency
from gpupipe.localcloud.kernel.denials import Denial, check_name
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.transport.pipeline import Pipeline
from gpupipe.localcloud.transport.rpc import BaseSurface

Json = dict[str, Any]
_MAX_BODY = 1 << 20


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
        self._agents: list[tuple[str, str]] = []

    def routes(self) -> Iterable[BaseRoute]:
        """Everything under /control."""
        yield self._route("GET", "status", self._status)
        # Who follows the log must not fill it.
        yield self._route("GET", "requests", self._requests, logged=False)
        yield self._route("POST", "stop", self._stop, writes=True)
        yield self._route("POST", "reset", self._reset, writes=True)
        yield self._route("GET", "faults", self._faults)
        yield self._route("POST", "faults", self._inject, writes=True)
        yield self._route("DELETE", "faults", self._clear_faults, writes=True)
        yield self._route("GET", "quotas", self._quotas)
        yield self._route("POST", "quota", self._quota, writes=True)
        yield self._route("GET", "permissions", self._permissions)
        yield self._route("POST", "permissions", self._revoke, writes=True)
        yield self._route("DELETE", "permissions", self._restore, writes=True)
        yield self._route("GET", "resources", self._resources)
        yield self._route("POST", "resources", self._add_resource, writes=True)
        yield self._route("DELETE", "resources", self._remove_resource, writes=True)
        yield self._route("GET", "incidents", self._incidents)
        yield self._route("GET", "latency", self._latency)
        yield self._route("POST", "latency", self._set_latency, writes=True)
        yield self._route("GET", "clock", self._clock)
        yield self._route("POST", "clock", self._advance, writes=True)

    def _route(
        self,
        verb: str,
        name: str,
        answer: Callable[[Request, bytes], Json],
        *,
        writes: bool = False,
        logged: bool = True,
    ) -> Route:
        def guarded(request: Request, body: bytes) -> Json:
            method = f"control.{name}"
            with self._pipeline.guard(
                request.headers, method=method, writes=writes, logged=logged
            ) as call:
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
            "unusual": self._unusual(),
        }

    def _unusual(self) -> Json:
        """What makes this cloud behave otherwise than a fresh one does; empty when nothing does."""
        kernel = self._kernel
        found = {
            "faults": sum(fault.left > 0 for fault in kernel.faults.account()),
            "propagation_s": kernel.behaviour.propagation_s,
            "latency_factor": kernel.behaviour.latency_factor,
            "revoked_permissions": len(kernel.denials.all()),
            "clock_ahead_s": kernel.clock.ahead_s,
        }
        return {name: value for name, value in found.items() if value}

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
        self._end_faults()
        self._kernel.behaviour.latency_factor = 0
        return {"reset": True}

    def _faults(self, _: Request, __: bytes) -> Json:
        kernel = self._kernel
        faults: list[Json] = [
            {
                **asdict(fault),
                "code": None if fault.code is None else fault.code.name,
                "consumed": fault.consumed,
            }
            for fault in kernel.faults.account()
        ]
        if kernel.behaviour.propagation_s:
            faults.append({"kind": "propagation", "seconds": kernel.behaviour.propagation_s})
        for api, project in self._agents:
            left = int(self._is_missing(api, project))
            given = {"kind": "agent", "api": api, "project": project}
            faults.append({**given, "times": 1, "consumed": 1 - left, "left": left})
        return {"faults": faults}

    def _inject(self, request: Request, body: bytes) -> Json:
        given = parsed(FAULTS, body)
        wanted = given if isinstance(given, list) else [given]
        for one in wanted:
            self._check_fault(one)
        for one in wanted:
            self._put_in(one)
        return self._faults(request, body)

    def _check_fault(self, given: CallFaultIn | PropagationIn | AgentIn) -> None:
        if isinstance(given, CallFaultIn):
            self._kernel.faults.check(given.fault())
        elif isinstance(given, AgentIn):
            self._kernel.agents.agent_email(given.api, given.project)

    def _put_in(self, given: CallFaultIn | PropagationIn | AgentIn) -> None:
        if isinstance(given, CallFaultIn):
            self._kernel.faults.inject(given.fault())
        elif isinstance(given, PropagationIn):
            self._kernel.behaviour.propagation_s = given.seconds
        else:
            self._kernel.agents.remove(given.api, given.project)
            self._agents.append((given.api, given.project))

    def _is_missing(self, api: str, project: str) -> bool:
        # An agent of a project that was forgotten since is nobody's.
        known = self._kernel.projects.get(project) is not None
        agents = self._kernel.agents
        return known and not agents.exists(agents.agent_email(api, project))

    def _clear_faults(self, request: Request, body: bytes) -> Json:
        self._end_faults()
        return self._faults(request, body)

    def _end_faults(self) -> None:
        self._kernel.faults.clear()
        self._pipeline.faults.release()
        self._kernel.behaviour.propagation_s = 0
        for api, project in self._agents:
            if self._is_missing(api, project):
                self._kernel.agents.create(api, project)
        self._agents.clear()

    def _quotas(self, request: Request, _: bytes) -> Json:
        project = request.query_params.get("project") or self._kernel.settings.project
        return {
            "project": project,
            "quotas": [asdict(one) for one in self._kernel.quotas.all(project)],
        }

    def _quota(self, _: Request, body: bytes) -> Json:
        quota = parsed(TypeAdapter(QuotaIn), body)
        self._kernel.projects.ensure(quota.project)
        self._kernel.quotas.set(
            quota.project, quota.service, quota.quota_id, quota.region, quota.value
        )
        return quota.model_dump()

    def _permissions(self, _: Request, __: bytes) -> Json:
        return {"revoked": [asdict(denial) for denial in self._kernel.denials.all()]}

    def _revoke(self, request: Request, body: bytes) -> Json:
        given = parsed(TypeAdapter(DenialIn), body)
        check_name(given.name)
        if given.project:
            self._kernel.projects.ensure(given.project)
        self._kernel.denials.revoke(Denial(given.project, given.name))
        return self._permissions(request, body)

    def _restore(self, request: Request, body: bytes) -> Json:
        given = parsed(TypeAdapter(DenialIn), body)
        if not self._kernel.denials.restore(Denial(given.project, given.name)):
            where = f"in {given.project}" if given.project else "for all projects"
            raise not_found(f"{given.name} is not revoked {where}.")
        return self._permissions(request, body)

    def _resources(self, _: Request, __: bytes) -> Json:
        outside = self._kernel.outside
        return {
            "resources": [
                {"name": name, "kind": kind, "encrypters": list(outside.encrypters(name))}
                for name, kind in sorted(outside.all().items())
            ]
        }

    def _add_resource(self, request: Request, body: bytes) -> Json:
        given = parsed(TypeAdapter(ResourceIn), body)
        self._kernel.outside.add(given.name, given.encrypters)
        return self._resources(request, body)

    def _remove_resource(self, request: Request, body: bytes) -> Json:
        self._kernel.outside.remove(parsed(TypeAdapter(ResourceIn), body).name)
        return self._resources(request, body)

    def _incidents(self, request: Request, _: bytes) -> Json:
        """What fires, and what has fired, by the alert policies of a project; evaluated now."""
        project = request.query_params.get("project") or self._kernel.settings.project
        self._kernel.incidents.refresh()
        return {
            "project": project,
            "incidents": [
                {
                    "policy": one.display_name,
                    "policy_name": one.cause.policy,
                    "condition": one.condition_name,
                    "labels": dict(one.cause.labels),
                    "state": "CLOSED" if one.closed else "OPEN",
                    "value": one.value,
                    "opened": one.opened.isoformat(),
                    "last_seen": one.seen.isoformat(),
                    "closed": one.closed.isoformat() if one.closed else None,
                }
                for one in self._kernel.incidents.all(project)
            ],
        }

    def _latency(self, _: Request, __: bytes) -> Json:
        return {
            "factor": self._kernel.behaviour.latency_factor,
            "typical_s": {
                "reads": latency.READ_S,
                "writes": latency.WRITE_S,
                "operations": dict(latency.OPERATIONS_S),
                "other_operations": latency.OTHER_OPERATION_S,
            },
        }

    def _set_latency(self, request: Request, body: bytes) -> Json:
        self._kernel.behaviour.latency_factor = parsed(TypeAdapter(LatencyIn), body).factor
        return self._latency(request, body)

    def _clock(self, _: Request, __: bytes) -> Json:
        clock = self._kernel.clock
        return {"now": clock.now().isoformat(), "ahead_s": clock.ahead_s}

    def _advance(self, request: Request, body: bytes) -> Json:
        self._kernel.clock.advance(parsed(TypeAdapter(AdvanceIn), body).seconds)
        return self._clock(request, body)


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_BODY:
            raise invalid_argument("The body is larger than 1 MiB.")
    return bytes(body)
