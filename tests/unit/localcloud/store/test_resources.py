from collections.abc import Iterator
from pathlib import Path

import pytest

from gpupipe.localcloud.errors import Code, ServiceError
from gpupipe.localcloud.store.database import Database
from gpupipe.localcloud.store.resources import Resources


@pytest.fixture
def resources(tmp_path: Path) -> Iterator[Resources]:
    database = Database(tmp_path / "state.db")
    yield Resources(database)
    database.close()


def test_put_get_replace_delete(resources: Resources) -> None:
    resources.put("kind", "name", "parent", b"1")
    first = resources.get("kind", "name")
    resources.put("kind", "name", "parent", b"2")
    second = resources.get("kind", "name")
    assert first is not None
    assert second is not None
    assert (first.body, second.body) == (b"1", b"2")
    assert first.sequence == second.sequence
    assert resources.delete("kind", "name")
    assert not resources.delete("kind", "name")
    assert resources.get("kind", "name") is None


def test_kinds_do_not_mix(resources: Resources) -> None:
    resources.put("one", "name", "parent", b"1")
    assert resources.get("two", "name") is None
    assert resources.all("two") == ()


def test_pages_go_through_all_in_the_order_of_names(resources: Resources) -> None:
    for name in ("c", "a", "d", "b"):
        resources.put("kind", name, "parent", b"")
    resources.put("kind", "aa", "other", b"")
    found, token, pages = [], "", 0
    while True:
        page = resources.page("kind", "parent", size=2, token=token)
        found += [record.name for record in page.records]
        token, pages = page.next_token, pages + 1
        if not token:
            break
    assert (found, pages) == (["a", "b", "c", "d"], 2)


@pytest.mark.parametrize("token", ["?", "not base64", "gA=="])
def test_a_token_that_is_not_ours_is_refused(resources: Resources, token: str) -> None:
    with pytest.raises(ServiceError) as refused:
        resources.page("kind", "parent", token=token)
    assert refused.value.code is Code.INVALID_ARGUMENT
    assert refused.value.details.fields[0].path == "page_token"
