"""Lifecycle rules of a bucket: which are accepted, and which objects they meet."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from gpupipe.localcloud.services.storage.message import Json
from gpupipe.localcloud.services.storage.refusals import bad_request

STORAGE_CLASSES = ("STANDARD", "NEARLINE", "COLDLINE", "ARCHIVE")
_ACTIONS = {"Delete", "SetStorageClass", "AbortIncompleteMultipartUpload"}
_NUMBERS = {"age", "numNewerVersions", "daysSinceNoncurrentTime", "daysSinceCustomTime"}
_LISTS = {"matchesPrefix", "matchesSuffix"}
_DATES = {"createdBefore", "noncurrentTimeBefore", "customTimeBefore"}
_MAX_RULES = 100
_LONGEST = (1 << 31) - 1  # numbers of conditions are int32
_ABORT = "AbortIncompleteMultipartUpload"
_OF_ABORT = {"age", "matchesPrefix", "matchesSuffix"}
_OLD_CLASSES = ("MULTI_REGIONAL", "REGIONAL", "DURABLE_REDUCED_AVAILABILITY")


@dataclass(frozen=True, slots=True)
class Candidate:
    """One object version as the rules see it; `newer` counts the newer versions of its name."""

    name: str
    storage_class: str
    created: datetime
    noncurrent: datetime | None
    newer: int
    custom: datetime | None = None


def check_lifecycle(lifecycle: Json | None) -> None:
    """Raise 400 unless every rule has a known action and conditions that are applied here."""
    rules = (lifecycle or {}).get("rule", [])
    if not isinstance(rules, list) or len(rules) > _MAX_RULES:
        raise bad_request("lifecycle.rule must be a list of at most 100 rules.")
    for rule in rules:
        if not isinstance(rule, dict):
            raise bad_request("A lifecycle rule must be an object.")
        action, condition = rule.get("action") or {}, rule.get("condition") or {}
        _check_action(action)
        _check_condition(condition)
        if action["type"] == _ABORT and (others := condition.keys() - _OF_ABORT):
            raise bad_request(f"{_ABORT} does not take the lifecycle condition '{min(others)}'.")


def due(rules: list[Json], candidate: Candidate, now: datetime) -> Json | None:
    """The action that applies to an object version; deletion goes before a change of class."""
    actions: list[Json] = [
        rule["action"] for rule in rules if _holds(rule["condition"], candidate, now)
    ]
    actions.sort(key=lambda action: str(action["type"]) != "Delete")
    wanted = [a for a in actions if a["type"] != _ABORT]
    return wanted[0] if wanted else None


def _check_action(action: Json) -> None:
    kind = action.get("type")
    if kind not in _ACTIONS:
        raise bad_request(f"Invalid lifecycle action type: '{kind}'.")
    if kind == "SetStorageClass" and action.get("storageClass") not in STORAGE_CLASSES:
        raise bad_request("SetStorageClass needs a valid storageClass.")


def _check_condition(condition: Json) -> None:
    if not condition:
        raise bad_request("A lifecycle rule must have at least one condition.")
    for key, value in condition.items():
        if not _valid_condition(key, value):
            raise bad_request(f"Invalid lifecycle condition '{key}'.")


def _valid_condition(key: str, value: object) -> bool:
    if key in _NUMBERS:
        return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LONGEST
    if key == "matchesStorageClass":
        return isinstance(value, list) and all(
            item in (*STORAGE_CLASSES, *_OLD_CLASSES) for item in value
        )
    if key in _LISTS:
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    if key in _DATES:
        return isinstance(value, str) and _is_date(value)
    return key == "isLive" and isinstance(value, bool)


def _is_date(value: str) -> bool:
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


def _holds(condition: Mapping[str, Any], found: Candidate, now: datetime) -> bool:
    tests: dict[str, Callable[[Any], bool]] = {
        "age": lambda days: now - found.created >= _days(days),
        "createdBefore": lambda day: found.created < _midnight(day),
        "isLive": lambda live: live == (found.noncurrent is None),
        "numNewerVersions": lambda count: found.newer >= count,
        "daysSinceNoncurrentTime": lambda days: (
            found.noncurrent is not None and now - found.noncurrent >= _days(days)
        ),
        "noncurrentTimeBefore": lambda day: (
            found.noncurrent is not None and found.noncurrent < _midnight(day)
        ),
        "daysSinceCustomTime": lambda days: (
            found.custom is not None and now - found.custom >= _days(days)
        ),
        "customTimeBefore": lambda day: found.custom is not None and found.custom < _midnight(day),
        "matchesPrefix": lambda values: found.name.startswith(tuple(values)),
        "matchesSuffix": lambda values: found.name.endswith(tuple(values)),
        "matchesStorageClass": lambda values: found.storage_class in values,
    }
    return all(tests[key](value) for key, value in condition.items())


def _days(count: int) -> timedelta:
    return timedelta(days=min(count, timedelta.max.days))


def _midnight(day: str) -> datetime:
    return datetime.combine(date.fromisoformat(day), datetime.min.time(), UTC)
