"""What a process exports of its own log: a handler of OpenTelemetry's, beside one that takes everything."""

from __future__ import annotations

import contextlib
import importlib
import logging
import warnings
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor

from ._waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Beside(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


class ExportedLogs:
    """What is exported of all that is logged.

    Args:
        kind: The class of its handler.

    Attributes:
        handler: The handler that exports.
        beside: One that takes everything.
    """

    def __init__(self, kind: type[logging.Handler] = LoggingHandler) -> None:
        self._exported = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
        provider = LoggerProvider(shutdown_on_exit=False)
        provider.add_log_record_processor(SimpleLogRecordProcessor(self._exported))
        self.handler = make_handler(kind, provider)
        self.beside = _Beside()

    @contextlib.contextmanager
    def attached(self) -> Iterator[ExportedLogs]:
        """Have both handlers on the root logger."""
        with on_root(self.handler, self.beside):
            yield self

    @property
    def lines(self) -> list[str]:
        """The exported ones."""
        return [str(record.log_record.body) for record in self._exported.get_finished_logs()]

    @property
    def everything(self) -> list[str]:
        """All lines, of any level."""
        return self.beside.lines

    def wait_for(self, line: str, times: int) -> None:
        """Wait until `line` was logged so often."""
        until(lambda: self.everything.count(line) == times)


@contextlib.contextmanager
def on_root(*handlers: logging.Handler) -> Iterator[None]:
    """Have `handlers` on the root logger, which logs everything meanwhile."""
    root = logging.getLogger()
    level = root.level
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        root.setLevel(level)
        for handler in handlers:
            root.removeHandler(handler)


def make_handler(kind: type[logging.Handler], provider: LoggerProvider) -> logging.Handler:
    """Return a handler that exports to `provider`."""
    make: Any = kind
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the SDK's own handler
        handler: logging.Handler = make(logger_provider=provider)
    return handler


def handler_kinds() -> list[type[logging.Handler]]:
    """Return the classes of OpenTelemetry's handlers that are installed, and one derived from them."""

    class Derived(LoggingHandler):
        pass

    kinds: list[type[logging.Handler]] = [LoggingHandler, Derived]
    with contextlib.suppress(ImportError):  # it is another package's, where there is one
        kinds.append(importlib.import_module("opentelemetry.instrumentation.logging.handler").LoggingHandler)
    return kinds


def exporting_what_is_logged() -> Iterator[ExportedLogs]:
    """Return one of each kind, attached while it is looked at."""
    for kind in handler_kinds():
        with ExportedLogs(kind).attached() as logs:
            yield logs
