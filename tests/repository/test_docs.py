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


@pytest.mark.parametrize("name", ["api", "cli", "configuration", "iam", "refusals"])
@pytest.mark.promise(151)
def test_a_generated_page_is_up_to_date(name: str) -> None:
    script = ROOT / "scripts" / f"{name}_reference.py"
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert done.stdout == (ROOT / "docs" / "reference" / f"{name}.md").read_text()
