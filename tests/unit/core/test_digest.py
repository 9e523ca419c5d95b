"""The digest and the archive of an image's source: the same everywhere, another for every change."""

import gzip
import io
import os
import tarfile
from pathlib import Path

import pytest

from gpupipe.core.assets import SourceFile, build_context, samples
from gpupipe.core.digest import archive, source_digest, source_tag
from gpupipe.core.names import SERVICES

FILES = (SourceFile("a.py", b"one\n"), SourceFile("b/c.txt", b"two\n"))


def tree(root: Path, paths: list[str], newline: bytes = b"\n") -> Path:
    """A folder like service_images, its files written in the given order."""
    for path in paths:
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"text of " + path.encode() + newline)
    return root


PATHS = ["common/log.py", "preprocess/main.py", "preprocess/Dockerfile", "preprocess/deep/x.json"]


def digest_of(root: Path) -> str:
    """The digest of preprocess's build context in a folder."""
    return source_digest(build_context("preprocess", root))


def test_equal_trees_have_equal_digests_whatever_their_order_times_and_modes(
    tmp_path: Path,
) -> None:
    one = tree(tmp_path / "one", PATHS)
    two = tree(tmp_path / "two", PATHS[::-1])
    for file in two.rglob("*.py"):
        os.utime(file, (1, 1))
        file.chmod(0o755)
    assert digest_of(one) == digest_of(two)


def test_line_ends_of_windows_do_not_matter(tmp_path: Path) -> None:
    one, two = tree(tmp_path / "one", PATHS), tree(tmp_path / "two", PATHS, b"\r\n")
    assert digest_of(one) == digest_of(two)


def test_what_does_not_belong_to_the_source_does_not_matter(tmp_path: Path) -> None:
    root = tree(tmp_path / "one", PATHS)
    before = digest_of(root)
    tree(root, ["preprocess/__pycache__/main.pyc", "preprocess/__pycache__/x.py",
                "preprocess/tests/test_main.py", "preprocess/notes.md", "postprocess/main.py"])  # fmt: skip
    assert digest_of(root) == before


@pytest.mark.parametrize("path", ["common/log.py", "preprocess/Dockerfile", "preprocess/new.py"])
def test_every_change_of_the_source_is_seen(tmp_path: Path, path: str) -> None:
    root = tree(tmp_path / "one", PATHS)
    before = digest_of(root)
    with (root / path).open("ab") as file:
        file.write(b"more")
    assert digest_of(root) != before


def test_a_renamed_file_is_seen(tmp_path: Path) -> None:
    root = tree(tmp_path / "one", PATHS)
    before = digest_of(root)
    (root / "preprocess/main.py").rename(root / "preprocess/moved.py")
    assert digest_of(root) != before


def test_bytes_cannot_move_from_a_path_to_a_content() -> None:
    assert source_digest([SourceFile("ab", b"c")]) != source_digest([SourceFile("a", b"bc")])
    assert source_digest([SourceFile("a", b""), SourceFile("b", b"")]) != source_digest(
        [SourceFile("a", b"b")]
    )


def test_the_tag_is_twelve_digits_of_the_digest() -> None:
    digest = source_digest(FILES)
    assert len(digest) == 64
    assert source_tag(digest) == f"src-{digest[:12]}"


def test_the_archive_holds_the_files_and_nothing_of_the_machine() -> None:
    assert archive(FILES) == archive(FILES)
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(archive(FILES)))) as tar:
        members = tar.getmembers()
        contents = [(tar.extractfile(member) or io.BytesIO()).read() for member in members]
    assert [member.name for member in members] == ["a.py", "b/c.txt"]
    assert contents == [b"one\n", b"two\n"]
    assert {(one.mtime, one.uid, one.gid, one.uname, one.mode) for one in members} == {
        (0, 0, 0, "", 0o644)
    }


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_has_a_build_context(service: str) -> None:
    paths = [file.path for file in build_context(service)]
    assert f"{service.replace('-', '_')}/Dockerfile" in paths
    assert any(path.startswith("common/") for path in paths)
    assert paths == sorted(paths)
    assert not any("__pycache__" in path or "\\" in path for path in paths)


def test_the_samples_travel_with_the_package() -> None:
    assert samples()
