"""The environment, read without failing: what is wrong with a variable is recorded."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

from ..._base.environment import Environment
from ..._base.log import logger


class RecordingEnvironment(Environment):
    """Records what is wrong with a variable, where others log it or raise.

    Attributes:
        complaints: One line each, each once.
    """

    def __init__(self, variables: dict[str, str] | None = None) -> None:
        self.complaints: list[str] = []
        super().__init__(variables)

    def complain(self, text: str, consequence: str = "") -> None:
        if consequence and not self.strict:
            text = f"{text}; {consequence}"
        if text not in self.complaints:
            self.complaints.append(text)

    def everything(self) -> dict[str, str]:
        """Return all variables as they stand."""
        return dict(self._variables)

    @contextlib.contextmanager
    def recording_log(self) -> Iterator[None]:
        """Inside, what this package would log is recorded too, and not logged."""
        handler = logging.Handler(logging.WARNING)
        handler.emit = lambda record: self.complain(record.getMessage())  # type: ignore[method-assign]
        propagate, logger.propagate = logger.propagate, False
        logger.addHandler(handler)
        try:
            yield
        finally:
            logger.removeHandler(handler)
            logger.propagate = propagate
