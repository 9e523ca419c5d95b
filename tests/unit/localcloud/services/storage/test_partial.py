"""The `fields` parameter."""

from typing import Any

import pytest

from gpupipe.localcloud.services.storage.partial import select
from gpupipe.localcloud.services.storage.refusals import StorageError

BODY: dict[str, Any] = {
    "kind": "k",
    "items": [{"name": "a", "size": "1", "owner": {"id": 1, "x": 2}}, {"name": "b"}],
    "nextPageToken": "t",
}


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ("kind", {"kind": "k"}),
        ("kind,nextPageToken", {"kind": "k", "nextPageToken": "t"}),
        ("items(name)", {"items": [{"name": "a"}, {"name": "b"}]}),
        ("items/name, kind", {"items": [{"name": "a"}, {"name": "b"}], "kind": "k"}),
        ("items(owner/id,size)", {"items": [{"size": "1", "owner": {"id": 1}}, {}]}),
        ("*", BODY),
        ("items/*/id", {"items": [{"name": "a", "size": "1", "owner": {"id": 1}}, {"name": "b"}]}),
        ("unknown", {}),
    ],
)
def test_selection(fields: str, found: dict[str, Any]) -> None:
    assert select(fields, BODY) == found


@pytest.mark.parametrize("fields", [",", "a(", "a)", "a(b))", "a//b", "(a)", "a(" * 30])
def test_what_is_no_selection_is_refused(fields: str) -> None:
    with pytest.raises(StorageError, match="Invalid field selection"):
        select(fields, BODY)
