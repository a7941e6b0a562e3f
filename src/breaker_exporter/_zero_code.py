"""The exporters that ``OTEL_TRACES_EXPORTER`` names for ``opentelemetry-instrument``, without a line of code.

``opentelemetry-instrument`` makes them while the interpreter starts: in Gunicorn's arbiter, before the fork
and before gevent's monkey patch. So they make later what must come later: modules that bring ``ssl`` along,
gRPC channels, connections, threads.
"""

from __future__ import annotations

import atexit
import logging
import os
import time
import weakref
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from ._all_settings import OURS
from ._base.environment import Environment
from ._base.log import say, set_level
from ._base.meter_provider import metered
from ._base.redaction import origin
from ._concurrency.before_patch import await_patch
from ._wiring.gunicorn_log import ensure_heard
from ._wiring.pipeline import COLLECTOR, check_otlp, otlp_exporter, with_circuit
from ._wiring.provider import mend_native_locks
from ._wiring.settings import Arguments
from ._wiring.start_line import say_started
from ._wiring.switches import METRICS
from .otlp._packages import check_installed

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

    from ._spans import CircuitBreakerSpanExporter
    from .otlp._settings import Protocol


class ZeroCodeSpanExporter(SpanExporter):
    """A guarded exporter that the environment configures, for a process that may fork and patch at any time.

    A bad variable is one WARNING and counts as unset. Provider and batch processor are OpenTelemetry's own,
    so this exporter itself bounds their last exports at exit. One instance serves one processor.

    Raises:
        ImportError: The package that speaks the protocol is missing; the text says how to get it.
        TelemetryError: A variable is bad, where ``BREAKER_EXPORTER_STRICT=1``.
    """

    protocol: ClassVar[Protocol]

    def __init__(self) -> None:
        check_installed(self.protocol)
        self._environment = environment = Environment()
        arguments = Arguments(protocol=self.protocol)
        defaults = arguments.defaults(environment)
        set_level(defaults.log_level)
        environment.check_names(OURS)
        self.settings = arguments.settings(environment, defaults)
        check_otlp(self.protocol, environment)
        self._observes = environment.in_force(METRICS)
        # By protocol, of which there is one: `setdefault` has two threads agree on the first that was made.
        self._made: dict[Protocol, CircuitBreakerSpanExporter] = {}
        self._has_logged_failure = False
        self._started_in = 0
        self._end: float | None = None
        # The provider was made before, so this runs before the provider's last exports.
        atexit.register(_bound_exit, weakref.ref(self))
        await_patch(self)

    @property
    def breaker(self) -> CircuitBreakerSpanExporter | None:
        """The circuit breaker, also in a forked child; ``None`` before the first export."""
        return self._made.get(self.protocol)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export `spans` through the circuit breaker, which the first export makes."""
        self.make()
        breaker = self.breaker
        self._say_started(breaker)
        return SpanExportResult.FAILURE if breaker is None else breaker.export(spans)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Flush the wrapped exporter, in so many milliseconds."""
        breaker = self.breaker
        return breaker is None or breaker.force_flush(timeout_millis)

    def shutdown(self, timeout_millis: int = 30_000) -> None:
        """End exporting, in so many milliseconds. Later exports are refused."""
        self.begin_shutdown(timeout_millis / 1000)
        if (breaker := self.breaker) is not None:
            breaker.shutdown(timeout_millis)
        self._end = time.monotonic()  # for a circuit breaker that is made later

    def begin_shutdown(self, timeout: float) -> None:
        """Set one deadline, in `timeout` seconds, for all exports still to come. The first one counts."""
        if self._end is None:
            self._end = time.monotonic() + timeout
            if (breaker := self.breaker) is not None:
                breaker.begin_shutdown(timeout)

    def prepare(self) -> None:
        """Import and mend, once gevent has patched, what must not happen in the middle of an export."""
        mend_native_locks()
        self.make()

    def make(self) -> None:
        """Make the circuit breaker, unless it is there. Never raises an ``Exception``."""
        if self.breaker is not None:
            return
        settings = self.settings
        if (left := self._left()) is not None:
            # From Python 3.12 on no thread starts any more: the wrapped exporter alone keeps the time.
            settings = replace(settings, timeout=min(settings.timeout, left + 0.001))
        try:
            made = with_circuit(
                COLLECTOR, otlp_exporter(self.protocol, settings, self._environment), settings
            )
            # Another thread may be here too. One circuit breaker serves; the other has done nothing yet.
            made = self._made.setdefault(self.protocol, made)
            if (left := self._left()) is not None:  # begin_shutdown was called meanwhile
                made.begin_shutdown(left)
            elif self._observes:
                self._observe(made)
        except Exception as error:
            if not self._has_logged_failure:
                self._has_logged_failure = True
                say(logging.WARNING, "no spans go to %s: %s", COLLECTOR, origin(error))

    def _say_started(self, breaker: CircuitBreakerSpanExporter | None) -> None:
        """Log what was started, with the first export: server and application have set up logging by then."""
        if self._started_in == (process := os.getpid()):
            return
        self._started_in = process
        ensure_heard()
        if breaker is not None and self._end is None:
            say_started(None, [breaker], self.settings)

    def _left(self) -> float | None:
        """Seconds until the deadline, once there is one."""
        return None if self._end is None else max(0.0, self._end - time.monotonic())

    def _observe(self, made: CircuitBreakerSpanExporter) -> None:
        from .instrumentation import observe

        with metered(self._environment):
            observe(made)


class HTTPSpanExporter(ZeroCodeSpanExporter):
    """``breaker_otlp_proto_http``: :class:`~breaker_exporter.otlp.CooperativeOTLPSpanExporter`, guarded."""

    protocol = "http/protobuf"


class GRPCSpanExporter(ZeroCodeSpanExporter):
    """``breaker_otlp_proto_grpc``: :class:`~breaker_exporter.otlp.OTLPGrpcSpanExporter`, guarded."""

    protocol = "grpc"


def _bound_exit(exporter: weakref.ref[ZeroCodeSpanExporter]) -> None:
    if (living := exporter()) is not None:
        living.begin_shutdown(living.settings.shutdown_timeout)
