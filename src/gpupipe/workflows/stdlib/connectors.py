"""googleapis.*: a connector is an HTTP call as the workflow's account, retried, and waited for.

Its answer is the body alone. `connector_params` bounds the whole call and says how what runs long is
polled. What ended badly is an OperationError with the operation in it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from urllib.parse import quote

from gpupipe.workflows.errors import WorkflowError, raised
from gpupipe.workflows.limits import EXECUTION_S, HTTP_TIMEOUT_MOST_S
from gpupipe.workflows.stdlib.connector_table import EXECUTIONS, Connector, Wait, connectors
from gpupipe.workflows.stdlib.function import Function, Runtime, may, need
from gpupipe.workflows.stdlib.http_ import is_retried, request_of, send
from gpupipe.workflows.values import Value, from_json, is_number, kind, to_json, type_error

_PARAMS = frozenset({"timeout", "polling_policy", "skip_polling", "scopes"})
_POLLING = {"initial_delay": 1.0, "max_delay": 60.0, "multiplier": 1.25}
# As http.default_retry: how often, and the pauses.
_RETRIES, _FIRST_S, _MOST_S, _FACTOR = 5, 1.0, 60.0, 1.25
_RUNNING = frozenset({"ACTIVE", "QUEUED"})


@dataclass(slots=True)
class _Pauses:
    """Growing pauses."""

    next: float
    most: float
    factor: float

    def take(self) -> float:
        pause, self.next = min(self.next, self.most), min(self.next * self.factor, self.most)
        return pause


@dataclass(frozen=True, slots=True)
class _Call:
    """One call of a connector on its way; `deadline` in seconds since 1970."""

    runtime: Runtime
    deadline: float
    scopes: Value

    async def send(self, verb: str, url: str, query: Mapping[str, Value], body: Value) -> Value:
        """The body of the answer, after retries as for `http.default_retry`."""
        pauses = _Pauses(_FIRST_S, _MOST_S, _FACTOR)
        for left in range(_RETRIES, -1, -1):
            try:
                answer = await send(
                    self.runtime, request_of(verb, self._arguments(url, query, body))
                )
            except WorkflowError as error:
                if not left or not is_retried(error.value, idempotent=verb == "GET"):
                    raise
            else:
                found = answer["body"]
                return None if found == "" else found
            await self.pause(pauses)
        raise AssertionError("the last attempt returns or raises")

    def _arguments(self, url: str, query: Mapping[str, Value], body: Value) -> dict[str, Value]:
        left = self.deadline - self.runtime.effects.clock.now()
        if left <= 0:
            raise _too_slow()
        auth = {"type": "OAuth2", "scopes": self.scopes}
        timeout = min(left, HTTP_TIMEOUT_MOST_S)
        headers: dict[str, Value] = {}
        return {"url": url, "query": query, "body": body, "auth": auth, "timeout": timeout,
                "headers": headers}  # fmt: skip

    async def pause(self, pauses: _Pauses) -> None:
        """Wait, but not beyond the deadline; TimeoutError there."""
        clock = self.runtime.effects.clock
        left = self.deadline - clock.now()
        wanted = pauses.take()
        await clock.sleep(max(0.0, min(wanted, left)))
        if wanted >= left:
            raise _too_slow()


def _too_slow() -> WorkflowError:
    return raised("TimeoutError", "the connector call took longer than its timeout")


async def _run(connector: Connector, runtime: Runtime, given: Mapping[str, Value]) -> Value:
    """One method of an API."""
    params = _params(given["connector_params"], long=connector.wait is not None)
    call = _Call(runtime, runtime.effects.clock.now() + params["timeout"], params["scopes"])
    url = connector.url
    query: dict[str, Value] = {}
    for name in (*connector.required, *connector.optional):
        if "{" + name + "}" in url:
            url = url.replace("{" + name + "}", given[name])
        elif given[name] is not None:
            query[name] = given[name]
    if connector.name.endswith("objects.insert"):
        query.setdefault("uploadType", "media")
    begun = await call.send(connector.verb, url, query, given.get("body"))
    if connector.wait is None or params["skip_polling"]:
        return begun
    return await _ended(call, connector, begun, params["polling_policy"])


def _params(given: Value, *, long: bool) -> dict[str, Value]:
    """connector_params with its defaults; TypeError or ValueError for others."""
    given = given or {}
    for name in sorted(given.keys() - _PARAMS):
        raise raised("ValueError", f"connector_params has no {name!r}")
    most = EXECUTION_S if long else HTTP_TIMEOUT_MOST_S
    timeout = _number(given, "timeout", HTTP_TIMEOUT_MOST_S)
    if not 0 < timeout <= most:
        raise raised("ValueError", f"timeout must be above 0 and at most {most:.0f} s")
    skip = given.get("skip_polling")
    if not isinstance(skip, bool | None):
        raise type_error(f"skip_polling must be a boolean; got: {kind(skip)}")
    return {
        "timeout": timeout,
        "polling_policy": _polling(given.get("polling_policy")),
        "skip_polling": skip,
        "scopes": given.get("scopes"),
    }


def _polling(given: Value) -> _Pauses:
    if not isinstance(given, dict | None):
        raise type_error(f"polling_policy must be a map; got: {kind(given)}")
    for name in sorted((given or {}).keys() - _POLLING.keys()):
        raise raised("ValueError", f"polling_policy has no {name!r}")
    first, most, factor = (_number(given or {}, name, value) for name, value in _POLLING.items())
    return _Pauses(first, most, factor)


def _number(given: Mapping[str, Value], name: str, default: float) -> float:
    value = given.get(name, default)
    if not is_number(value):
        raise type_error(f"{name} must be a number; got: {kind(value)}")
    if not value >= 0:
        raise raised("ValueError", f"{name} must be a number from 0 on; got: {value}")
    return float(value)


async def _ended(call: _Call, connector: Connector, found: Value, pauses: _Pauses) -> Value:
    """What a long call came to: the operation once it is done, or the execution."""
    while not _is_over(found, connector.wait):
        await call.pause(pauses)
        found = await call.send("GET", f"{connector.poll}/{found['name']}", {}, None)
    if connector.wait is Wait.EXECUTION:
        if found.get("state") != "SUCCEEDED":
            raise _failed("Execution failed or cancelled.", found)
    elif "error" in found:
        raise _failed(str(found["error"].get("message", "")), found)
    return found


def _is_over(found: Value, wait: Wait | None) -> bool:
    if not (isinstance(found, dict) and isinstance(found.get("name"), str)):
        raise raised("ResponseTypeError", "the answer is not a long-running operation")
    if wait is Wait.EXECUTION:
        return found.get("state") not in _RUNNING
    return found.get("done") is True


def _failed(message: str, operation: Value) -> WorkflowError:
    """The error of a long call; the words for executions are those of the service's logs."""
    return WorkflowError(
        {
            "message": message,
            "tags": ["OperationError"],
            "operation": operation,
            "error": operation.get("error"),
        }
    )


