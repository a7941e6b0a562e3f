"""The site has the pages that GitHub's index has, and every public name; the rest is for `make docs`."""

from __future__ import annotations

import importlib
import pkgutil
import re
import runpy
from collections import Counter

import breaker_exporter

from ._pages import PAGES, ROOT
from .test_links import OTHERS, links

DOCS = ROOT / "docs"


def listed() -> list[str]:
    """Return the pages in the toctrees of the site."""
    trees = re.findall(
        r"^```\{toctree\}\n(?::[^\n]*\n)*\n(.*?)^```$", (DOCS / "index.md").read_text(), re.M | re.S
    )
    return [page for tree in trees for page in re.findall(r"(?:^|<)([\w/-]+)>?$", tree, re.MULTILINE)]


def documented() -> Counter[str]:
    """Return the names on the API page, each with its module."""
    found: Counter[str] = Counter()
    module = ""
    for kind, name in re.findall(
        r"^\.\. (\w+):: ([\w.]+)", (DOCS / "reference" / "api.md").read_text(), re.M
    ):
        if kind in {"automodule", "currentmodule"}:
            module = name
        else:
            found[f"{module}.{name}"] += 1
    return found


def test_the_site_lists_the_pages_in_the_order_of_githubs_index() -> None:
    index = re.findall(r"^\| \[.*?\]\((\S+)\.md\)", (DOCS / "README.md").read_text(), re.MULTILINE)

    assert "reference/settings" in index
    assert [page for page in listed() if "/" in page and not page.startswith("project/")] == index


def test_the_api_page_has_each_public_name_once() -> None:
    below = [each.name for each in pkgutil.iter_modules(breaker_exporter.__path__) if each.name[0] != "_"]
    modules = ["breaker_exporter", *(f"breaker_exporter.{name}" for name in below)]
    names = [f"{each}.{name}" for each in modules for name in importlib.import_module(each).__all__]

    assert documented() == Counter(names)


def test_each_file_elsewhere_that_a_page_links_to_is_shown_on_the_site() -> None:
    shown: dict[str, str] = runpy.run_path(str(DOCS / "_site" / "elsewhere.py"))["SHOWN"]
    linked = {
        (page.parent / link.partition("#")[0]).resolve() for page in [*PAGES, *OTHERS] for link in links(page)
    }
    elsewhere = {
        path.relative_to(ROOT).as_posix() for path in linked if DOCS not in path.parents and path != DOCS
    }

    assert {path for path in elsewhere if not path.endswith((".png", "LICENSE"))} - set(shown) == set()
    assert [page for page in shown.values() if not (DOCS / page.partition("#")[0]).exists()] == []
