"""A seal tells somebody else's change from a change of what is wanted."""

from datetime import UTC, datetime

import pytest

from gpupipe.deploy.drift import Drift, drift, sealed

LABELS = {"managed-by": "gpupipe", "gpupipe-version": "1-0"}
OWNED = {"memory": 2**30, "environment": {"A": "1", "B": "2"}, "rules": ("x", "y")}
LAST = Drift("alice@example.com", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))


def test_what_the_last_deploy_set_is_no_drift_in_whatever_order() -> None:
    same = {"rules": ("y", "x"), "environment": {"B": "2", "A": "1"}, "memory": 2**30}
    assert drift(sealed(LABELS, OWNED), LABELS, same, LAST) is None


def test_another_value_is_drift() -> None:
    assert drift(sealed(LABELS, OWNED), LABELS, {**OWNED, "memory": 1}, LAST) is LAST


@pytest.mark.parametrize(
    "found", [LABELS, {**sealed(LABELS, OWNED), "gpupipe-version": "0-9"}], ids=["none", "older"]
)
def test_without_a_seal_of_this_version_nothing_is_claimed(found: dict[str, str]) -> None:
    assert drift(found, LABELS, {**OWNED, "memory": 1}, LAST) is None


@pytest.mark.parametrize(
    ("last", "told"),
    [
        (LAST, "last changed by alice@example.com at 2026-01-02 03:04:05 UTC"),
        (Drift(at=LAST.at), "last changed at 2026-01-02 03:04:05 UTC"),
        (Drift(), "the API does not tell by whom and when"),
    ],
)
def test_who_and_when_as_far_as_it_is_told(last: Drift, told: str) -> None:
    assert str(last) == told
