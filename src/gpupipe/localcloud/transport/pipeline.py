"""What happens around every call, on both listeners, in one order.

Authenticate, find the project, check that the API is enabled on it, check the permission, apply
latency and faults, do the work, apply faults, log. A call that is refused on the way is logged too;
what is not emulated is also a line in the daemon's log.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NoReturn

from starlette.requests import Request as HttpRequest

from gpupipe.localcloud.errors import Code, Details, ServiceError, unimplemented
from gpupipe.localcloud.kernel.audit import Audited
from gpupipe.localcloud.kernel.billing import NEEDS_BILLING
from gpupipe.localcloud.kernel.caller import Caller
from gpupipe.localcloud.kernel.identity import unauthenticated
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.kernel.pace import METHOD
from gpupipe.localcloud.kernel.projects import Project, is_project_id
from gpupipe.localcloud.transport.faults import CallFaults
from gpupipe.localcloud.transport.request_log import Request, RequestLog
from gpupipe.localcloud.transport.rpc import Call
from gpupipe.localcloud.transport.wire import NO_WIRE, Wire

_log = logging.getLogger("gpupipe.localcloud")

_SCHEME = "bearer "
_ANYONE = ""
# What the audit logs are told of an error that nobody foresaw: its own words may quote anything.
_UNFORESEEN = ServiceError(Code.INTERNAL, "Internal error of the local cloud.")


@dataclass(slots=True)
class _Entry:
    """What the request log will say about a call; filled in as it becomes known."""

    method: str
    api: str
    writes: bool
    caller: str = _ANYONE
    resource: str = ""
    code: str = "OK"
    project: str = ""
    error: ServiceError | None = None


class Pipeline:
    """The guard of all surfaces. faults: how faults and latency meet calls (`kernel.faults` has them)."""

    def __init__(self, kernel: Kernel, log: RequestLog) -> None:
        self._kernel = kernel
        self.log = log
        self.faults = CallFaults(kernel.faults, kernel.timers)

    @contextmanager
    def guard(
        self,
        headers: Mapping[str, str],
        *,
        method: str,
        api: str = "",
        permission: str = "",
        resource: str | Callable[[], str] = "",
        writes: bool = False,
        caller: Caller | None = None,
        wire: Wire = NO_WIRE,
        logged: bool = True,
        audited: Audited | None = None,
    ) -> Iterator[Call]:
        """Run one call: `with pipeline.guard(request.headers, method=..., ...) as call:`.

        headers: those of the request (`authorization` is read; gRPC metadata will do).
        method: the name for the log and for faults ("storage.objects.insert").
        api, permission, resource: as in `Rpc`; empty ones are not checked. A function as `resource`
        is called once the caller is known. caller: for surfaces that authenticate in another way
        (identity tokens); the headers are not read then. wire: the connection, for faults.
        logged: False for calls that the request log leaves out. audited: how the audit logs tell of it.
        Raises ServiceError: UNAUTHENTICATED, PERMISSION_DENIED (also for a disabled API), faults.
        """
        started = time.monotonic()
        entry = _Entry(method, api, writes)
        try:
            who = caller or self._kernel.identity.authenticate(bearer(headers))
            entry.caller = who.member
            entry.resource = resource if isinstance(resource, str) else resource()
            self._admit(who, permission, entry)
            self._delay(api, wire, writes=writes)
            self.faults.before(method, wire)
            yield from self._work(Call(who, method))
            self.faults.after(method, wire)
        except ServiceError as error:
            entry.code, entry.error = error.code.name, error
            _note(entry, error)
            raise
        except Exception:
            entry.code, entry.error = Code.INTERNAL.name, _UNFORESEEN
            raise
        finally:
            if logged:
                self._record(entry, started)
            if audited is not None and entry.project:
                who = Caller(entry.caller)
                self._kernel.audit.write(entry.project, api, who, audited, entry.error)

    def refuse(self, headers: Mapping[str, str], method: str, error: ServiceError) -> NoReturn:
        """Refuse a call that no surface has a method for; it is logged as the others are."""
        with self.guard(headers, method=method):
            raise error
        raise AssertionError("the guard swallowed an error")

    def no_route(self, request: HttpRequest) -> ServiceError:
        """The refusal of an HTTP request that no surface has a route for, logged; it is signed in."""
        error = unimplemented(f"{request.method} {request.url.path}")
        try:
            self.refuse(request.headers, f"http {request.method}", error)
        except ServiceError as refused:
            return refused

    def _delay(self, api: str, wire: Wire, *, writes: bool) -> None:
        seconds = self._kernel.pace.call_s(writes=writes) if api else 0.0
        if seconds:
            self.faults.hold(seconds, wire)

    def _work(self, call: Call) -> Iterator[Call]:
        """Let the handler work, in a thread that knows which call it is in."""
        before = METHOD.set(call.method)
        try:
            yield call
        finally:
            METHOD.reset(before)

    def _admit(self, caller: Caller, permission: str, entry: _Entry) -> None:
        project = self._project(caller, entry.resource)
        if entry.api and project is not None:
            self._require_enabled(entry.api, project)
        entry.project = project.id if project else ""
        if permission:
            self._kernel.authorizer.check(caller, permission, entry.resource)

    def _project(self, caller: Caller, resource: str) -> Project | None:
        """The project of a resource; the operator's first call for a valid id creates it."""
        named = self._kernel.authorizer.project_of(resource)
        if named is None:
            return None
        if caller.is_operator and is_project_id(named):
            return self._kernel.projects.ensure(named)
        return self._kernel.projects.get(named)

    def _require_enabled(self, api: str, project: Project) -> None:
        if not self._kernel.projects.is_usable(project.id, api):
            raise api_disabled(api, project)
        if api in NEEDS_BILLING and not self._kernel.billing.account(project.id):
            raise billing_disabled(api, project)

    def _record(self, entry: _Entry, started: float) -> None:
        self.log.record(
            Request(
                method=entry.method,
                api=entry.api,
                caller=entry.caller,
                resource=entry.resource,
                code=entry.code,
                writes=entry.writes,
                ms=round((time.monotonic() - started) * 1000, 3),
                time=self._kernel.clock.now().timestamp(),
            )
        )


