"""The refusal rows of tests/refusals/*.yaml: read, checked for sense, sent, and compared.

A row is what we believe of Google: this request is refused with this code. The rows know nothing of
the local cloud's code, and the local cloud does not read them.

    rows:
      - id: run.l4-size                  # file's API, a dot, words
        rule: An L4 needs 4 CPU and 16 GiB of memory.
        base: run.service                # a request of `bases` that is accepted; or `call` and `request`
        change: {service.template.containers.0.resources.limits.cpu: "2"}   # None removes
        code: INVALID_ARGUMENT           # or `status: 412` for `http` calls
        reason: ""                       # ErrorInfo's reason, or Storage's
        field: service.template...       # of BadRequest, where one is given
        where: call                      # call, or operation: the error of the operation
        text: "requested: 10 allowed: 3" # a part of the message; only with certainty TEXT
        source: run/docs/configuring/services/gpu
        certainty: RULE                  # TEXT, RULE or UNSURE
        given: [enabled]                 # names of `tests.support.givens.GIVENS`, in order
        roles: [roles/run.viewer]        # the caller is an account with these; else the operator

Placeholders {project}, {number}, {region} and {digest} (of the image in the repository "images")
are filled in everywhere; every row has a project of its own. `!repeat [x, 300]` is a long text,
`!labels 65` a map of so many labels, and `!members [20, "user:{}@example.com"]` a list of so many
texts, numbered where they have "{}"; `!variables 65` a list of so many environment variables.
"""

import copy
import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parents[1] / "refusals"
CLIENTS = {
    "alertpolicies": ("google.cloud.monitoring_v3", "AlertPolicyServiceClient"),
    "artifactregistry": ("google.cloud.artifactregistry_v1", "ArtifactRegistryClient"),
    "billingbudgets": ("google.cloud.billing.budgets_v1", "BudgetServiceClient"),
    "channels": ("google.cloud.monitoring_v3", "NotificationChannelServiceClient"),
    "cloudbilling": ("google.cloud.billing_v1", "CloudBillingClient"),
    "cloudbuild": ("google.cloud.devtools.cloudbuild_v1", "CloudBuildClient"),
    "cloudquotas": ("google.cloud.cloudquotas_v1", "CloudQuotasClient"),
    "cloudresourcemanager": ("google.cloud.resourcemanager_v3", "ProjectsClient"),
    "dashboards": ("google.cloud.monitoring_dashboard_v1", "DashboardsServiceClient"),
    "eventarc": ("google.cloud.eventarc_v1", "EventarcClient"),
    "iam": ("google.cloud.iam_admin_v1", "IAMClient"),
    "iamcredentials": ("google.cloud.iam_credentials_v1", "IAMCredentialsClient"),
    "logging": (
        "google.cloud.logging_v2.services.logging_service_v2",
        "LoggingServiceV2Client",
    ),
    "logmetrics": (
        "google.cloud.logging_v2.services.metrics_service_v2",
        "MetricsServiceV2Client",
    ),
    "logsinks": (
        "google.cloud.logging_v2.services.config_service_v2",
        "ConfigServiceV2Client",
    ),
    "orgpolicy": ("google.cloud.orgpolicy_v2", "OrgPolicyClient"),
    "publisher": ("google.pubsub_v1", "PublisherClient"),
    "revisions": ("google.cloud.run_v2", "RevisionsClient"),
    "run": ("google.cloud.run_v2", "ServicesClient"),
    "serviceusage": ("google.cloud.service_usage_v1", "ServiceUsageClient"),
    "series": ("google.cloud.monitoring_v3", "MetricServiceClient"),
    "subscriber": ("google.pubsub_v1", "SubscriberClient"),
    "workflowexecutions": ("google.cloud.workflows.executions_v1", "ExecutionsClient"),
    "workflows": ("google.cloud.workflows_v1", "WorkflowsClient"),
}


class Certainty(Enum):
    """How well Google's refusal is known."""

    TEXT = "the text was read in a source"
    RULE = "the rule was read in a source; the words are ours"
    UNSURE = "the rule is unsure or our own knowledge; the words are ours"


@dataclass(frozen=True, slots=True)
class Request:
    """One call: a client's method ("run.create_service") with a request, or verb and path."""

    call: str
    body: dict[str, Any]
    given: tuple[str, ...]

    @property
    def is_http(self) -> bool:
        """Whether `call` is "POST /storage/v1/b"."""
        return " " in self.call


