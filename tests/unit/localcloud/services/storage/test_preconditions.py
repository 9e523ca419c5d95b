"""Preconditions against what is stored: 412 for writes, 304 for reads of what one has."""

from collections.abc import Mapping

import pytest

from gpupipe.localcloud.kernel.caller import OPERATOR
from gpupipe.localcloud.services.storage.message import Inbound
from gpupipe.localcloud.services.storage.preconditions import (
    Preconditions,
    Versions,
    from_query,
)
from gpupipe.localcloud.services.storage.refusals import StorageError

STORED, ABSENT = Versions(7, 2), Versions()


def inbound(query: Mapping[str, str]) -> Inbound:
    return Inbound(OPERATOR, {}, query, {}, iter(()))


@pytest.mark.parametrize(
    ("wanted", "found", "holds"),
    [
        (Preconditions(), STORED, True),
        (Preconditions(generation_match=7), STORED, True),
        (Preconditions(generation_match=8), STORED, False),
        (Preconditions(generation_match=0), ABSENT, True),
        (Preconditions(generation_match=0), STORED, False),
        (Preconditions(generation_not_match=7), STORED, False),
        (Preconditions(generation_not_match=0), STORED, True),
        (Preconditions(generation_not_match=0), ABSENT, False),
        (Preconditions(metageneration_match=2), STORED, True),
        (Preconditions(metageneration_match=3), STORED, False),
        (Preconditions(metageneration_match=1), ABSENT, False),
        (Preconditions(metageneration_not_match=2), STORED, False),
        (Preconditions(metageneration_not_match=1), STORED, True),
    ],
)
def test_write(wanted: Preconditions, found: Versions, *, holds: bool) -> None:
    if holds:
        wanted.check_write(found)
        return
    with pytest.raises(StorageError) as refusal:
        wanted.check_write(found)
    assert (refusal.value.status, refusal.value.reason) == (412, "conditionNotMet")


@pytest.mark.parametrize(
    ("wanted", "status"),
    [
        (Preconditions(generation_match=8), 412),
        (Preconditions(metageneration_match=8), 412),
        (Preconditions(generation_not_match=7), 304),
        (Preconditions(metageneration_not_match=2), 304),
    ],
)
def test_read(wanted: Preconditions, status: int) -> None:
    with pytest.raises(StorageError) as refusal:
        wanted.check_read(STORED)
    assert refusal.value.status == status


def test_query_with_the_spelling_of_the_client() -> None:
    found = from_query(inbound({"ifGenerationMatch": "0", "ifMetaGenerationNotMatch": "4"}))
    assert found == Preconditions(generation_match=0, metageneration_not_match=4)


def test_a_precondition_that_is_no_number_is_refused() -> None:
    with pytest.raises(StorageError, match="ifGenerationMatch"):
        from_query(inbound({"ifGenerationMatch": "new"}))
