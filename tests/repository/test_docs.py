"""Links lead somewhere: from page to page, and from every error to the section that it names."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\]\((?![a-z]+:)([^)#\s]*)(?:#([^)]+))?\)")
CODE_BLOCK = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.DOTALL | re.MULTILINE)
DOC = re.compile(r'"((?:reference|how-to|tutorial|explanation)/[a-z-]+\.md)(?:#([a-z_-]+))?"')


def anchors(page: Path) -> set[str]:
    """Those of its headings, as the site and the usual forges make them."""
    return {
        re.sub(r"[^a-z0-9_ -]", "", line.lstrip("#").strip().lower()).replace(" ", "-")
        for line in CODE_BLOCK.sub("", page.read_text()).splitlines()
        if line.startswith("#")
    }


@pytest.mark.promise(146)
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target, anchor in LINK.findall(CODE.sub("", page.read_text())):
        place = page.parent / target if target else page
        assert place.exists(), target
        assert not anchor or anchor in anchors(place), f"{target}#{anchor}"


def test_every_page_has_its_place_in_the_site() -> None:
    """The site's build is strict; this is what it would say about a new page, at once."""
    site = (ROOT / "mkdocs.yml").read_text()
    named = set(
        re.findall(r"([a-z0-9/-]+\.md|README\.md|[a-z-]+/[a-z/-]*README\.md)$", site, re.MULTILINE)
    )
    there = {
        page.relative_to(ROOT / "docs").as_posix() for page in PAGES if page != ROOT / "README.md"
    }
    decisions = {page for page in there if re.match(r"explanation/decisions/\d", page)}
    assert there - decisions == named
    index = (ROOT / "docs" / "explanation" / "decisions" / "README.md").read_text()
    assert {page.rpartition("/")[2] for page in decisions} == set(
        re.findall(r"\((\d[^)]+)\)", index)
    )


@pytest.mark.promise(146)
def test_the_site_builds_strictly_and_asks_nobody_for_anything(tmp_path: Path) -> None:
    install = ROOT / "scripts" / "install.py"
    subprocess.run([sys.executable, str(install), "docs", str(tmp_path / "venv")], check=True)
    built = subprocess.run(
        [tmp_path / "venv" / "bin" / "mkdocs", "build", "--strict", "-d", tmp_path / "site"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    pages = list((tmp_path / "site").rglob("*.html"))
    assert len(pages) > len(PAGES) - 2
    for page in pages:
        loaded = re.findall(
            r"<(?:script|link|img|iframe)[^>]*(?:src|href)=\"(https?:[^\"]+)", page.read_text()
        )
        assert not loaded, page


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


@pytest.mark.parametrize("name", ["api", "cli", "configuration", "iam", "refusals", "troubleshoot"])
@pytest.mark.promise(151)
def test_a_generated_page_is_up_to_date(name: str) -> None:
    script = ROOT / "scripts" / f"{name}_reference.py"
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    folder = "how-to" if name == "troubleshoot" else "reference"
    assert done.stdout == (ROOT / "docs" / folder / f"{name}.md").read_text(), "run make reference"


@pytest.mark.promise(150)
def test_ci_runs_what_the_readme_tells_to_run() -> None:
    assert "make test" in (ROOT / "README.md").read_text()
    assert re.search(r"^make .*\btest\b", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)


@pytest.mark.promise(149)
def test_the_licence_is_shipped_and_is_the_one_that_is_named() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["license"] == "Apache-2.0"
    assert project["license-files"] == ["LICENSE"]
    text = (ROOT / "LICENSE").read_text()
    assert text.split()[:4] == ["Apache", "License", "Version", "2.0,"]
