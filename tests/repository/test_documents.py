"""What the documents have people type: the real command line takes it, options included."""

import re
from pathlib import Path

import pytest
from tests.support import documents
from tests.support.documents import ROOT, calls, commands, mentions, name_of, pages, refusal

SOURCES = sorted((ROOT / "src" / "gpupipe").rglob("*.py"))


@pytest.mark.parametrize("page", pages(), ids=name_of)
@pytest.mark.promise("D28")
def test_each_command_is_one_that_there_is(page: Path) -> None:
    wrong = [
        f"{name_of(page)}:{command.line}: gpupipe {' '.join(call)}: {why}"
        for command in commands(page)
        for call in calls(command.text)
        if (why := refusal(call, whole=True))
    ]
    text = page.read_text(encoding="utf-8")
    wrong += [
        f"{name_of(page)}: {mention}: {why}"
        for mention in mentions(text)
        for call in calls(mention.replace("…", ""))
        if (why := refusal(call, whole=False))
    ]
    assert not wrong, "\n".join(wrong)


def test_commands_stand_in_blocks_that_tests_read() -> None:
    """A command that is only indented, or in a block of no language, would be typed by nobody."""
    wrong = []
    for page in pages():
        typed = {command.line for command in commands(page)}
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1):
            if re.match(r"(    +|\s*\$ )(\.venv/bin/)?(gpupipe|gcloud|gsutil|make) ", line):
                wrong += [] if number in typed else [f"{name_of(page)}:{number}: {line.strip()}"]
    assert not wrong, "\n".join(wrong)


def test_what_errors_tell_to_type_is_there_too() -> None:
    wrong = [
        f"{path.name}: {mention}: {why}"
        for path in SOURCES
        for mention in mentions(re.sub(r"\"\s*\n\s*f?\"", "", path.read_text(encoding="utf-8")))
        if "{" not in mention
        for call in calls(mention)
        if (why := refusal(call, whole=False))
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("call", "why"),
    [
        ("deploy --loca", "NoSuchOption"),
        ("deplyo", "UsageError"),
        ("executions shwo", "UsageError"),
        ("deploy --parallelism many", "BadParameter"),
        ("model use", "MissingParameter"),
        ("status --output yaml", "BadParameter"),
        ("status here", "UsageError"),
    ],
)
def test_a_wrong_one_is_seen(call: str, why: str) -> None:
    assert refusal(call.split(), whole=True).startswith(why)


def test_blocks_are_read_as_they_are_meant(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "```console\n$ gpupipe status\nready\n\n…\n$ true\n```\n"
        "```bash\n# why\nexport A=1\ngpupipe plan \\\n    --local # so\n```\n```\n$ none\n```\n"
    )
    found = commands(page)
    assert [(one.line, one.text, one.shown) for one in found] == [
        (2, "gpupipe status", ("ready", "…")),
        (6, "true", ()),
        (10, "export A=1", ()),
        (11, "gpupipe plan \\\n    --local # so", ()),
    ]
    assert calls(found[3].text.replace("\\\n", "")) == [["plan", "--local"]]
    assert calls('eval "$(.venv/bin/gpupipe local env)"') == [["local", "env"]]


def test_output_is_compared_but_for_its_numbers() -> None:
    came = "Target: here\nb1  0.10 s  b2a0c60e\nlast line\n"
    assert not documents.differs(("b1 3.2 s 00000000", "…", "last…"), came)
    assert not documents.differs(
        ("1 of 3, 0.970, a.txt.17 1.33 s",), "5 of 7, 0.970, a.txt.9 21.5 s"
    )
    counts = "13 succeeded\n12 resources removed\na 0.970 b\n"
    assert not documents.differs(tuple(counts.splitlines()), counts)
    for other in ("12 succeeded", "13 resources removed", "a 0.971 b"):
        assert documents.differs((other,), counts) == other
    assert documents.differs(("last line", "Target: here"), came) == "Target: here"
    assert documents.differs(("Target: there",), came) == "Target: there"
