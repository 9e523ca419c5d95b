"""Which files are sent, and under which names; what cannot be sent is named before anything is."""

from pathlib import Path

import pytest

from gpupipe.core.errors import Exit, UsageError
from gpupipe.deploy.uploads import collect


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(*names: str, text: str = "hello") -> None:
    for name in names:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def names(*paths: str, skip: bool = False) -> list[str]:
    return [one.name for one in collect([Path(path) for path in paths], skip=skip).uploads]


def refusal(*paths: str, skip: bool = False) -> UsageError:
    with pytest.raises(UsageError) as caught:
        collect([Path(path) for path in paths], skip=skip)
    assert caught.value.exit is Exit.USAGE
    assert caught.value.doc == "reference/cli.md#test-upload"
    return caught.value


@pytest.mark.usefixtures("here")
class TestNames:
    """Object names."""

    def test_a_file_is_named_as_it_is(self) -> None:
        write("some folder/ünï code é.TXT")
        assert names("some folder/ünï code é.TXT") == ["ünï code é.TXT"]

    def test_files_of_a_folder_keep_their_path_from_its_name_on(self) -> None:
        write("mails/b.md", "mails/deep/er/a.txt", "mails/deep/_draft.txt")
        expected = ["mails/b.md", "mails/deep/_draft.txt", "mails/deep/er/a.txt"]
        assert names("mails") == names("mails/") == names("mails/deep/../../mails") == expected

    def test_the_folder_one_is_in_has_a_name_too(self, here: Path) -> None:
        write("a.txt")
        assert names(".") == [f"{here.name}/a.txt"]

    def test_files_of_one_name_get_the_names_of_their_folders(self) -> None:
        write("x/a/same.txt", "y/a/same.txt", "z/same.txt", "other.txt")
        assert names("x/a/same.txt", "y/a/same.txt", "z/same.txt", "other.txt") == [
            "x/a/same.txt", "y/a/same.txt", "z/same.txt", "other.txt",
        ]  # fmt: skip
        assert names("x/a", "y/a") == ["x/a/same.txt", "y/a/same.txt"]

    def test_a_file_given_twice_is_sent_once(self) -> None:
        write("a/b.txt")
        assert names("a/b.txt", "./a/b.txt", "a/../a/b.txt") == ["b.txt"]

    def test_links_and_what_begins_with_a_dot_are_not_looked_at_in_a_folder(self) -> None:
        write("a/b.txt", "a/.DS_Store", "a/.git/config", "secret.txt")
        Path("a/link.txt").symlink_to("../secret.txt")
        Path("a/folder").symlink_to("..")
        assert names("a") == ["a/b.txt"]

    def test_a_link_that_is_given_is_sent_under_its_own_name(self) -> None:
        write("target.txt")
        Path("link.txt").symlink_to("target.txt")
        assert names("link.txt") == ["link.txt"]


@pytest.mark.usefixtures("here")
class TestRefusals:
    """What cannot be sent."""

    @pytest.mark.parametrize(
        ("name", "words"),
        [
            ("_x.txt", "begin with _"),
            ("_x/a.txt", "begin with _"),
            ("a.exe", ".txt, .md, .json, .jsonl, .csv, .jpg, .jpeg, .png"),
            ("README", ".txt"),
            ("a\nb.txt", "line break"),
            ("gpupipe-canary/a.txt", "gpupipe-canary/"),
        ],
    )
    def test_a_bad_name_is_named_with_the_reason(self, name: str, words: str) -> None:
        write(name)
        error = refusal(name.partition("/")[0])
        assert name in error.brief
        assert words in error.brief
        assert error.details == "Nothing was sent."

    def test_an_empty_file_cannot_be_sent(self) -> None:
        write("a.txt", text="")
        assert "it is empty" in refusal("a.txt").brief

    def test_a_name_that_storage_would_not_take(self) -> None:
        folder = "/".join(["d" * 200] * 6)
        write(f"{folder}/a.txt")
        assert "1024 bytes" in refusal("d" * 200).brief

    def test_one_odd_file_stops_all_and_every_one_is_named(self) -> None:
        write("mails/good.txt", "mails/prog.exe")
        write("mails/empty.txt", text="")
        error = refusal("mails", "mails/good.txt")
        assert error.brief == "2 files cannot be sent."
        assert (error.details or "").splitlines()[0] == "mails/empty.txt: it is empty"
        assert (error.details or "").splitlines()[1].startswith("mails/prog.exe: ")
        assert "--skip" in error.resolution

    def test_with_skip_the_rest_is_sent_and_the_odd_are_told(self) -> None:
        write("mails/good.txt", "mails/prog.exe")
        found = collect([Path("mails")], skip=True)
        assert [one.name for one in found.uploads] == ["mails/good.txt"]
        assert [one.path for one in found.left_out] == [Path("mails/prog.exe")]

    def test_with_skip_something_must_be_left(self) -> None:
        write("mails/prog.exe")
        error = refusal("mails", skip=True)
        assert "mails/prog.exe" in (error.details or "")

    def test_a_folder_without_files_and_a_path_that_is_not_there(self) -> None:
        Path("empty/deep").mkdir(parents=True)
        assert "empty" in refusal("empty").brief
        assert "nowhere" in refusal("nowhere").brief
