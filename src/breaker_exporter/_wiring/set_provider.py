"""The provider of each signal that a process has, which it can set once: whose it is, or made and set.

Those of logs and metrics are asked for when exporters start: in the worker, and with the application loaded,
which may have set its own by then. Those that OpenTelemetry's API stands in with meanwhile pass on to the one
that is set.
"""

from __future__ import annotations

import enum
import logging
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any
from weakref import WeakSet

from .._base.environment import Environment
from .._base.log import say
from .._base.redaction import origin, shown
from .._concurrency.before_patch import any_early
from ..otlp._signals import Signal

_made: WeakSet[object] = WeakSet()
"""The providers that this package has made and set, which are no application's."""


class Owner(enum.Enum):
    """The part of the process that a provider belongs to.

    Attributes:
        NOBODY: None is set.
        OPENTELEMETRY: It was made for the variable that names it, and nobody has added to it.
        TELEMETRY: Another ``Telemetry``.
        INSTRUMENT: ``opentelemetry-instrument``, with an exporter of this package.
        APPLICATION: The application, or ``opentelemetry-instrument`` with an exporter of others.
    """

    NOBODY = enum.auto()
    OPENTELEMETRY = enum.auto()
    TELEMETRY = enum.auto()
    INSTRUMENT = enum.auto()
    APPLICATION = enum.auto()


@dataclass(frozen=True)
class Global:
    """The one provider of a signal that a process has.

    Attributes:
        signal: The signal.
        kind: The name of the class, and of the entry point's group: ``logger_provider``.
        api: The module of the API, which has classes of its own that stand in until one is set.
        none: The class of one that does nothing, which only an application sets.
        get: Gets it.
        set: Sets it.
        adding: The method that adds to an SDK's provider, if it has it.
        parts: The attributes behind each other that tell what has been added to one.
        wrapping: How to guard an exporter where its provider is made.
        sharing: The end of a line about the provider of somebody else: one more thing to do, if there is.
    """

    signal: Signal
    kind: str
    api: str
    none: type
    get: Callable[[], object]
    set: Callable[[Any], None]
    adding: str
    parts: tuple[str, ...]
    wrapping: str
    sharing: str = ""

    @property
    def variable(self) -> str:
        """The variable that names one by its entry point."""
        return f"OTEL_PYTHON_{self.kind.upper()}"

    def is_free(self, environment: Environment) -> bool:
        """True where exporters can be added to one; else one line says whose it is, and what to do.

        Raises:
            TelemetryError: The variable names one that cannot be made, where strict.
        """
        current = self._current(environment)
        owner = self._owner(current, environment)
        if owner in (Owner.NOBODY, Owner.OPENTELEMETRY):
            return True
        unit, variable = self.signal.unit, f"OTEL_{self.signal.word}_EXPORTER"
        if owner is Owner.TELEMETRY:
            text = "another Telemetry of this process exports its %s; this one does not. Keep one of them%s"
            say(logging.WARNING, text, unit, self.sharing)
        elif owner is Owner.INSTRUMENT:
            text = "%s go to the exporter that %s named to opentelemetry-instrument"
            say(logging.INFO, text, unit, variable)
        else:
            say(
                logging.WARNING,
                "a %s is set already, by %s, and is left as it is: no %s are exported from here. To guard "
                "its exporter, wrap it where it is made: %s, or by %s=breaker_otlp_proto_http where "
                "opentelemetry-instrument makes it%s",
                type(current).__name__,
                self._set_by(environment),
                unit,
                self.wrapping,
                variable,
                self.sharing,
            )
        return False

    def bare(self, environment: Environment) -> Any:
        """The SDK's provider that OpenTelemetry has made for its variable, if nobody has added to it."""
        current = self._current(environment)
        return current if self._owner(current, environment) is Owner.OPENTELEMETRY else None

    def put(self, provider: object, environment: Environment) -> None:
        """Set a provider that was made here."""
        if self.bare(environment) is None:
            with environment.hidden((self.variable,)):
                self.set(provider)
        _made.add(provider)

    def _owner(self, current: object | None, environment: Environment) -> Owner:
        if current is None:
            return Owner.NOBODY
        if any(current is made for made in _made):
            return Owner.TELEMETRY
        if environment.value(self.variable) is not None and self._is_bare(current):
            return Owner.OPENTELEMETRY
        return Owner.INSTRUMENT if any_early() else Owner.APPLICATION

    # Private attributes, with a test: nothing public tells what a provider has (1.39 to 1.45). Where one is
    # missing, the provider counts as the application's.
    def _is_bare(self, provider: object) -> bool:
        """True for a provider of the SDK to which nobody has added."""
        found: object = provider
        for name in self.parts:
            found = getattr(found, name, None)
        return found in ((), []) and hasattr(provider, self.adding)

    def _set_by(self, environment: Environment) -> str:
        named = environment.value(self.variable)
        if named in (None, f"sdk_{self.kind}"):
            return "the application or by opentelemetry-instrument"
        return f"{self.variable}={named}"

    def _current(self, environment: Environment) -> object | None:
        """The provider that is set, or that OpenTelemetry makes for its variable; not the SDK's for that."""
        named = environment.value(self.variable)
        if named not in (None, f"sdk_{self.kind}"):
            try:
                return self.get()
            except Exception as error:  # which the application would get, too, when it asks for one
                group = f"opentelemetry_{self.kind}"
                failure = origin(error) if entry_points(group=group, name=named) else "it is not installed"
                environment.complain(
                    f"{self.variable} must name a {self.kind.replace('_', ' ')} that can be made, such as "
                    f"sdk_{self.kind}, not {shown(named)}: {failure}",
                    "using that one",
                )
        with environment.hidden((self.variable,)):
            current = self.get()
        # The API's own stand-in is of a private class in the case of metrics.
        is_stand_in = type(current).__module__.startswith(self.api) and not isinstance(current, self.none)
        return None if is_stand_in else current
