"""`matchGlob` against names."""

import pytest

from gpupipe.localcloud.services.storage.globs import compiled
from gpupipe.localcloud.services.storage.refusals import StorageError


@pytest.mark.parametrize(
    ("glob", "met", "others"),
    [
        ("*.txt", ["a.txt", ".txt"], ["a/b.txt", "a.txt.gz"]),
        ("**.txt", ["a.txt", "a/b.txt"], ["a/b.csv"]),
        ("a/**/z", ["a/z", "a/b/z", "a/b/c/z"], ["a/bz", "b/z"]),
        ("?", ["a", "ü"], ["/", "ab", ""]),
        ("[a-c]x", ["ax", "cx"], ["dx"]),
        ("[!a-c]x", ["dx"], ["ax", "/x"]),
        ("{a,bc}.{txt,csv}", ["a.txt", "bc.csv"], ["b.txt", "a.txt.csv"]),
        ("a,b", ["a,b"], ["a"]),
        ("a.b+c(d)", ["a.b+c(d)"], ["aXb+c(d)"]),
        (r"\*", ["*"], ["a"]),
    ],
)
def test_glob(glob: str, met: list[str], others: list[str]) -> None:
    pattern = compiled(glob)
    assert [name for name in met + others if pattern.fullmatch(name)] == met


@pytest.mark.parametrize("glob", ["{a", "a}", "{a,{b}}", "[a", "[z-a]", "x" * 1025])
def test_what_is_no_glob_is_refused(glob: str) -> None:
    with pytest.raises(StorageError, match="matchGlob"):
        compiled(glob)
