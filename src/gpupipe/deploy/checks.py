"""Asks each service for its health, as the workflow's account: nobody else may call one.

The token comes from IAM Credentials. Whoever may not have it made, and whoever is outside of the
network that an ingress setting allows, cannot ask; that says nothing about the service.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from gpupipe.cloud.cloud import Cloud
from gpupipe.cloud.errors import ApiError
from gpupipe.core.errors import GpupipeError
from gpupipe.core.names import SERVICES
from gpupipe.deploy.spec import PipelineSpec

HEALTHY, UNHEALTHY, NOT_CHECKED = "healthy", "unhealthy", "not checked"
_ROLE = "roles/iam.serviceAccountOpenIdTokenCreator"
_EVERYWHERE = "INGRESS_TRAFFIC_ALL"
_OK = 200


@dataclass(frozen=True, slots=True)
class Check:
    """A service's verdict, why, and what it said."""

    service: str
    verdict: str
    detail: str = ""
    said: Mapping[str, Any] = field(default_factory=dict)


def check_all(cloud: Cloud, spec: PipelineSpec) -> tuple[Check, ...]:
    """Every service; all are asked at once. One that is not there is not checked."""
    with ThreadPoolExecutor(len(SERVICES), thread_name_prefix="health") as pool:
        return tuple(pool.map(lambda service: _check(cloud, spec, service), SERVICES))


def _check(cloud: Cloud, spec: PipelineSpec, service: str) -> Check:
    try:
        found = cloud.run.get(spec.service_name(service))
    except GpupipeError as error:
        return Check(service, NOT_CHECKED, error.brief)
    if found is None or not found.uri:
        return Check(service, NOT_CHECKED, "there is no such service")
    if found.service.ingress != _EVERYWHERE:
        return Check(service, NOT_CHECKED, "its ingress lets only internal callers in")
    account = spec.names.account("workflow")
    try:
        token = cloud.iam.id_token(account, found.uri)
    except ApiError as error:
        return Check(service, NOT_CHECKED, _why(error, account))
    try:
        return _judge(service, *cloud.health.ask(found.uri, token))
    except GpupipeError as error:
        return Check(service, UNHEALTHY, f"{error.brief} {error.details or ''}".strip())


def _why(error: ApiError, account: str) -> str:
    if error.refusal.code == "PERMISSION_DENIED":
        return f"you need {_ROLE} on {account}"
    return f"no token of {account}: {error.refusal.message or error.refusal.code}"


def _judge(service: str, status: int, said: Mapping[str, Any]) -> Check:
    if status == _OK and said.get("status") == HEALTHY:
        return Check(service, HEALTHY, str(said.get("device") or ""), said)
    return Check(service, UNHEALTHY, f"/health answered {status}", said)
