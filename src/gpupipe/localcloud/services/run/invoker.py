"""Who may invoke a service: the identity token, then run.invoker.

Statuses as Cloud Run answers them: no token is 403, a token that is no good is 401, a caller
without the role is 403, and a service that only answers inside its project is 404 from outside
(all own knowledge; the texts are UNSURE).
"""

from collections.abc import Mapping
from typing import Any

from gpupipe.localcloud.errors import ServiceError
from gpupipe.localcloud.kernel import internal_traffic
from gpupipe.localcloud.kernel.authorization import ANONYMOUS
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.services.run import messages
from gpupipe.localcloud.services.run.names import service_name
from gpupipe.localcloud.services.run.uri import uri_of

PERMISSION = "run.routes.invoke"
# The second one also lets load balancers in, of which the local cloud has none.
_INSIDE_ONLY = (messages.INGRESS_INTERNAL, messages.INGRESS_BALANCER)
_SERVERLESS = "x-serverless-authorization"
_SCHEME = "bearer "
_CHALLENGE = 'Bearer error="invalid_token" error_description="{}"'


class RefusalError(Exception):
    """An answer of the front door itself."""

    def __init__(self, status: int, text: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.headers = headers


def check(kernel: Kernel, service: Any, headers: Mapping[str, str]) -> str:
    """The member that calls (`allUsers` for anyone); raises RefusalError."""
    _check_ingress(kernel, service, headers)
    if kernel.authorizer.allowed(ANONYMOUS, PERMISSION, service.name):
        return ANONYMOUS
    token = _token(headers)
    try:
        email = kernel.identity.verify_id_token(token, uri_of(kernel, service.name))
    except ServiceError as error:
        challenge = _CHALLENGE.format("The access token could not be verified")
        text = f"Your client does not have permission to the requested URL: {error.message}"
        raise RefusalError(401, text, (("WWW-Authenticate", challenge),)) from error
    member = f"serviceAccount:{email}"
    if not kernel.authorizer.allowed(member, PERMISSION, service.name):
        text = f"{email} has no role with {PERMISSION} (roles/run.invoker) on this service."
        challenge = (
            'Bearer error="insufficient_scope" error_description="The access token lacks it"'
        )
        raise RefusalError(403, text, (("WWW-Authenticate", challenge),))
    return member


def forwarded_authorization(headers: Mapping[str, str]) -> str | None:
    """The Authorization header as the container gets it: an identity token without signature."""
    value = headers.get("authorization")
    if value is None or _SERVERLESS in headers or value[: len(_SCHEME)].lower() != _SCHEME:
        return value
    head, _, _ = value.rpartition(".")
    return f"{head}.SIGNATURE_REMOVED_BY_GOOGLE" if head else value


def _check_ingress(kernel: Kernel, service: Any, headers: Mapping[str, str]) -> None:
    if service.ingress not in _INSIDE_ONLY:
        return
    value = headers.get(internal_traffic.HEADER, "")
    project = service_name(service.name).project
    if not internal_traffic.is_inside(value, kernel.identity.operator_token, project):
        raise RefusalError(
            404, "The requested URL was not found: the service has internal ingress."
        )


def _token(headers: Mapping[str, str]) -> str:
    value = headers.get(_SERVERLESS) or headers.get("authorization", "")
    if value[: len(_SCHEME)].lower() != _SCHEME:
        raise RefusalError(403, "Your client does not have permission to get this URL: no token.")
    return value[len(_SCHEME) :].strip()
