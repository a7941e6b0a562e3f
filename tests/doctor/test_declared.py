"""Each finding is declared once, and what is declared is made. Its level is watched by conftest.py."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import breaker_exporter._doctor
from breaker_exporter._doctor.check import Area
from breaker_exporter._doctor.declared import DECLARED, area_of, declared
from breaker_exporter._doctor.report import Level

_FOLDER = Path(breaker_exporter._doctor.__file__).parent
_MAKERS = ("ok", "warning", "broken", "warning_or_fatal", "level")
_VARIES = "[A-Za-z0-9-]*"
CHECKS = [check for checks in DECLARED.values() for check in checks]


def patterns_of(node: ast.expr) -> list[str]:
    """Patterns for what a string, an f-string or one of two may be; none for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [re.escape(node.value)]
    if isinstance(node, ast.JoinedStr):
        return ["".join(next(iter(patterns_of(part)), _VARIES) for part in node.values)]
    if isinstance(node, ast.IfExp):
        return [*patterns_of(node.body), *patterns_of(node.orelse)]
    return []


def named(tree: ast.AST) -> Iterator[str]:
    """Patterns for the names with which findings are made."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args:
            maker = ast.unparse(node.func)
            if maker in _MAKERS or " if " in maker:
                yield from patterns_of(node.args[0])
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "check":
            yield from patterns_of(node.value)


def sources() -> Iterator[tuple[str, ast.AST]]:
    for path in sorted(_FOLDER.rglob("*.py")):
        yield path.name, ast.parse(path.read_text())


def test_no_finding_has_a_name_that_is_not_declared() -> None:
    names = {name for check in CHECKS for name in check.names}

    undeclared = [
        (file, pattern)
        for file, tree in sources()
        for pattern in named(tree)
        if not any(re.fullmatch(pattern, name) for name in names)
    ]

    assert undeclared == []


def test_no_check_is_declared_that_nothing_makes() -> None:
    patterns = {pattern for _, tree in sources() for pattern in named(tree)}

    assert [
        check.name for check in CHECKS if not any(re.fullmatch(each, check.name) for each in patterns)
    ] == []


def test_each_name_is_declared_once() -> None:
    names = [name for check in CHECKS for name in check.names]

    assert sorted(names) == sorted(set(names))


def test_what_is_not_ok_has_an_advice_and_what_is_always_ok_has_none() -> None:
    order = list(Level)
    for check in CHECKS:
        assert list(check.levels) == sorted(set(check.levels), key=order.index), check.name
        assert bool(check.advice) == (check.levels != (Level.OK,)), check.name


def test_a_name_leads_to_its_check_and_area() -> None:
    assert [
        each and each.name for each in map(declared, ("http-401", "http-redirect", "logs-endpoint-path"))
    ] == [
        "http-STATUS",
        "http-redirect",
        "SIGNAL-endpoint-path",
    ]
    assert declared("never-heard-of") is None
    assert [area_of(name) for name in ("proxy-dns", "sentry-dns", "sentry", "hooks", "never-heard-of")] == [
        Area.COLLECTOR,
        Area.SENTRY,
        Area.SENTRY,
        Area.GUNICORN,
        Area.DOCTOR,
    ]
