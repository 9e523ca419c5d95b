"""The names under which a client that uses the HTTP listener as its proxy reaches each API.

`http://eventarc.gpupipe.test/...`, `http://us-central1-run.gpupipe.test/...`: `test` is a top-level
domain that resolves nowhere, so what is meant for the local cloud never leaves the machine, even
where a client forgets its proxy. Google's own names (`eventarc.googleapis.com`) mean the same.
"""

import re
from collections.abc import Mapping
from typing import Any

DOMAIN = "gpupipe.test"

# API -> the path below its host that clients begin with, as Google's endpoints have it.
APIS: Mapping[str, str] = {
    "artifactregistry": "/",
    "billingbudgets": "/",
    "cloudbilling": "/",
    "cloudbuild": "/",
    "cloudkms": "/",
    "cloudquotas": "/",
    "cloudresourcemanager": "/",
    "eventarc": "/",
    "iam": "/",
    "iamcredentials": "/",
    "logging": "/",
    "monitoring": "/",
    "orgpolicy": "/",
    "pubsub": "/",
    "run": "/",
    "serviceusage": "/",
    "storage": "/storage/v1/",
    "workflowexecutions": "/",
    "workflows": "/",
}

_HOST = re.compile(
    r"(?:([a-z]+-[a-z]+[0-9]+)-)?([a-z]+)\.(?:gpupipe\.test|googleapis\.com)(?::\d+)?"
)
_TUNNEL = re.compile(r"([a-z0-9-]+\.googleapis\.com):443")
_KEY, _REGION = "gpupipe.api", "gpupipe.region"


def api_of(host: str) -> str | None:
    """The API that a host name means ("run.googleapis.com"), with or without a region before it."""
    match = _HOST.fullmatch(host.lower())
    return f"{match[2]}.googleapis.com" if match is not None and match[2] in APIS else None


def region_of(host: str) -> str:
    """The region before the API's name in a host ("us-central1-run.googleapis.com"), or ""."""
    match = _HOST.fullmatch(host.lower())
    return (match[1] or "") if match is not None else ""


def tunnelled(target: str) -> str | None:
    """The host of Google's that a client wants a tunnel to ("run.googleapis.com:443"), or None."""
    match = _TUNNEL.fullmatch(target.lower())
    return match[1] if match is not None else None


def named(scope: Mapping[str, Any]) -> str | None:
    """The API that a request named by its host; None for one that came by our own address."""
    found = scope.get(_KEY)
    return found if isinstance(found, str) else None


def region(scope: Mapping[str, Any]) -> str:
    """The region that a request named by its host, or ""."""
    return str(scope.get(_REGION, ""))


def naming(api: str | None, region: str = "") -> dict[str, str]:
    """What `named` and `region` read, for the scope of a request."""
    return {} if api is None else {_KEY: api, _REGION: region}
