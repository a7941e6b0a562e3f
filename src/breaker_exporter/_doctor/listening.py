"""The environment, listened to: what holds, and what it has to complain about."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field

from .._base.environment import Environment
from .._base.log import logger
from .._wiring.settings import Arguments, Settings
from ..otlp._settings import Protocol
from ..sentry._settings import Sentry
from .finding import Setting


@dataclass(frozen=True, slots=True)
class Given:
    """What was given in code; `seen` where there was code to look at."""

    arguments: Arguments = field(default_factory=Arguments)
    service_name: str | None = None
    sentry: Sentry | None = None
    seen: bool = False


@dataclass(frozen=True, slots=True)
class InForce:
    """What holds.

    Attributes:
        protocols: Of the OTLP exporters that there will be; empty where spans go nowhere by OTLP.
    """

    settings: Settings
    given: Given
    environment: Listening
    protocols: tuple[Protocol, ...]
    rows: tuple[Setting, ...]


class Listening(Environment):
    """Keeps what is wrong with a variable, where others log it or raise."""

    def __init__(self, variables: dict[str, str] | None = None) -> None:
        self.complaints: list[str] = []
        super().__init__(variables)

    def complain(self, text: str, consequence: str = "") -> None:
        if consequence and not self.strict:
            text = f"{text}; {consequence}"
        if text not in self.complaints:
            self.complaints.append(text)

    def everything(self) -> dict[str, str]:
        """All variables, as they stand."""
        return dict(self._variables)

    @contextlib.contextmanager
    def hearing_log(self) -> Iterator[None]:
        """Inside, what this package would log is a complaint too."""
        handler = _Complaining(self)
        propagate, logger.propagate = logger.propagate, False
        logger.addHandler(handler)
        try:
            yield
        finally:
            logger.removeHandler(handler)
            logger.propagate = propagate


class _Complaining(logging.Handler):
    def __init__(self, environment: Listening) -> None:
        super().__init__(logging.WARNING)
        self._environment = environment

    def emit(self, record: logging.LogRecord) -> None:
        self._environment.complain(record.getMessage())
