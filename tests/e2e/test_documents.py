"""Every command of the documents is typed, in the order of its page, against one local cloud.

What comes is compared with what the page shows. A command whose page shows an error, or `echo $?` after
it, has to fail; every other has to succeed. What cannot be run here is named below, with the reason.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.conftest import Cli
from tests.support.documents import ROOT, Command, commands, differs, name_of, pages

pytestmark = pytest.mark.long
BIN = Path(sys.executable).parent
GOOGLE = "needs a project of Google Cloud"
ENDLESS = "goes on until Ctrl-C"
NOT_RUN: Mapping[str, str] = {
    r"^make (demo|test|check|promises)": "is run by CI itself, and installs",
    r"^gcloud ": "needs gcloud and Google Cloud",
    r"^gsutil |gpupipe local gcloud": "needs gcloud, which is not installed everywhere",
    r"my-project|gs://elsewhere": GOOGLE,
    r" (-f|--follow|--watch)\b": ENDLESS,
    r"--request-quota": "asks Google for quota",
    r"--to 2026|--execution b2a0c60e": "names a release or an execution of the page's own run",
    r"gpupipe workflow .*FILE": "FILE is the reader's; how-to/own-workflow-and-services.md has one",
}
"""What a command looks like that cannot be run here -> why."""
NOT_RUN_PAGES = {
    "docs/tutorial/google-cloud.md": GOOGLE,
    "docs/how-to/bring-a-hugging-face-model.md": "downloads half a gigabyte to export a model of the "
    "reader's: tests/unit/test_bundle_from_hugging_face.py runs the script",
    "docs/how-to/test-with-gcloud.md": "needs gcloud: tests/contract/test_gcloud_recipe.py runs it",
}
LEAVES_A_MESS = {
    "docs/how-to/break-the-local-cloud.md",
    "docs/how-to/roll-back.md",
    "docs/how-to/use-your-own-model.md",
    "docs/how-to/ci.md",
}
"""Pages after which faults, quotas, models or other pipelines would be in the way of the others."""
MARK = "-- of the documents --"


def why_not(page: Path, command: Command) -> str:
    """The reason why a command is not run; "" where it is."""
    if page_reason := NOT_RUN_PAGES.get(name_of(page), ""):
        return page_reason
    return next((why for form, why in NOT_RUN.items() if re.search(form, command.text)), "")


def test_each_reason_is_still_one() -> None:
    texts = [command.text for page in pages() for command in commands(page)]
    assert [form for form in NOT_RUN if not any(re.search(form, text) for text in texts)] == []
    assert set(NOT_RUN_PAGES) <= {name_of(page) for page in pages()}


@dataclass(frozen=True)
class Typed:
    """A command that was typed: its exit code and all that it wrote."""

    command: Command
    code: int
    came: str


def type_all(typed: list[Command], folder: Path, environment: Mapping[str, str]) -> list[Typed]:
    """The commands in one shell, with Enter as the answer to every question."""
    (folder / ".enter").write_text("\n" * 9)
    script = "last=0\n" + "".join(
        f"(exit $last)\n{{ {command.text}\n}} <{folder}/.enter 2>&1\n"
        f"last=$?; printf '\\n%s %s\\n' '{MARK}' $last\n"
        for command in typed
    )
    done = subprocess.run(
        ["/bin/bash", "-c", script],
        cwd=folder,
        env=dict(environment),
        capture_output=True,
        text=True,
        timeout=580,
        check=False,
    )
    parts = re.split(rf"\n{re.escape(MARK)} (\d+)\n", done.stdout)
    assert len(parts) == 2 * len(typed) + 1, done.stdout[-3000:] + done.stderr[-3000:]
    return [
        Typed(command, int(code), came)
        for command, came, code in zip(typed, parts[::2], parts[1::2], strict=False)
    ]


def faults(page: Path, done: list[Typed]) -> Iterator[str]:
    """What did not end as it should, or did not show what the page shows."""
    following = [one.command.text for one in done[1:]] + [""]
    for one, after in zip(done, following, strict=True):
        where = f"{name_of(page)}:{one.command.line}: {one.command.text}"
        fails = after == "echo $?" or any(line.startswith("Error:") for line in one.command.shown)
        if fails != (one.code != 0):
            yield f"{where}\n  exit code {one.code}:\n{one.came[-1500:]}"
        elif missing := differs(one.command.shown, one.came):
            yield f"{where}\n  does not show: {missing}\n{one.came[-1500:]}"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the pages take for granted: the files that a reader has."""
    folder = tmp_path_factory.mktemp("reader")
    (folder / "note.txt").write_text("A wonderful, warm and funny film.\n")
    (folder / "mails").mkdir()
    (folder / "mails" / "a.txt").write_text("It broke after a day.\n")
    (folder / "mails" / "b.txt").write_text("I would buy this again at once.\n")
    (folder / "terraform.tfvars").write_text('project_id = "demo"\nregion = "us-central1"\n')
    (folder / "my-model").symlink_to(ROOT / "service_images" / "gpu_inference" / "bundle")
    return folder


@pytest.fixture
def folder(prepared: Path, cli: Cli, tmp_path: Path) -> Path:
    """A folder of one reader, with the command and the demo's cloud where the pages expect them."""
    place = tmp_path / "clone"
    shutil.copytree(prepared, place, symlinks=True)
    (place / ".venv").symlink_to(BIN.parent)
    (place / ".demo").mkdir()
    (place / ".demo" / "home").symlink_to(cli.home)
    (place / "docs").symlink_to(ROOT / "docs")
    return place


@pytest.mark.promise("D28")
@pytest.mark.parametrize("page", [page for page in pages() if commands(page)], ids=name_of)
def test_what_the_page_types_works_as_it_shows(page: Path, cli: Cli, folder: Path) -> None:
    typed = [command for command in commands(page) if not why_not(page, command)]
    if not typed:
        pytest.skip("nothing that can be run here")
    deployed = cli("deploy", "--local", "--yes")
    assert deployed.code == 0, deployed.err[-3000:]
    sent = cli("test-upload", "--local", "note.txt", "mails/", cwd=folder)
    assert sent.code == 0, sent.err
    environment = cli.env(PATH=f"{BIN}:{os.environ['PATH']}", GPUPIPE_TARGET="local")
    try:
        found = list(faults(page, type_all(typed, folder, environment)))
    finally:
        if name_of(page) in LEAVES_A_MESS:
            assert cli("local", "fault", "clear").code == cli("local", "reset", "--yes").code == 0
    assert not found, "\n".join(found)
