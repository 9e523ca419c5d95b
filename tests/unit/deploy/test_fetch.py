"""Results become files below a folder, whatever their names."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gpupipe.core.errors import GpupipeError
from gpupipe.deploy.fetch import Fetcher, local_path


def fetcher(folder: Path, **objects: bytes) -> Fetcher:
    cloud: Any = SimpleNamespace(storage=SimpleNamespace(read=lambda _, name: objects.get(name)))
    return Fetcher(cloud, "out", folder)


def files(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_result_an_error_and_the_items_beside_a_large_one(tmp_path: Path) -> None:
    large = json.dumps({"items_object": {"bucket": "out", "name": "items"}}).encode()
    found = fetcher(tmp_path / "new", items=b"{}\n{}\n")
    found.keep("mails/a.txt", "results/mails/a.txt.7.json", b'{"items_object": null}')
    found.keep("mails/b.csv", "results/mails/b.csv.7.json", large)
    found.keep("c.txt", "errors/c.txt.7.json", b"{}")
    assert files(tmp_path / "new") == {
        "mails/a.txt.json": '{"items_object": null}',
        "mails/b.csv.json": large.decode(),
        "mails/b.csv.items.jsonl": "{}\n{}\n",
        "c.txt.error.json": "{}",
    }


def test_a_later_result_replaces_an_earlier_one(tmp_path: Path) -> None:
    for text in (b"1", b"2"):
        fetcher(tmp_path).keep("a.txt", "results/a.txt.7.json", text)
    assert files(tmp_path) == {"a.txt.json": "2"}


@pytest.mark.parametrize("name", ["../../up.txt", "/etc/abs.txt", "a//b/./../c.txt", "n\0l.txt"])
def test_no_name_leads_out_of_the_folder(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "out"
    fetcher(folder).keep(name, "results/x.7.json", b"{}")
    assert len(files(folder)) == 1
    assert files(tmp_path).keys() == {f"deep/out/{one}" for one in files(folder)}


def test_different_odd_names_are_different_files() -> None:
    odd = ["../c", "./c", "/c", "c", "a//c", "a/c", "a/./c", "a/../c"]
    assert len({local_path(name) for name in odd}) == len(odd)


def test_where_it_cannot_be_written_the_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "mails").write_text("a file")
    with pytest.raises(GpupipeError) as caught:
        fetcher(tmp_path).keep("mails/a.txt", "results/mails/a.txt.7.json", b"{}")
    assert str(caught.value.resource).endswith("mails/a.txt.json")
    assert "--out" in caught.value.resolution
