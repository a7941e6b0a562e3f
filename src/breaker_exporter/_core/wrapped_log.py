"""The log lines of a wrapped exporter during one of its calls: they are the reason where it returns FAILURE.

OpenTelemetry's own exporters log what went wrong, and return FAILURE for all of it.
"""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar

from .._base.redaction import message

_LONGEST_TEXT = 250
"""Characters of what an exporter logged: a last line, and one before it that has the cause."""
_URLLIB3 = re.compile(r"HTTPS?ConnectionPool\([^)]*\): Max retries exceeded with url: \S+ \(Caused by ")
"""The beginning of urllib3's text where there is no connection: what follows repeats host and port."""

_heard: ContextVar[list[logging.LogRecord] | None] = ContextVar("breaker_exporter_heard", default=None)


class Listener:
    """Hears the loggers of the modules in which an exporter's class and its bases are defined.

    Args:
        exporter: The wrapped exporter.
        secrets: Returns values that no text may show.
    """

    def __init__(self, exporter: object, secrets: Callable[[], Iterable[str]]) -> None:
        modules = {kind.__module__ for kind in type(exporter).__mro__ if kind is not object}
        self._loggers = [logging.getLogger(name) for name in sorted(modules)]
        self._secrets = secrets

    @contextlib.contextmanager
    def listening(self) -> Iterator[list[logging.LogRecord]]:
        """Collect what these loggers log in this context, from WARNING on."""
        for logger in self._loggers:
            if _hear not in logger.filters:
                # In front: OpenTelemetry's loggers have a filter that drops what they said just before.
                logger.filters.insert(0, _hear)
        heard: list[logging.LogRecord] = []
        token = _heard.set(heard)
        try:
            yield heard
        finally:
            _heard.reset(token)

    def text_of(self, records: list[logging.LogRecord]) -> str:
        """The last message, and before that another one if there is one: one line, without secrets."""
        messages: dict[object, str] = {}
        for record in reversed(records):
            if len(messages) < 2 and record.msg not in messages:
                with contextlib.suppress(Exception):  # arguments that do not fit the message
                    messages[record.msg] = _URLLIB3.sub("(", record.getMessage()).rstrip(".")
        text = ", before that: ".join(messages.values())
        return message(text, self._secrets(), longest=_LONGEST_TEXT) if text else ""


def _hear(record: logging.LogRecord) -> bool:
    """A filter that lets everything pass. It is never removed: that would race with others' filters."""
    heard = _heard.get()
    if heard is not None and record.levelno >= logging.WARNING:
        heard.append(record)
    return True
