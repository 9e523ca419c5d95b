"""Pages, folders and offsets of lists, over any order-preserving scan."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpupipe.localcloud.kernel.caller import OPERATOR
from gpupipe.localcloud.services.storage.listing import Listing, Position, collect, query_of
from gpupipe.localcloud.services.storage.message import Inbound
from gpupipe.localcloud.services.storage.refusals import StorageError
from gpupipe.localcloud.services.storage.rows import State, Version

NAMES = ["a.txt", "logs/1", "logs/2", "logs/sub/3", "z", "é/1"]


def page(names: list[str], query: Mapping[str, str], batch: int = 2) -> Listing:
    """One page over live versions of these names, scanned in small batches."""
    wanted = query_of(Inbound(OPERATOR, {}, query, {}, iter(())))
    stored = [Version("b", name, 1, State.LIVE, "x", {}) for name in sorted(names)]

    def scan(position: Position, limit: int) -> list[Version]:
        after = [v for v in stored if (v.name, v.generation) >= position]
        return [v for v in after if wanted.until is None or v.name < wanted.until][
            : min(limit, batch)
        ]

    return collect(wanted, scan)


def everything(names: list[str], query: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """All pages together."""
    items: list[str] = []
    prefixes: list[str] = []
    token = ""
    for _ in range(100):
        found = page(names, {**query, "pageToken": token})
        items += [v.name for v in found.items]
        prefixes += found.prefixes
        token = found.next_token
        if not token:
            return items, prefixes
    raise AssertionError("paging does not end")


@pytest.mark.parametrize(
    ("query", "items", "prefixes"),
    [
        ({}, NAMES, []),
        ({"prefix": "logs/"}, ["logs/1", "logs/2", "logs/sub/3"], []),
        ({"delimiter": "/"}, ["a.txt", "z"], ["logs/", "é/"]),
        ({"delimiter": "/", "prefix": "logs/"}, ["logs/1", "logs/2"], ["logs/sub/"]),
        ({"delimiter": "/", "prefix": "lo"}, [], ["logs/"]),
        ({"startOffset": "logs/2"}, ["logs/2", "logs/sub/3", "z", "é/1"], []),
        ({"endOffset": "logs/2"}, ["a.txt", "logs/1"], []),
        ({"startOffset": "logs/1", "endOffset": "logs/2"}, ["logs/1"], []),
        ({"prefix": "none"}, [], []),
    ],
)
@pytest.mark.parametrize("size", ["1", "2", "1000"])
def test_list(query: dict[str, str], items: list[str], prefixes: list[str], size: str) -> None:
    assert everything(NAMES, {**query, "maxResults": size}) == (items, prefixes)


def test_a_page_is_no_longer_than_asked_and_the_last_has_no_token() -> None:
    first = page(NAMES, {"maxResults": "3", "delimiter": "/"})
    assert len(first.items) + len(first.prefixes) == 3
    assert first.next_token
    last = page(NAMES, {"maxResults": "4", "delimiter": "/"})
    assert not last.next_token


def test_a_folder_object_is_listed_too_when_asked() -> None:
    found = page(["d/", "d/x"], {"delimiter": "/", "includeTrailingDelimiter": "True"})
    assert ([v.name for v in found.items], found.prefixes) == (["d/"], ["d/"])


@pytest.mark.parametrize("token", ["?", "bm8=", "W10="])
def test_a_token_that_was_not_given_is_refused(token: str) -> None:
    with pytest.raises(StorageError, match="pageToken"):
        page(NAMES, {"pageToken": token})


@given(
    st.lists(st.text("ab/", min_size=1, max_size=6), unique=True, max_size=20),
    st.integers(1, 5),
    st.sampled_from(["", "a", "a/"]),
)
def test_pages_together_are_the_whole_list(names: list[str], size: int, prefix: str) -> None:
    query = {"delimiter": "/", "prefix": prefix}
    items, prefixes = everything(names, {**query, "maxResults": str(size)})
    below = [name for name in sorted(names) if name.startswith(prefix)]
    assert items == [name for name in below if "/" not in name[len(prefix) :]]
    folders = {prefix + name[len(prefix) :].partition("/")[0] + "/" for name in below} & {
        name[: len(prefix) + name[len(prefix) :].find("/") + 1] for name in below
    }
    assert prefixes == sorted(folders)
