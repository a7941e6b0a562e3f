"""Whether Gunicorn's hooks in a configuration are ours, or call ours: as far as code can be read."""

from __future__ import annotations

import ast
import contextlib
import functools
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, cast

from ..gunicorn import Hooks, _origin_of
from ..telemetry import Telemetry

SLOTS = ("post_fork", "post_worker_init", "worker_exit")
"""In the order in which Gunicorn calls them."""
_CALLS = {
    "post_fork": ("prepare", "start"),
    "post_worker_init": ("start",),
    "worker_exit": ("stop",),
}
"""What a hook of one's own calls of a ``Telemetry``, to do the work of ours."""


@dataclass(frozen=True, slots=True)
class Slot:
    """What stands in one of Gunicorn's slots.

    Attributes:
        state: ``ours``, ``calls-ours``, ``wrong-slot`` (one of ours for another slot), ``overridden`` (ours
            was imported under that name before), ``unknown`` (one that calls none of ours as far
            as can be seen) or ``missing``.
        line: In the file, where it is known.
        note: More for a reader, or nothing.
    """

    state: str
    line: int | None = None
    note: str = ""


def inspect_slots(namespace: Mapping[str, object], source: str) -> dict[str, Slot]:
    """What stands in each slot."""
    imported = dict(_imported(source))
    return {slot: _inspect(slot, namespace, imported) for slot in SLOTS}


def strays(namespace: Mapping[str, object]) -> dict[str, str]:
    """Names under which hooks of ours stand where Gunicorn does not look, with those that it looks for."""
    found = {}
    for name, value in namespace.items():
        origin = _origin(value)
        if origin is not None and name not in SLOTS:
            found[name] = origin[0]
        elif _is(value, Hooks):
            found[name] = ", ".join(SLOTS)
    return found


def telemetries(namespace: Mapping[str, object]) -> list[Telemetry]:
    """Those that the hooks start and stop, each once, in the order of slots; else those that are there."""
    hooked = [origin[1] for slot in SLOTS for origin in [_origin(namespace.get(slot))] if origin]
    if not hooked:
        for value in namespace.values():
            origin = _origin(cast(Hooks, value)[0] if _is(value, Hooks) else value)
            if origin is not None:
                hooked.append(origin[1])
    there = [cast(Telemetry, value) for value in namespace.values() if _is(value, Telemetry)]
    return list(dict.fromkeys(hooked or there))


def _is(value: object, *kinds: type) -> bool:
    """``isinstance``, but without the ``__class__`` that a lazy object may set itself up in, and fail."""
    return issubclass(type(value), kinds)


def _origin(value: object) -> tuple[str, Telemetry] | None:
    return _origin_of(value)


def _inspect(slot: str, namespace: Mapping[str, object], imported: Mapping[str, int]) -> Slot:
    value = namespace.get(slot)
    if value is None:
        return Slot("missing")
    origin = _origin(value)
    if origin is not None:
        return Slot("ours") if origin[0] == slot else Slot("wrong-slot", imported.get(slot), origin[0])
    line = _line_of(value)
    if any(_is_ours(reached, slot) for reached in _guarded(_reached(value, slot, set()))):
        return Slot("calls-ours", line)
    if slot in imported:
        return Slot("overridden", line, str(imported[slot]))
    return Slot("unknown", line)


def _is_ours(reached: object, slot: str) -> bool:
    origin = _origin(reached)
    return reached is _SEEN or (origin is not None and origin[0] == slot)


_SEEN = object()


def _guarded(reached: Iterator[object]) -> Iterator[object]:
    """As far as it goes: what raises when it is looked at is unknown."""
    with contextlib.suppress(Exception):
        yield from reached


def _reached(value: object, slot: str, visited: set[int]) -> Iterator[object]:
    """What a callable's code names, through the functions that it calls."""
    if id(value) in visited:
        return
    visited.add(id(value))
    yield value
    while _is(value, functools.partial, MethodType):
        value = cast(Any, value).func if _is(value, functools.partial) else cast(MethodType, value).__func__
        yield value
    value = inspect.unwrap(value) if callable(value) else value
    if not _is(value, FunctionType):
        return
    function = cast(FunctionType, value)
    names = set(_names(function.__code__))
    known = [function.__globals__[name] for name in names if name in function.__globals__]
    for there in (*known, *_enclosed(function)):
        yield from _guarded(_within(there, names, slot, visited))
    if "breaker_exporter.gunicorn" in names and slot in names:  # imported inside
        yield _SEEN


def _enclosed(function: FunctionType) -> Iterator[object]:
    for cell in function.__closure__ or ():
        with contextlib.suppress(ValueError):  # it is empty yet
            yield cell.cell_contents


def _within(there: Any, names: set[str], slot: str, visited: set[int]) -> Iterator[object]:
    if _is(there, Hooks, ModuleType):
        if slot in names:
            yield getattr(there, slot, None)
        gunicorn = getattr(there, "gunicorn", None)
        if _is(gunicorn, ModuleType) and "gunicorn" in names and slot in names:
            yield getattr(gunicorn, slot, None)
    elif _is(there, Telemetry):
        if names.intersection(_CALLS[slot]):
            yield _SEEN
    else:
        yield from _reached(there, slot, visited)


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _line_of(value: object) -> int | None:
    try:
        code = getattr(value, "__code__", None)
    except Exception:
        return None
    return cast(CodeType, code).co_firstlineno if _is(code, CodeType) else None


def _imported(source: str) -> Iterator[tuple[str, int]]:
    """Names of slots that an import of ours binds at the top of the file, with its line."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.ImportFrom) and node.module == "breaker_exporter.gunicorn":
            for name in node.names:
                bound = [*SLOTS] if name.name == "*" else [name.asname or name.name]
                yield from ((slot, node.lineno) for slot in bound if slot in SLOTS)
        elif isinstance(node, ast.Assign) and "hooks(" in ast.unparse(node.value):
            for target in node.targets:
                names = [each.id for each in ast.walk(target) if isinstance(each, ast.Name)]
                yield from ((name, node.lineno) for name in names if name in SLOTS)
