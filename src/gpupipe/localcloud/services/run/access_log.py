"""The request log of services: one entry for each request that reached the front door."""

from dataclasses import dataclass

from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.services.run.instance_logs import RESOURCE, labels_of
from gpupipe.localcloud.services.run.names import ServiceName

REQUESTS = "run.googleapis.com%2Frequests"
_CLIENT_ERROR, _SERVER_ERROR = 400, 500


@dataclass(slots=True)
class Access:
    """What became of one request; filled in on its way."""

    service: ServiceName
    method: str
    url: str
    client: str
    user_agent: str
    trace_id: str
    revision: str = ""
    status: int = 0
    size: int = 0
    latency_s: float = 0.0
    message: str = ""


def write(kernel: Kernel, access: Access) -> None:
    """Store the entry (blocks)."""
    name = access.service
    request = {
        "requestMethod": access.method,
        "requestUrl": access.url,
        "status": access.status,
        "responseSize": str(access.size),
        "userAgent": access.user_agent,
        "remoteIp": access.client,
        "latency": f"{access.latency_s:.6f}s",
        "protocol": "HTTP/1.1",
    }
    payload: dict[str, object] = {"httpRequest": request}
    if access.message:
        payload["message"] = access.message
    kernel.logs.write(
        f"projects/{name.project}/logs/{REQUESTS}",
        RESOURCE,
        labels_of(name.project, name.region, name.service, access.revision),
        _severity(access.status),
        payload,
        trace=f"projects/{name.project}/traces/{access.trace_id}",
    )


def _severity(status: int) -> str:
    if status >= _SERVER_ERROR:
        return "ERROR"
    return "WARNING" if status >= _CLIENT_ERROR else "INFO"
