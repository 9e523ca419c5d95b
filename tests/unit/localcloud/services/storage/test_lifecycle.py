"""Which lifecycle rules are accepted, and which versions they meet."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gpupipe.localcloud.services.storage.lifecycle import Candidate, check_lifecycle, due
from gpupipe.localcloud.services.storage.refusals import StorageError

NOW = datetime(2026, 5, 20, tzinfo=UTC)
DELETE = {"type": "Delete"}


def candidate(**changes: Any) -> Candidate:
    values = {
        "name": "chunks/1",
        "storage_class": "STANDARD",
        "created": NOW - timedelta(days=10),
        "noncurrent": None,
        "newer": 0,
    }
    return Candidate(**{**values, **changes})


@pytest.mark.promise(108)
@pytest.mark.parametrize(
    ("condition", "found", "meets"),
    [
        ({"age": 10}, candidate(), True),
        ({"age": 11}, candidate(), False),
        ({"age": 0}, candidate(created=NOW), True),
        ({"numNewerVersions": 1}, candidate(newer=1), True),
        ({"numNewerVersions": 2}, candidate(newer=1), False),
        ({"daysSinceNoncurrentTime": 1}, candidate(), False),
        ({"daysSinceNoncurrentTime": 1}, candidate(noncurrent=NOW - timedelta(days=1)), True),
        ({"daysSinceNoncurrentTime": 2}, candidate(noncurrent=NOW - timedelta(days=1)), False),
        ({"isLive": True}, candidate(noncurrent=NOW), False),
        ({"isLive": False}, candidate(noncurrent=NOW), True),
        ({"matchesPrefix": ["chunks/", "x"]}, candidate(), True),
        ({"matchesPrefix": ["scores/"]}, candidate(), False),
        ({"matchesSuffix": ["/1"]}, candidate(), True),
        ({"matchesStorageClass": ["NEARLINE"]}, candidate(), False),
        ({"createdBefore": "2026-05-11"}, candidate(), True),
        ({"createdBefore": "2026-05-10"}, candidate(), False),
        ({"noncurrentTimeBefore": "2026-05-19"}, candidate(), False),
        ({"age": 1, "matchesPrefix": ["scores/"]}, candidate(), False),
    ],
)
def test_condition(condition: dict[str, Any], found: Candidate, *, meets: bool) -> None:
    action = due([{"action": DELETE, "condition": condition}], found, NOW)
    assert action == (DELETE if meets else None)


def test_deletion_goes_before_a_change_of_class() -> None:
    colder = {"type": "SetStorageClass", "storageClass": "NEARLINE"}
    rules = [{"action": a, "condition": {"age": 1}} for a in (colder, DELETE)]
    assert due(rules, candidate(), NOW) == DELETE


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ({"action": {"type": "Burn"}, "condition": {"age": 1}}, "action type"),
        ({"action": DELETE, "condition": {}}, "at least one condition"),
        ({"action": DELETE, "condition": {"age": -1}}, "'age'"),
        ({"action": DELETE, "condition": {"age": True}}, "'age'"),
        ({"action": DELETE, "condition": {"createdBefore": "soon"}}, "'createdBefore'"),
        ({"action": DELETE, "condition": {"customTimeBefore": "later"}}, "'customTimeBefore'"),
        ({"action": {"type": "SetStorageClass"}, "condition": {"age": 1}}, "storageClass"),
    ],
)
def test_a_rule_that_cannot_be_applied_is_refused(rule: dict[str, Any], text: str) -> None:
    with pytest.raises(StorageError, match=text):
        check_lifecycle({"rule": [rule]})
