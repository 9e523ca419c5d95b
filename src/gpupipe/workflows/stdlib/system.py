"""sys.get_env, sys.log, sys.sleep, sys.sleep_until."""

from collections.abc import Mapping

from gpupipe.workflows.errors import raised
from gpupipe.workflows.limits import EXECUTION_S
from gpupipe.workflows.stdlib.function import NUMBER, Function, Runtime, may, need
from gpupipe.workflows.stdlib.text import parse_time
from gpupipe.workflows.values import Value, to_json, type_error

_LOGGED = (*NUMBER, "boolean", "string", "list", "map")
_SEVERITIES = frozenset(
    {"DEFAULT", "DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "CRITICAL", "ALERT", "EMERGENCY"}
)


async def _get_env(runtime: Runtime, arguments: Mapping[str, Value]) -> Value:
    # Unset without default: null by one source, an error by a weaker one.
    return runtime.environment.get(arguments["name"], arguments["default"])


async def _log(runtime: Runtime, arguments: Mapping[str, Value]) -> Value:
    given = [name for name in ("data", "text", "json") if arguments[name] is not None]
    if len(given) != 1:
        raise type_error("sys.log takes exactly one of data, text and json")
    if arguments["severity"] not in _SEVERITIES:
        raise raised("ValueError", f"unknown severity {arguments['severity']!r}")
    payload = arguments[given[0]]
    as_text = given[0] == "text" and not isinstance(payload, str)
    runtime.effects.log.write(arguments["severity"], to_json(payload) if as_text else payload)
    return None


async def _sleep(runtime: Runtime, arguments: Mapping[str, Value]) -> Value:
    seconds = arguments["seconds"]
    if not seconds >= 0:
        raise raised("ValueError", "sys.sleep cannot sleep a negative time")
    await runtime.effects.clock.sleep(float(min(seconds, EXECUTION_S)))
    return None


async def _sleep_until(runtime: Runtime, arguments: Mapping[str, Value]) -> Value:
    clock = runtime.effects.clock
    seconds = parse_time(arguments["time"]) - clock.now()
    await clock.sleep(float(min(max(0.0, seconds), EXECUTION_S)))
    return None


FUNCTIONS: tuple[Function, ...] = (
    Function("sys.get_env", (need("name", "string"), may("default", None, "string")), _get_env),
    Function(
        "sys.log",
        (
            may("data", None, *_LOGGED),
            may("severity", "DEFAULT", "string"),
            may("text", None, *_LOGGED),
            may("json", None, "map"),
            may("timeout", None, *NUMBER),
        ),
        _log,
        blocking=True,
    ),
    Function("sys.sleep", (need("seconds", *NUMBER),), _sleep, blocking=True),
    Function("sys.sleep_until", (need("time", "string"),), _sleep_until, blocking=True),
)