async def _run_workflow(runtime: Runtime, given: Mapping[str, Value]) -> Value:
    """`executions.run`: another workflow, here and in this project where nothing else is said."""
    here = runtime.environment
    project = given["project_id"] or here.get("GOOGLE_CLOUD_PROJECT_ID", "")
    location = given["location"] or here.get("GOOGLE_CLOUD_LOCATION", "")
    parts = ("projects", project, "locations", location, "workflows", given["workflow_id"])
    body = {} if given["argument"] is None else {"argument": to_json(given["argument"])}
    if given["callLogLevel"] is not None:
        body["callLogLevel"] = given["callLogLevel"]
    arguments = {
        "parent": "/".join(quote(part, safe="") for part in parts),
        "body": body,
        "connector_params": given["connector_params"],
    }
    execution = await _run(_CREATE, runtime, arguments)
    if (given["connector_params"] or {}).get("skip_polling"):
        return None
    return from_json(execution.get("result") or "null")


def _function(connector: Connector) -> Function:
    return Function(
        connector.name,
        (
            *(need(name, "string") for name in connector.required),
            *(may(name, None) for name in connector.optional),
            *((may("body", None),) if connector.body else ()),
            may("connector_params", None, "map"),
        ),
        partial(_run, connector),
        blocking=True,
    )


_TABLE = tuple(connectors())
_CREATE = next(one for one in _TABLE if one.name == f"{EXECUTIONS}.create")
FUNCTIONS: tuple[Function, ...] = (
    *(_function(one) for one in _TABLE),
    Function(
        f"{EXECUTIONS}.run",
        (
            need("workflow_id", "string"),
            may("location", None, "string"),
            may("project_id", None, "string"),
            may("argument", None),
            may("callLogLevel", None, "string"),
            may("connector_params", None, "map"),
        ),
        _run_workflow,
        blocking=True,
    ),
)
