"""Our log lines in Gunicorn's error log, as long as nobody has set up logging for them (G6).

Without a handler, Python writes the text alone to stderr: no time, no pid, no level between Gunicorn's lines.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from .._base.log import logger


def write_to_error_log(server: object) -> Callable[[], None]:
    """Write our lines by the handlers of Gunicorn's error log, where neither our logger nor the root has one.

    Looked at with each line: an application may set up logging later than the hooks run.

    Args:
        server: What Gunicorn passes to its hooks; its ``log.error_log`` is asked for the handlers.

    Returns:
        What takes it back.
    """
    error_log = getattr(getattr(server, "log", None), "error_log", None)
    if not isinstance(error_log, logging.Logger):
        return lambda: None
    return _write_to(error_log)


def ensure_heard() -> None:
    """Undo what keeps our lines from being read though nobody asked for it; once the application is loaded.

    Its ``dictConfig`` disables, by default, all loggers that are there, and ours is: the hooks and zero code
    import it first. Who wants it silent sets its level. And without hooks, too, Gunicorn may be around us.
    """
    logger.disabled = False
    error_log = logging.getLogger("gunicorn.error")
    if error_log.handlers:
        _write_to(error_log)


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
        # None: those that write have theirs, and one from before the monkey patch would stop the hub.
        self.lock = None

    def handle(self, record: logging.LogRecord) -> bool:
        passed = bool(self.filter(record))
        if passed:
            self.emit(record)
        return passed

    def emit(self, record: logging.LogRecord) -> None:
        if any(handler is not self for handler in logger.handlers) or (
            logger.propagate and logging.root.handlers
        ):
            return
        # Not by isEnabledFor: a dictConfig of the application's may have disabled Gunicorn's logger.
        if record.levelno >= self._error_log.getEffectiveLevel():
            for handler in self._error_log.handlers:
                if record.levelno >= handler.level:
                    handler.handle(record)
