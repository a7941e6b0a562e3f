"""The pages of the documentation, and the code blocks on them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_OF_THE_SITE = ("docs/index.md", "docs/project/*.md", "docs/_build/**/*.md")
"""Pages that show other files, and what a build leaves behind: nobody reads them on GitHub."""

PAGES = [
    ROOT / "README.md",
    *sorted({*ROOT.glob("docs/**/*.md")}.difference(*(ROOT.glob(each) for each in _OF_THE_SITE))),
]
LANGUAGES = {"ini", "json", "log", "promql", "python", "sh", "text", "yaml", "{eval-rst}"}
CONTINUES = "<!-- continues -->"
"""Stands above a block that needs the blocks before it on its page."""

_BLOCK = re.compile(r"^```(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block: its page, the line it starts at, its language and text."""

    page: Path
    line: int
    language: str
    text: str
    continues: bool

    def __str__(self) -> str:
        return f"{name_of(self.page)}:{self.line}"


def name_of(page: Path) -> str:
    """The page's path in the repository."""
    return str(page.relative_to(ROOT))


def blocks(page: Path) -> Iterator[Block]:
    """All blocks of a page, in order."""
    text = page.read_text()
    for match in _BLOCK.finditer(text):
        before = text[: match.start()]
        is_continued = before.endswith(f"{CONTINUES}\n")
        yield Block(page, before.count("\n") + 2, match[1], match[2], is_continued)


def without_blocks(page: Path) -> str:
    """The page's prose, without any fenced block."""
    return _BLOCK.sub("", page.read_text())


def programs(page: Path) -> Iterator[tuple[str, str]]:
    """Yield each Python program of a page, with its place; blocks that continue one are joined."""
    found: list[tuple[str, str]] = []
    for block in blocks(page):
        if block.language == "python":
            if block.continues:
                where, source = found.pop()
                found.append((where, source + block.text))
            else:
                found.append((str(block), block.text))
    yield from found
