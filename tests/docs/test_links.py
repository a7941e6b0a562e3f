"""Relative links lead to a file, and their fragments to a heading of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ._pages import PAGES, ROOT, name_of, without_blocks

OTHERS = [ROOT / name for name in ("CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")]


def links(page: Path) -> list[str]:
    """The relative ones."""
    prose = re.sub(r"`[^`]*`", "", without_blocks(page))
    return re.findall(r"\]\((?!https?:|mailto:)([^)\s]+)\)", prose)


def anchors(page: Path) -> set[str]:
    """The fragments that GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", without_blocks(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", [*PAGES, *OTHERS], ids=name_of)
def test_each_relative_link_has_a_target(page: Path) -> None:
    broken = []
    for link in links(page):
        path, _, fragment = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (fragment and fragment not in anchors(target)):
            broken.append(link)

    assert broken == []


def test_each_page_can_be_reached_from_the_index() -> None:
    index = ROOT / "docs" / "README.md"
    reached = {(index.parent / link.partition("#")[0]).resolve() for link in links(index)}

    assert [name_of(page) for page in PAGES[1:] if page not in reached | {index}] == []
    assert "docs/README.md" in links(ROOT / "README.md")