def _note(entry: _Entry, error: ServiceError) -> None:
    if error.code is Code.UNIMPLEMENTED:
        _log.info("not emulated: %s asked for %s: %s", entry.caller, entry.method, error.message)


def bearer(headers: Mapping[str, str]) -> str:
    """The token of an `authorization: Bearer TOKEN` header; UNAUTHENTICATED without one."""
    value = headers.get("authorization", "")
    if value[: len(_SCHEME)].lower() != _SCHEME:
        raise unauthenticated("an access token is missing (authorization: Bearer TOKEN)")
    return value[len(_SCHEME) :].strip()


def api_disabled(api: str, project: Project) -> ServiceError:
    """The refusal for an API that is not enabled; text and reason from gcp-facts §8."""
    # Google's link opens its console. Ours is for people, and names nothing on this machine.
    link = f"https://console.developers.google.com/apis/api/{api}/overview?project={project.id}"
    return ServiceError(
        Code.PERMISSION_DENIED,
        f"{api} API has not been used in project {project.id} before or it is disabled. "
        f"Enable it by visiting {link} then retry. If you enabled this API recently, wait a few "
        "minutes for the action to propagate to our systems and retry.",
        Details(
            reason="SERVICE_DISABLED",
            metadata={
                "service": api,
                "consumer": f"projects/{project.number}",
                "activationUrl": link,
            },
            help_links=(("Google developers console API activation", link),),
        ),
    )


def billing_disabled(api: str, project: Project) -> ServiceError:
    """The refusal of an API that costs money; text: pgmichael/wavenet-for-chrome#83, reason UNSURE."""
    link = f"https://console.developers.google.com/billing/enable?project={project.number}"
    return ServiceError(
        Code.PERMISSION_DENIED,
        "This API method requires billing to be enabled. Please enable billing on project "
        f"#{project.number} by visiting {link} then retry. If you enabled billing for this project "
        "recently, wait a few minutes for the action to propagate to our systems and retry.",
        Details(
            reason="BILLING_DISABLED",
            metadata={"service": api, "consumer": f"projects/{project.number}"},
            help_links=(("Google developers console billing", link),),
        ),
    )
