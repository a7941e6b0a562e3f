"""Writes the generated tables into their pages: ``python -m tools.reference``."""

from __future__ import annotations

from .pages import PAGES, written

if __name__ == "__main__":
    for page in PAGES:
        text = page.read_text()
        if (new := written(page, text)) != text:
            page.write_text(new)
            print(f"written: {page}")
