"""Public names as users import them, where Sphinx finds them by the private modules that define them."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

from docutils.nodes import Element, TextElement
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.pycode import ModuleAnalyzer

import breaker_exporter


def modules() -> list[str]:
    """Return the public modules."""
    below = [each.name for each in pkgutil.iter_modules(breaker_exporter.__path__) if each.name[0] != "_"]
    return [breaker_exporter.__name__, *(f"{breaker_exporter.__name__}.{each}" for each in below)]


def _classes() -> Iterator[tuple[str, type]]:
    for name in modules():
        module = importlib.import_module(name)
        for public in module.__all__:
            value = getattr(module, public)
            if isinstance(value, type):
                yield f"{name}.{public}", value


def forget_overloads(app: Sphinx) -> None:
    """Show one signature, the one of run time, which has the defaults in force."""
    for _, value in _classes():
        for kind in value.__mro__:
            if kind.__module__.startswith("breaker_exporter."):
                analyzer = ModuleAnalyzer.for_module(kind.__module__)
                analyzer.analyze()
                analyzer.overloads.clear()


def resolve(app: Sphinx, env: BuildEnvironment, node: pending_xref, content: TextElement) -> Element | None:
    """Lead a reference to a class, by the module that defines it, to its public name."""
    target = node.get("reftarget")
    for public, value in _classes():
        if target in {f"{value.__module__}.{value.__qualname__}", value.__qualname__}:
            return env.domains["py"].resolve_xref(
                env, node["refdoc"], app.builder, node["reftype"], public, node, content
            )
    return None
