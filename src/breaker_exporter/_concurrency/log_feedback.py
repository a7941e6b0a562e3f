"""No feedback: what exports log enters no log handler of OpenTelemetry's, or each would make the next (L3).

A filter on these handlers refuses what is logged in the context of an export, what the SDK and its exporters
log about their queues and calls, and our own lines but those that are to be exported. It stays: in a process
that exports no more it refuses nothing but these lines. All other handlers get everything.

The classes of handlers are looked up where their modules are loaded. Nothing here loads one.
"""

from __future__ import annotations

import contextvars
import functools
import logging
import sys
import weakref
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from .._base.log import is_kept_out, keep_out, logger
from .exporting import enter_export, is_exporting, leave_export
from .log_handlers import Filters, attached_handlers, replace_filters

_EXPORTING_HANDLERS = (
    ("opentelemetry.sdk._logs", "LoggingHandler"),
    ("opentelemetry.instrumentation.logging.handler", "LoggingHandler"),
)
_LATER_HANDLERS = (("logging.handlers", "QueueHandler"), ("logging.handlers", "MemoryHandler"))
"""They hand records on to others, in another context."""
_SDK_LOGGERS = (
    "opentelemetry.sdk._shared_internal",
    "opentelemetry.sdk.trace.export",
    "opentelemetry.sdk._logs._internal.export",
    "opentelemetry.sdk.metrics._internal.export",
)
"""Loggers of the parts that queue and export: ``Queue full, dropping Log.``"""
_EXPORTERS = "opentelemetry.exporter."

_P = ParamSpec("_P")
_T = TypeVar("_T")

_made: list[weakref.ref[logging.Handler]] = getattr(logging, "_handlerList", [])
"""All handlers, oldest first. One behind a queue is on no logger: a private list of Python's alone has it.
Without that list, those on loggers are looked at each time."""
_latest: list[weakref.ref[logging.Handler]] = []
"""The handler made last, as of the last look."""
_handed_on: contextvars.ContextVar[logging.LogRecord | None] = contextvars.ContextVar(
    "breaker_exporter_handed_on", default=None
)


def without_feedback(method: Callable[_P, _T]) -> Callable[_P, _T]:
    """Let nothing be exported that `method` logs, in whatever greenlet or on whatever thread of ours."""

    @functools.wraps(method)
    def run(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        guard_handlers()
        was_exporting = enter_export()
        try:
            return method(*args, **kwargs)
        finally:
            leave_export(was_exporting)

    return run


def watch_loggers() -> None:
    """Guard handlers when we or the SDK are about to log, which may be before the first export."""
    for name in (logger.name, *_SDK_LOGGERS):
        # Behind the SDK's own, which drop most of what would be said again and again.
        logging.getLogger(name).addFilter(_look)


def guard_handlers() -> None:
    """Give a filter to each handler that needs one; nothing to do where no handler was made since."""
    global _latest  # noqa: PLW0603
    latest = _made[-1:]
    if latest and latest == _latest:
        return
    exporting, later = _loaded(_EXPORTING_HANDLERS), _loaded(_LATER_HANDLERS)
    for handler in (*attached_handlers(), *(handler for known in list(_made) if (handler := known()))):
        if isinstance(handler, exporting):
            _put_in_front(handler, _Refusal(handler))
        elif isinstance(handler, later):
            _put_in_front(handler, _Mark())
    _latest = latest


def is_exporting_handler(handler: logging.Handler) -> bool:
    """True for a handler of OpenTelemetry's, or of a class derived from it."""
    return isinstance(handler, _loaded(_EXPORTING_HANDLERS))


def are_we_unheard(*besides: logging.Handler) -> bool:
    """True where our lines get to no handler but `besides` and those that export: these refuse most."""
    handlers = [*logger.handlers, *(logging.root.handlers if logger.propagate else ())]
    return all(handler in besides or is_exporting_handler(handler) for handler in handlers)


class _Refusal(logging.Filter):
    """Refuses what is not to be exported, in front of a handler that exports."""

    def __init__(self, handler: logging.Handler) -> None:
        super().__init__()
        self._handler = weakref.proxy(handler)

    def filter(self, record: logging.LogRecord) -> bool:
        if is_kept_out(record):
            if record.name == logger.name and are_we_unheard():
                _handle_at_last(record)
            return False
        if record.name == logger.name:
            return self._hand_on(record)
        return not (is_exporting() or record.name in _SDK_LOGGERS or record.name.startswith(_EXPORTERS))

    def _hand_on(self, record: logging.LogRecord) -> bool:
        """Hand a line of ours on in a context of its own.

        It may be said in the midst of the export of one of the application's records, and the handler takes
        no second one in the context of the first. Nor is it part of the application's span.
        """
        if _handed_on.get() is record:
            return True
        context = contextvars.Context()
        context.run(_handed_on.set, record)
        context.run(self._handler.handle, record)
        return False


class _Mark(logging.Filter):
    """Marks what is not to be exported, in front of a handler that hands it on to others."""

    def filter(self, record: logging.LogRecord) -> bool:
        if is_exporting():
            keep_out(record)
        return True


def _handle_at_last(record: logging.LogRecord) -> None:
    """Give `record` to Python's last resort, as for a logger without handlers: no warning is lost."""
    last = logging.lastResort
    if last is not None and record.levelno >= last.level:
        last.handle(record)


def _put_in_front(handler: logging.Handler, one: logging.Filter) -> None:
    def with_one(filters: Filters) -> Filters:
        has_one = any(isinstance(other, type(one)) for other in filters)
        return filters if has_one else [one, *filters]

    replace_filters(handler, with_one)


def _look(record: logging.LogRecord) -> bool:
    """A filter that lets everything pass."""
    guard_handlers()
    return True


def _loaded(classes: tuple[tuple[str, str], ...]) -> tuple[type, ...]:
    found = (getattr(sys.modules.get(module), name, None) for module, name in classes)
    return tuple(kind for kind in found if isinstance(kind, type))
