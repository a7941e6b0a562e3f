"""The logger and the meter provider of a process, which it can set once: found, or made and set.

Each is asked for when exporters start: in the worker, and with the application loaded, which may have set its
own by then. Those that OpenTelemetry's API stands in with meanwhile pass on to the one that is set.
"""

from __future__ import annotations

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

    @property
    def variable(self) -> str:
        """The variable that names one by its entry point."""
        return f"OTEL_PYTHON_{self.kind.upper()}"

    def is_free(self, environment: Environment) -> bool:
        """True where the process has none; else one line says whose it is, and how to guard its exporter.

        Raises:
            TelemetryError: The variable names one that cannot be made, where strict.
        """
        current = self._current(environment)
        if current is None or self.bare(environment) is not None:
            return True
        variable = f"OTEL_{self.signal.word}_EXPORTER"
        if any(current is made for made in _made):
            say(
                logging.WARNING,
                "another Telemetry of this process exports its %s; this one does not. Keep one of them",
                self.signal.unit,
            )
        elif any_early():
            say(
                logging.INFO,
                "%s go to the exporter that %s named to opentelemetry-instrument",
                self.signal.unit,
                variable,
            )
        else:
            say(
                logging.WARNING,
                "a %s is set already, by the application or by opentelemetry-instrument, and is left as it "
                "is: no %s are exported from here. To guard its exporter, wrap it where it is made: %s, "
                "or by %s=breaker_otlp_proto_http where opentelemetry-instrument makes it",
                type(current).__name__,
                self.signal.unit,
                self.wrapping,
                variable,
            )
        return False

    # Private attributes, with a test: nothing public tells what a provider has (1.39 to 1.45). Where one is
    # missing, the provider counts as the application's.
    def bare(self, environment: Environment) -> Any:
        """The SDK's provider that OpenTelemetry has made for its variable, if nobody has added to it."""
        if environment.value(self.variable) != f"sdk_{self.kind}":
            return None
        found = current = self._current(environment)
        for name in self.parts:
            found = getattr(found, name, None)
        return current if found in ((), []) and hasattr(current, self.adding) else None

    def put(self, provider: object, environment: Environment) -> None:
        """Set a provider that was made here."""
        if self.bare(environment) is None:
            with environment.hidden((self.variable,)):
                self.set(provider)
        _made.add(provider)

    def _current(self, environment: Environment) -> object | None:
        """The provider that is set, or that OpenTelemetry makes for its variable; not the SDK's for that."""
        named = environment.value(self.variable)
        if named not in (None, f"sdk_{self.kind}"):
            try:
                return self.get()
            except Exception as error:
                group = f"opentelemetry_{self.kind}"
                failure = origin(error) if entry_points(group=group, name=named) else "it is not installed"
                environment.complain(
                    f"{self.variable} must name an installed one, not {shown(named)}: {failure}",
                    "using the SDK's",
                )
        with environment.hidden((self.variable,)):
            current = self.get()
        # The API's own stand-in is of a private class in the case of metrics.
        is_stand_in = type(current).__module__.startswith(self.api) and not isinstance(current, self.none)
        return None if is_stand_in else current
