"""What a wrapped exporter logs during one of its calls: where it returns FAILURE, that is the reason.

OpenTelemetry's own exporters log what went wrong, and return FAILURE for all of it.
"""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Iterator
from contextvars import ContextVar

_URLLIB3 = re.compile(r"HTTPS?ConnectionPool\([^)]*\): Max retries exceeded with url: \S+ \(Caused by ")
"""How urllib3 begins to say why there is no connection: what follows has host and port once more."""

_words: ContextVar[list[logging.LogRecord] | None] = ContextVar("breaker_exporter_heard", default=None)


class Listener:
    """Hears the loggers of the modules that an exporter's class and its bases are made in.

    Args:
        exporter: The one that is wrapped.
    """

    def __init__(self, exporter: object) -> None:
        modules = {kind.__module__ for kind in type(exporter).__mro__ if kind is not object}
        self._loggers = [logging.getLogger(name) for name in sorted(modules)]

    @contextlib.contextmanager
    def listening(self) -> Iterator[list[logging.LogRecord]]:
        """Inside, in this context, what they log from WARNING on is put into the list."""
        for logger in self._loggers:
            if _hear not in logger.filters:
                # In front: OpenTelemetry's loggers have a filter that drops what they said just before.
                logger.filters.insert(0, _hear)
        heard: list[logging.LogRecord] = []
        token = _words.set(heard)
        try:
            yield heard
        finally:
            _words.reset(token)


def in_words(records: list[logging.LogRecord]) -> str:
    """The last thing that was said, and before that another one, if there is one; not fit for a log line."""
    said: dict[object, str] = {}
    for record in reversed(records):
        if len(said) < 2 and record.msg not in said:
            with contextlib.suppress(Exception):  # arguments that do not fit the message
                said[record.msg] = _URLLIB3.sub("(", record.getMessage()).rstrip(".")
    return ", before that: ".join(said.values())


def _hear(record: logging.LogRecord) -> bool:
    """A filter that lets everything pass. It stays: to take it away would race with others' filters."""
    words = _words.get()
    if words is not None and record.levelno >= logging.WARNING:
        words.append(record)
    return True
