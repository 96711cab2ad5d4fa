"""Pages of the template and of what it makes: their links lead somewhere, their paths exist."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.support import PROJECT, ROOT

_CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)
_LINK = re.compile(r"\]\(<?([^)>\s]+)>?\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_OURS = re.compile(r"`((?:tasks|deploy|docs)/[\w./-]+)`")
DECISIONS = sorted((ROOT / "docs/decisions").glob("0*.md"))


def pages(folder: Path) -> list[Path]:
    return [*folder.glob("*.md"), *(folder / "docs").rglob("*.md")]


@pytest.fixture(params=["template", "project"])
def folder(request: pytest.FixtureRequest, template: Path) -> Path:
    return template if request.param == "template" else template / PROJECT.name


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub and GitLab make them."""
    headings = _HEADING.findall(page.read_text("utf-8"))
    return {re.sub(r"[^\w -]", "", text.lower()).replace(" ", "-") for text in headings}


def broken(page: Path) -> Iterator[str]:
    """Yield the links of a page that lead nowhere."""
    for link in _LINK.findall(_CODE.sub("", page.read_text("utf-8"))):
        if ":" in link:
            continue
        path, _, anchor = unquote(link).partition("#")
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            yield f"{page.name}: {link}"


def test_links_lead_somewhere(folder: Path) -> None:
    found = pages(folder)
    assert len(found) > 5
    assert [link for page in found for link in broken(page)] == []


@pytest.mark.parametrize("page", ["README.md", "docs/machinery.md"])
def test_the_machinery_is_where_the_pages_say(template: Path, page: str) -> None:
    project = template / PROJECT.name
    named = _OURS.findall((project / page).read_text("utf-8"))
    assert len(named) > 3
    assert [path for path in named if not (project / path).exists()] == []


def test_drawings_are_whole(folder: Path) -> None:
    drawn = list((folder / "docs").rglob("*.svg"))
    assert drawn
    for path in drawn:
        assert ET.parse(path).getroot().tag.endswith("svg")  # noqa: S314 (they are our own)


def test_decisions_have_their_parts_and_are_listed() -> None:
    listed = (ROOT / "docs/decisions/README.md").read_text("utf-8")
    for number, page in enumerate(DECISIONS, 1):
        text = page.read_text("utf-8")
        title = text.partition("\n")[0]
        assert title.startswith(f"# {number:04}: ")
        assert _HEADING.findall(text)[1:] == ["Context", "Decision", "Consequences"]
        assert f"({page.name}) | {title.partition(': ')[2]} |" in listed
