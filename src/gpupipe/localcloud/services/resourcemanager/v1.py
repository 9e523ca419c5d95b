"""projects.get and projects.list of v1, which gcloud still uses: a project in other words.

Over REST alone, as it has no gRPC. Its policy methods are those of v3.
"""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gpupipe.localcloud.errors import invalid_argument, unimplemented
from gpupipe.localcloud.kernel.filters import Comparison, comparisons, holds, parse
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.kernel.projects import Project
from gpupipe.localcloud.services.resourcemanager.service import GET, Projects
from gpupipe.localcloud.store.paging import page_of
from gpupipe.localcloud.transport.pipeline import Pipeline
from gpupipe.localcloud.transport.rpc import Call
from gpupipe.localcloud.transport.wire import wire_of

LIST = "cloudresourcemanager.projects.list"
_API = "cloudresourcemanager.googleapis.com"
_FIELDS: dict[str, Callable[[Project], str]] = {
    "lifecyclestate": lambda project: project.state,
    "id": lambda project: project.id,
    "projectid": lambda project: project.id,
    "name": lambda project: project.id,
    "projectnumber": lambda project: str(project.number),
}
_PARAMETERS = frozenset({"alt", "filter", "pageSize", "pageToken", "prettyPrint", "quotaUser"})


class ProjectsV1:
    """The two routes."""

    def __init__(self, kernel: Kernel, pipeline: Pipeline, projects: Projects) -> None:
        self._kernel = kernel
        self._pipeline = pipeline
        self._projects = projects

    def routes(self) -> Iterator[Route]:
        """GET /v1/projects/P and GET /v1/projects."""
        yield Route("/v1/projects/{project:str}", self._get, methods=["GET"])
        yield Route("/v1/projects", self._list, methods=["GET"])

    async def _get(self, request: Request) -> Response:
        return JSONResponse(await asyncio.to_thread(self._got, request))

    async def _list(self, request: Request) -> Response:
        return JSONResponse(await asyncio.to_thread(self._listed, request))

    def _got(self, request: Request) -> dict[str, Any]:
        name = f"projects/{request.path_params['project']}"
        with self._pipeline.guard(
            request.headers,
            method="cloudresourcemanager.projects.get",
            api=_API,
            permission=GET,
            resource=name,
            wire=wire_of(request.scope),
        ):
            return _shown(self._projects.existing(name))

    def _listed(self, request: Request) -> dict[str, Any]:
        with self._pipeline.guard(
            request.headers, method=LIST, api=_API, wire=wire_of(request.scope)
        ) as call:
            return self._page(request, call)

    def _page(self, request: Request, call: Call) -> dict[str, Any]:
        query = request.query_params
        for name in query.keys() - _PARAMETERS:
            raise unimplemented(f"the parameter {name!r} of {LIST}")
        expression = parse(query.get("filter", ""))
        for comparison in comparisons(expression):
            _check(comparison)
        size = query.get("pageSize", "0")
        if not size.isascii() or not size.isdecimal():
            raise invalid_argument(
                f"Invalid value at 'page_size' (TYPE_INT32), \"{size}\"", "page_size"
            )
        allowed = self._kernel.authorizer.allowed
        seen = [
            project
            for project in self._kernel.projects.all()
            if allowed(call.caller.member, GET, project.name)
            and holds(expression, lambda one, of=project: _matches(one, of))  # type: ignore[misc]
        ]
        page, token = page_of(seen, lambda one: one.id, int(size), query.get("pageToken", ""))
        answer: dict[str, Any] = {"projects": [_shown(project) for project in page]}
        return answer | ({"nextPageToken": token} if token else {})


def _check(comparison: Comparison) -> None:
    field, operator, value = comparison.field, comparison.operator, comparison.value
    if field.lower() not in _FIELDS or operator not in {":", "="} or "*" in value[:-1]:
        raise unimplemented(f"the filter {field}{operator}{value} of {LIST}")


def _matches(comparison: Comparison, project: Project) -> bool:
    """Without regard to case; `*` at the end stands for anything."""
    found, value = _FIELDS[comparison.field.lower()](project).lower(), comparison.value.lower()
    return found.startswith(value[:-1]) if value.endswith("*") else found == value


def _shown(project: Project) -> dict[str, Any]:
    return {
        "projectNumber": str(project.number),
        "projectId": project.id,
        "lifecycleState": project.state,
        "name": project.id,
        "createTime": project.create_time.isoformat().replace("+00:00", "Z"),
    }
