"""POST /v1beta1/projects/P/services/S:generateServiceIdentity, which only v1beta1 over REST has."""

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gpupipe.localcloud.errors import not_found
from gpupipe.localcloud.kernel.audit import Audited, Target
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.services.serviceusage import rules
from gpupipe.localcloud.services.serviceusage.service import operation_name
from gpupipe.localcloud.transport.pipeline import Pipeline
from gpupipe.localcloud.transport.wire import wire_of

_TYPE = "type.googleapis.com/google.api.serviceusage.v1beta1"
METHOD = "serviceusage.services.generateServiceIdentity"
# Which permission Google asks for is UNSURE; the role that enables APIs has this one.
_PERMISSION = "serviceusage.services.enable"
_METHOD_NAME = "google.api.serviceusage.v1beta1.ServiceUsage.GenerateServiceIdentity"


class ServiceIdentities:
    """Makes the agent of an API exist, with its role on the project; again changes nothing."""

    def __init__(self, kernel: Kernel, pipeline: Pipeline) -> None:
        self._kernel = kernel
        self._pipeline = pipeline

    def route(self) -> Route:
        """The one route."""
        path = "/v1beta1/projects/{project}/services/{service}:generateServiceIdentity"
        return Route(path, self._endpoint, methods=["POST"])

    async def _endpoint(self, request: Request) -> Response:
        return JSONResponse(await asyncio.to_thread(self._generate, request))

    def _generate(self, request: Request) -> dict[str, Any]:
        named, service = request.path_params["project"], request.path_params["service"]
        name = f"projects/{named}/services/{service}"
        with self._pipeline.guard(
            request.headers,
            method=METHOD,
            api=rules.API,
            permission=_PERMISSION,
            resource=f"projects/{named}",
            writes=True,
            wire=wire_of(request.scope),
            audited=Audited(_PERMISSION, _METHOD_NAME, lambda: Target(name)),
        ):
            rules.check_known(service)
            project = self._kernel.projects.get(named)
            if project is None:
                raise not_found(f"Project {named} was not found.")
            email = self._kernel.agents.create(service, project.id)
        return {
            "name": operation_name(project),
            "metadata": {"@type": f"{_TYPE}.OperationMetadata"},
            "done": True,
            "response": {"@type": f"{_TYPE}.ServiceIdentity", "email": email},
        }
