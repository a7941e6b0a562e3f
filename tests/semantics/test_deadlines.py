"""No test depends on a real `export_timeout` of milliseconds: a busy machine starts calls late."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

TESTS = Path(__file__).parents[1]
ANY_END_WILL_DO = {
    "a_handler_that_never_gets_rid_of_a_line_holds_no_export_and_no_shutdown",
    "test_a_call_that_ends_just_at_its_deadline_is_counted_once",
    "the_main_greenlet_may_be_the_caller_with_nobody_else_about",
}
"""These pass whether the call overruns, starts late or is refused."""


def test_where_an_export_has_less_than_a_second_the_test_moves_the_clock() -> None:
    """See `_deadlines.moved_by_hand` and the fixture `deadlines`."""
    assert set(_real_and_short()) == ANY_END_WILL_DO


def _real_and_short() -> Iterator[str]:
    texts = (path.read_text() for path in TESTS.rglob("*.py"))
    for module in (ast.parse(text) for text in texts if "export_timeout" in text):
        for function in module.body:
            if isinstance(function, ast.FunctionDef) and _is_short(function) and not _moves_clock(function):
                yield function.name


def _is_short(function: ast.FunctionDef) -> bool:
    return any(
        isinstance(given, ast.keyword)
        and given.arg == "export_timeout"
        and isinstance(given.value, ast.Constant)
        and isinstance(given.value.value, int | float)
        and given.value.value < 1
        for given in ast.walk(function)
    )


def _moves_clock(function: ast.FunctionDef) -> bool:
    arguments = {argument.arg for argument in function.args.args}
    names = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
    return not {"deadlines", "moved_by_hand"}.isdisjoint(arguments | names)
