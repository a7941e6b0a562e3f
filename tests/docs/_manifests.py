"""The YAML of the docs, and the manifests of the page on Kubernetes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ._pages import PAGES, ROOT, blocks

yaml = pytest.importorskip("yaml", reason="comes with the dependency group lint")

PAGE = ROOT / "docs" / "how-to" / "kubernetes.md"
_CHANGES = "<!-- changes the manifest above -->\n"
"""Stands above a block that is not complete."""


def documents() -> list[tuple[str, Any]]:
    """Return all YAML of the docs, each with its place."""
    shown = [(str(block), block.text) for page in PAGES for block in blocks(page) if block.language == "yaml"]
    files = [(path.name, path.read_text()) for path in sorted((ROOT / "docs").glob("*.yml"))]
    return [(where, yaml.safe_load(text)) for where, text in (*shown, *files)]


def manifests() -> dict[str, Any]:
    """Return the manifests of the page by their kind; the one that changes another is applied to it."""
    text = PAGE.read_text()
    found = {each["kind"]: each for each in (document for _, document in documents()) if "apiVersion" in each}
    assert text.count(_CHANGES) == 1
    change = yaml.safe_load(text.split(f"{_CHANGES}```yaml\n")[1].split("```")[0])
    spec = {**found["Deployment"]["spec"], **change["spec"]}
    pod = {key: value for key, value in spec["template"]["spec"].items() if key != "volumes"}
    spec["template"] = {**spec["template"], "spec": pod}
    return {**found, change["kind"]: {**found["Deployment"], **change, "spec": spec}}


def environments(node: Any) -> Iterator[list[dict[str, Any]]]:
    """Yield each list of variables below a node."""
    for key, value in node.items() if isinstance(node, dict) else enumerate(node):
        if key == "env":
            yield value
        elif isinstance(value, dict | list):
            yield from environments(value)
