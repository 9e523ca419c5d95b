"""What every facade shares: clients, the caller, and one unary call."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from gpupipe.cloud.call import TIMEOUT_S, Caller, Cause
from gpupipe.cloud.clients import Clients, module
from gpupipe.cloud.operations import carry_out

T = TypeVar("T")
Binding = tuple[str, str]
"""A role and one member, as ("roles/run.invoker", "serviceAccount:…")."""


def json_of(answer: Any) -> Any:
    """What an HTTP answer says; a refusal raises as the Google libraries raise it."""
    if answer.status_code >= 400:  # noqa: PLR2004  # HTTP
        raise module("google.api_core.exceptions").from_http_response(answer)
    return answer.json()


class Api:
    """Base of the facades: each is the few calls that gpupipe needs of one API."""

    def __init__(self, clients: Clients, caller: Caller) -> None:
        self._clients = clients
        self._caller = caller

    def _call(
        self,
        what: str,
        resource: str,
        attempt: Callable[[], T],
        *,
        idempotent: bool = True,
        causes: tuple[Cause, ...] = (),
    ) -> T:
        """`Caller.call` on behalf of this API, whose rate limit all of its calls share."""
        return self._caller.call(
            what, resource, attempt, idempotent=idempotent, causes=causes, api=self._name
        )

    @property
    def _name(self) -> str:
        return type(self).__name__

    def _unary(
        self,
        what: str,
        resource: str,
        method: Any,
        request: Mapping[str, Any] | Any,
        *,
        idempotent: bool = True,
        causes: tuple[Cause, ...] = (),
    ) -> Any:
        """One call of a generated client's method, without the library's retry."""
        return self._call(
            what,
            resource,
            lambda: method(request=request, retry=None, timeout=TIMEOUT_S),
            idempotent=idempotent,
            causes=causes,
        )

    def _operate(
        self,
        what: str,
        resource: str,
        method: Any,
        request: Mapping[str, Any],
        deadline_s: float,
        *,
        causes: tuple[Cause, ...] = (),
    ) -> Any:
        """A change that is an operation: its response, once it is done."""
        return carry_out(
            self._caller,
            what,
            resource,
            lambda: self._unary(what, resource, method, request, causes=causes),
            deadline_s,
            api=self._name,
        )

    def _all(self, what: str, resource: str, method: Any, request: Mapping[str, Any]) -> list[Any]:
        """Every item of a paged list; the whole list is one attempt."""
        return self._call(
            what,
            resource,
            lambda: list(method(request=request, retry=None, timeout=TIMEOUT_S)),
        )
