"""The words of `gpupipe local fault add`, both ways: what people write, what the control surface takes.

    METHOD:CODE [retry-after TIME] [xN]   refused before anything is done
    METHOD lost [CODE] [xN]               done, and the answer is lost (CODE is answered instead)
    METHOD stall TIME [xN]                held up, then done
    METHOD reset [xN]                     the connection breaks before anything is done
    METHOD slow TIME [xN]                 its operation takes so much longer
    METHOD operation CODE [xN]            its operation fails at the end
    event duplicate [xN]                  events are delivered twice
    propagation TIME                      grants, accounts and APIs have their effect later
    agent NAME missing                    the service agent of an API is taken away

METHOD: a name as `gpupipe local logs --requests` shows it. CODE: an HTTP status or a canonical name.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from gpupipe.commands._durations import seconds, spoken
from gpupipe.core.errors import UsageError
from gpupipe.localcloud.errors import Code

Json = dict[str, Any]
_EVENTS = "eventarc.events.deliver"
_DOMAIN = ".googleapis.com"
_TIMES = re.compile(r"x([1-9]\d{0,5})")
# Where several names share a status, the one that says what clients should do about it.
_BY_STATUS: Mapping[str, Code] = {
    "400": Code.INVALID_ARGUMENT,
    "401": Code.UNAUTHENTICATED,
    "403": Code.PERMISSION_DENIED,
    "404": Code.NOT_FOUND,
    "409": Code.ABORTED,
    "429": Code.RESOURCE_EXHAUSTED,
    "499": Code.CANCELLED,
    "500": Code.INTERNAL,
    "501": Code.UNIMPLEMENTED,
    "503": Code.UNAVAILABLE,
    "504": Code.DEADLINE_EXCEEDED,
}


def parse(words: str, project: str) -> Json:
    """A fault as the control surface takes it; `project` is where an agent is taken from. UsageError."""
    parts = words.split()
    match parts:
        case ["propagation", time]:
            return {"kind": "propagation", "seconds": seconds(time)}
        case ["agent", name, "missing"]:
            api = name if name.endswith(_DOMAIN) else name + _DOMAIN
            return {"kind": "agent", "api": api, "project": project}
    parts, times = _times(parts)
    if parts == ["event", "duplicate"]:
        return {"kind": "duplicate", "method": _EVENTS, "times": times}
    return _call(parts, words) | {"times": times}


def describe(fault: Json) -> str:
    """The words of a fault, as `parse` reads them."""
    kind = fault["kind"]
    if kind == "propagation":
        return f"propagation {spoken(fault['seconds'])}"
    if kind == "agent":
        return f"agent {fault['api'].removesuffix(_DOMAIN)} missing"
    return _described(kind, fault) + (f" x{fault['times']}" if fault["times"] > 1 else "")


def _times(parts: list[str]) -> tuple[list[str], int]:
    found = _TIMES.fullmatch(parts[-1]) if parts else None
    return (parts, 1) if found is None else (parts[:-1], int(found[1]))


def _call(parts: list[str], words: str) -> Json:
    match parts:
        case [first, *rest] if ":" in first:
            method, _, code = first.partition(":")
            return {"kind": "error", "method": method, "code": _code(code), **_retry(rest, words)}
        case [method, "lost"]:
            return {"kind": "lost", "method": method}
        case [method, "lost" | "operation" as kind, code]:
            return {"kind": kind, "method": method, "code": _code(code)}
        case [method, "stall" | "slow" as kind, time] if seconds(time) > 0:
            return {"kind": kind, "method": method, "seconds": seconds(time)}
        case [method, "reset"]:
            return {"kind": "reset", "method": method}
    raise _unclear(words)


def _retry(rest: list[str], words: str) -> Json:
    match rest:
        case []:
            return {}
        case ["retry-after", time]:
            return {"retry_after_s": seconds(time)}
    raise _unclear(words)


def _code(word: str) -> str:
    if word.upper() in Code.__members__:
        return word.upper()
    if word in _BY_STATUS:
        return _BY_STATUS[word].name
    raise UsageError(
        f"{word!r} is no code that an API answers with here.",
        details=f"HTTP statuses: {', '.join(_BY_STATUS)}. Names: {', '.join(Code.__members__)}.",
        resolution="Use one of these. 409 stands for ABORTED; write ALREADY_EXISTS for the other.",
        doc="how-to/break-the-local-cloud.md",
    )


def _unclear(words: str) -> UsageError:
    return UsageError(
        f"{words!r} is no fault.",
        resolution="See `gpupipe local fault add --help`; for example 'run.services.create:503 x2'.",
        doc="how-to/break-the-local-cloud.md",
    )


_DESCRIBED: Mapping[str, Callable[[Json], str]] = {
    "lost": lambda fault: "lost" + (f" {fault['code']}" if fault.get("code") else ""),
    "stall": lambda fault: f"stall {spoken(fault['seconds'])}",
    "slow": lambda fault: f"slow {spoken(fault['seconds'])}",
    "operation": lambda fault: f"operation {fault['code']}",
    "reset": lambda _: "reset",
}


def _described(kind: str, fault: Json) -> str:
    if kind == "duplicate":
        return "event duplicate"
    if kind != "error":
        return f"{fault['method']} {_DESCRIBED[kind](fault)}"
    pause = fault.get("retry_after_s")
    return f"{fault['method']}:{fault['code']}" + (
        "" if pause is None else f" retry-after {spoken(pause)}"
    )
