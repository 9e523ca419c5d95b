"""Links lead somewhere: from page to page, and from every error to the section that it names."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
DOC = re.compile(r'"((?:reference|how-to|tutorial|explanation)/[a-z-]+\.md)(?:#([a-z_-]+))?"')


def anchors(page: Path) -> set[str]:
    return {
        re.sub(r"[^a-z0-9_ -]", "", line.lstrip("#").strip().lower()).replace(" ", "-")
        for line in page.read_text().splitlines()
        if line.startswith("#")
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_errors_name_sections_that_exist() -> None:
    named = {
        (page, anchor)
        for source in (ROOT / "src").rglob("*.py")
        for page, anchor in DOC.findall(source.read_text())
    }
    assert len(named) > 10
    for page, anchor in named:
        assert (ROOT / "docs" / page).exists(), page
        assert not anchor or anchor in anchors(ROOT / "docs" / page), f"{page}#{anchor}"


def test_the_page_of_commands_is_as_the_commands_say() -> None:
    script = ROOT / "scripts" / "cli_reference.py"
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert done.stdout == (ROOT / "docs" / "reference" / "cli.md").read_text()
