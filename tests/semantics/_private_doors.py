"""Finds where the package uses private names of its dependencies: imports, attributes, strings."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import breaker_exporter

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(breaker_exporter.__file__).parent
_NAME = re.compile(r"_[a-z]\w*")
_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")


def doors() -> set[tuple[str, str]]:
    """Return the file and the private name of each.

    An attribute, or a lone word in a string, counts where nothing of ours has that name.
    """
    trees = {path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text()) for path in _files()}
    ours = {name for tree in trees.values() for name in _defined(tree)}
    ours |= sys.stdlib_module_names
    ours |= {path.stem for path in _files()} | {path.name for path in PACKAGE.rglob("_*") if path.is_dir()}
    found = {(file, name) for file, tree in trees.items() for name in _used(tree) if name not in ours}
    return found | {(file, name) for file, tree in trees.items() for name in _of_other_modules(tree)}


def overridden() -> set[tuple[str, str]]:
    """Return each private name that a class of ours takes from a class of somebody else."""
    found = set()
    for path in _files():
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        if "_demo" in parts or parts[-1] == "__main__":
            continue  # some of these run as they are imported
        module = importlib.import_module(".".join(parts).removesuffix(".__init__"))
        for _, kind in inspect.getmembers(module, inspect.isclass):
            if kind.__module__ == module.__name__:
                known = {"breaker_exporter", *sys.stdlib_module_names}
                strangers = [base for base in kind.__mro__ if base.__module__.split(".")[0] not in known]
                found |= {
                    (path.relative_to(PACKAGE).as_posix(), name)
                    for name in vars(kind)
                    if _NAME.fullmatch(name)
                    and name != "_abc_impl"
                    and any(name in vars(base) for base in strangers)
                }
    return found


def _files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def _defined(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and _is_set_here(node):
            yield node.attr


def _is_set_here(node: ast.Attribute) -> bool:
    return isinstance(node.ctx, ast.Store) and ast.unparse(node.value) in ("self", "child")


def _used(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and _NAME.fullmatch(node.attr):
            yield node.attr
    yield from (text for text in _strings(tree) if _NAME.fullmatch(text))


def _of_other_modules(tree: ast.Module) -> Iterator[str]:
    modules = [text for text in _strings(tree) if _DOTTED.fullmatch(text)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            modules += [f"{node.module}.{alias.name}" for alias in node.names]
    for module in modules:
        first, *others = module.split(".")
        if first != "breaker_exporter":
            yield from (name for name in others if _NAME.fullmatch(name))


def _strings(tree: ast.Module) -> Iterator[str]:
    docstrings = {id(text) for text in _docstrings(tree)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


def _docstrings(tree: ast.Module) -> Iterator[ast.Constant]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value
