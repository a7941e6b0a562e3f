"""Files of the repository outside `docs` that pages link to, and the pages that show them on the site."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

SHOWN = {
    "README.md": "index.md",
    "CHANGELOG.md": "project/changelog.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "SECURITY.md": "project/security.md",
    "changes/README.md": "project/changes.md",
    "benchmarks/RESULTS.md": "project/benchmark-results.md",
    "benchmarks/faults/RESULTS.md": "project/fault-matrix-results.md",
    "examples/django_sentry": "project/examples.md#django-and-sentry",
    "examples/flask_sentry": "project/examples.md#flask-and-sentry",
    "examples/flask_three_signals": "project/examples.md#flask-with-traces-logs-and-metrics",
    "examples/gunicorn_basic": "project/examples.md#gunicorn-and-gevent",
}

_LINK = re.compile(r"(?<=\]\()(?!\w+:)[^)#\s]+")


def rewrite(app: Sphinx, docname: str, source: list[str]) -> None:
    """Lead a page's links to such a file to the page of the site that shows it."""
    _rewrite(Path(app.srcdir), Path(app.srcdir, docname), source)


def rewrite_included(app: Sphinx, path: Path, parent: str, source: list[str]) -> None:
    """Do the same in a file that a page includes; `path` is relative to `docs`."""
    _rewrite(Path(app.srcdir), Path(app.srcdir, path), source)


def _rewrite(docs: Path, file: Path, source: list[str]) -> None:
    def on_the_site(link: re.Match[str]) -> str:
        target = Path(os.path.normpath(file.parent / link[0]))
        shown = SHOWN.get(os.path.relpath(target, docs.parent))
        return os.path.relpath(docs / shown, file.parent) if shown else link[0]

    source[0] = _LINK.sub(on_the_site, source[0])