@dataclass(frozen=True, slots=True)
class Row:
    """One refusal."""

    id: str
    rule: str
    request: Request
    source: str
    certainty: Certainty
    code: str = ""
    status: int = 0
    reason: str = ""
    field: str = ""
    text: str = ""
    where: str = "call"
    roles: tuple[str, ...] = ()

    @property
    def api(self) -> str:
        """The part of the id before the dot: the file's name."""
        return self.id.partition(".")[0]


_SAID = frozenset({"id", "rule", "source", "code", "status", "reason", "field", "text", "where"})
_READ = frozenset({"base", "call", "request", "change", "given", "certainty", "roles"})


class _Loader(yaml.SafeLoader):
    """YAML with `!repeat`, `!labels`, `!members` and `!variables`."""


def _repeat(loader: _Loader, node: yaml.SequenceNode) -> str:
    text, times = loader.construct_sequence(node)
    return str(text) * int(times)


def _labels(loader: _Loader, node: yaml.ScalarNode) -> dict[str, str]:
    return {f"label-{number}": "x" for number in range(int(str(loader.construct_scalar(node))))}


def _members(loader: _Loader, node: yaml.SequenceNode) -> list[str]:
    times, text = loader.construct_sequence(node)
    return [str(text).replace("{}", str(number)) for number in range(int(times))]


def _variables(loader: _Loader, node: yaml.ScalarNode) -> list[dict[str, str]]:
    times = int(str(loader.construct_scalar(node)))
    return [{"name": f"V{number}", "value": "x"} for number in range(times)]


_Loader.add_constructor("!members", _members)
_Loader.add_constructor("!variables", _variables)
_Loader.add_constructor("!repeat", _repeat)
_Loader.add_constructor("!labels", _labels)


@cache
def rows() -> tuple[Row, ...]:
    """Every row, file by file."""
    return tuple(
        _row(path.stem, entry, table["bases"] or {})
        for path, table in _tables()
        for entry in table["rows"]
    )


@cache
def bases() -> dict[str, Request]:
    """The requests that are accepted, by "API.name"."""
    return {
        f"{path.stem}.{name}": _request(entry)
        for path, table in _tables()
        for name, entry in (table["bases"] or {}).items()
    }


def _tables() -> Iterator[tuple[Path, dict[str, Any]]]:
    for path in sorted(FOLDER.glob("*.yaml")):
        yield path, yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506  # derived from SafeLoader


def _request(entry: Mapping[str, Any]) -> Request:
    return Request(entry["call"], entry.get("request") or {}, tuple(entry.get("given", ())))


def _row(api: str, entry: dict[str, Any], named: Mapping[str, Any]) -> Row:
    said = {name: value for name, value in entry.items() if name in _SAID}
    base = _request(named[entry["base"]]) if "base" in entry else _request(entry)
    body = copy.deepcopy(base.body)
    for path, value in (entry.get("change") or {}).items():
        _set(body, path.split("."), value)
    extra = tuple(entry.get("given", ())) if "base" in entry else ()
    row = Row(
        request=Request(entry.get("call", base.call), body, base.given + extra),
        certainty=Certainty[entry["certainty"]],
        roles=tuple(entry.get("roles", ())),
        **said,
    )
    if unknown := set(entry) - _SAID - _READ:
        raise ValueError(f"{row.id}: unknown keys {sorted(unknown)}")
    _check(api, row)
    return row


def _check(api: str, row: Row) -> None:
    """A row that says nothing, or more than its source, is a mistake of the row."""
    if row.api != api or not (row.rule and row.source):
        raise ValueError(f"{row.id}: it needs an id of its file, a rule and a source")
    if bool(row.code) == bool(row.status) or bool(row.status) != row.request.is_http:
        raise ValueError(f"{row.id}: code for clients, status for HTTP calls")
    if bool(row.text) != (row.certainty is Certainty.TEXT):
        raise ValueError(f"{row.id}: a text is asserted where it was read in a source, only there")


def _set(target: Any, path: list[str], value: Any) -> None:
    *parents, last = path
    for name in parents:
        target = target[int(name)] if isinstance(target, list) else target.setdefault(name, {})
    if isinstance(target, list):
        target[int(last)] = value
    elif value is None:
        target.pop(last)
    else:
        target[last] = value


def filled(value: Any, names: Mapping[str, str]) -> Any:
    """The value with {project}, {number} and {region} filled in."""
    if isinstance(value, str):
        for name, text in names.items():
            value = value.replace(f"{{{name}}}", text)
        return value
    if isinstance(value, list):
        return [filled(one, names) for one in value]
    if isinstance(value, dict):
        return {filled(key, names): filled(one, names) for key, one in value.items()}
    return value


def client_class(api: str) -> type[Any]:
    """The official client of an API."""
    module, name = CLIENTS[api]
    found: type[Any] = getattr(importlib.import_module(module), name)
    return found
