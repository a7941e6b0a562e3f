"""Pages with generated tables. The text around them is written by hand.

A table stands between ``<!-- table: NAME -->`` and ``<!-- end of table -->``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from . import answers, doctor, settings

_DOCS = Path(__file__).parents[2] / "docs"
_TABLE = re.compile(r"(<!-- table: (\S+) -->\n).*?(<!-- end of table -->)", re.DOTALL)

PAGES: dict[Path, dict[str, Callable[[], str]]] = {
    _DOCS / "reference" / "answers.md": answers.TABLES,
    _DOCS / "reference" / "doctor.md": doctor.TABLES,
    _DOCS / "reference" / "settings.md": settings.TABLES,
}


def written(page: Path, text: str) -> str:
    """Return the text of a page with its tables as the code has them now.

    Raises:
        ValueError: The page lacks a table, or has one that nothing generates.
    """
    tables = PAGES[page]
    found = [name for _, name, _ in _TABLE.findall(text)]
    if sorted(found) != sorted(tables):
        raise ValueError(f"{page.name} must have each of the tables {', '.join(tables)} once, not {found}")
    return _TABLE.sub(lambda match: match[1] + tables[match[2]]() + match[3], text)
