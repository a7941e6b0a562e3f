"""Our log lines in Gunicorn's error log, while nobody has set up logging for them (G6).

Without a handler, Python writes the text alone to stderr: no time, no pid, no level between Gunicorn's lines.
With OpenTelemetry's handler alone, which may export them to a backend that is away, it writes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from .._base.log import logger
from .._concurrency.log_feedback import are_we_unheard


def write_to_error_log(server: object) -> Callable[[], None]:
    """Write our lines with the handlers of Gunicorn's error log, where our logger and the root have none.

    Each line checks that anew: an application may set up logging after the hooks have run.

    Args:
        server: Gunicorn's arbiter, as its hooks get it; its ``log.error_log`` has the handlers.

    Returns:
        A function that takes it back.
    """
    error_log = getattr(getattr(server, "log", None), "error_log", None)
    if not isinstance(error_log, logging.Logger):
        return lambda: None
    return _write_to(error_log)


def ensure_heard() -> None:
    """Make our log lines visible, once the application is loaded, where it has hidden them unintentionally.

    A ``dictConfig`` disables, by default, all loggers that exist, and ours does: the hooks and zero code
    import it first. To silence it, set its level. Gunicorn may run this process without our hooks too, or not
    at all: then lines go to stderr, as Python writes them.
    """
    logger.disabled = False
    _write_to(logging.getLogger("gunicorn.error"))


def _write_to(error_log: logging.Logger) -> Callable[[], None]:
    if any(isinstance(handler, _ErrorLogHandler) for handler in logger.handlers):
        return lambda: None
    handler = _ErrorLogHandler(error_log)
    logger.addHandler(handler)
    return lambda: logger.removeHandler(handler)


class _ErrorLogHandler(logging.Handler):
    def __init__(self, error_log: logging.Logger) -> None:
        super().__init__()
        self._error_log = error_log

    def createLock(self) -> None:  # noqa: N802
        # No lock: the handlers that write have theirs, and one made before the patch would stop the hub.
        self.lock = None

    def handle(self, record: logging.LogRecord) -> bool:
        passed = bool(self.filter(record))
        if passed:
            self.emit(record)
        return passed

    def emit(self, record: logging.LogRecord) -> None:
        if not are_we_unheard(self):
            return
        handlers, level = self._error_log.handlers, self._error_log.getEffectiveLevel()
        if not handlers and logging.lastResort is not None:
            handlers, level = [logging.lastResort], logging.NOTSET
        # Not isEnabledFor: a dictConfig of the application's may have disabled Gunicorn's logger.
        if record.levelno >= level:
            for handler in handlers:
                if record.levelno >= handler.level:
                    handler.handle(record)
