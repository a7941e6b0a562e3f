"""The context of an export: marks code that works for one of our exporters (L3).

What such code logs or emits is not exported: each export would make something to export. Greenlets, calls on
native threads and the sender take the context along.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import Context, ContextVar

_is_exporting: ContextVar[bool] = ContextVar("breaker_exporter_is_exporting", default=False)


def is_exporting() -> bool:
    """True in code that works for an exporter of ours; false in its listeners: they are the application's."""
    return _is_exporting.get()


def enter_export() -> bool:
    """Let the current context be one of an export, for good or until :func:`leave_export`.

    Returns:
        True where it was one already.
    """
    was_exporting = _is_exporting.get()
    _is_exporting.set(True)
    return was_exporting


def leave_export(was_exporting: bool) -> None:
    """Make the current context what it was, as :func:`enter_export` has returned it."""
    _is_exporting.set(was_exporting)


@contextlib.contextmanager
def not_exporting() -> Iterator[None]:
    """For the application's code, and for lines that are to be exported, in the midst of an export."""
    was_exporting = _is_exporting.get()
    _is_exporting.set(False)
    try:
        yield
    finally:
        _is_exporting.set(was_exporting)


def new_export_context() -> Context:
    """A context with nothing in it but that it is one of an export."""
    context = Context()
    context.run(enter_export)
    return context
