"""The part that the exporters for ``opentelemetry-instrument`` share, whatever their signal.

``opentelemetry-instrument`` makes them while the interpreter starts: in Gunicorn's arbiter, before the fork
and before gevent's monkey patch. So they make later what must come later: modules that bring ``ssl`` along,
gRPC channels, connections, threads.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from .._all_settings import OURS
from .._base.log import say, set_level
from .._base.meter_provider import metered
from .._base.redaction import origin
from .._concurrency.before_patch import await_patch, is_patch_due
from .._concurrency.patched import is_patched
from .._wiring.exporter_makers import check_otlp, otlp_exporter
from .._wiring.gunicorn_log import ensure_heard
from .._wiring.native_locks import mend_native_locks
from .._wiring.pipeline import COLLECTOR, circuit_name, with_circuit
from .._wiring.settings import Arguments
from .._wiring.start_line import say_exporters
from .._wiring.switches import METRICS
from ..otlp._packages import check_installed
from .copied_thread import end_copied_thread
from .fork_gate import export_passing, making
from .process import add, bound_exit, circuits, environment

if TYPE_CHECKING:
    from .._wiring.pipeline import Exporter
    from ..otlp._settings import Protocol
    from ..otlp._signals import Signal

_LONGEST_BOOT = 30.0
"""Seconds that the exports of a worker wait for a patch that is due."""


class LateExporter:
    """A guarded exporter that the environment configures, for a process that may fork and patch at any time.

    Each signal has a subclass, which is an exporter by OpenTelemetry's base class too. A bad variable is one
    WARNING and counts as unset. The provider and what feeds the exporter are OpenTelemetry's own, so the
    exporter itself bounds their last exports at exit.

    Raises:
        ImportError: The package that speaks the protocol is missing; the text says how to get it.
        TelemetryError: A variable is bad, where ``BREAKER_EXPORTER_STRICT=1``.
    """

    signal: ClassVar[Signal]
    protocol: ClassVar[Protocol]

    def __init__(self) -> None:
        check_installed(self.protocol)
        self._environment = variables = environment()
        arguments = Arguments(protocol=self.protocol)
        defaults = arguments.defaults(variables)
        set_level(defaults.log_level)
        ensure_heard()  # opentelemetry-instrument may attach its handler next
        variables.check_names(OURS)
        self.settings = arguments.settings(variables, defaults, self.signal)
        check_otlp(self.protocol, variables, self.signal)
        self._observes = variables.in_force(METRICS)
        # By protocol, of which there is one: `setdefault` has two threads agree on the first that was made.
        self._made: dict[Protocol, Exporter] = {}
        self._has_logged_failure = False
        self._started_in = 0
        self._end: float | None = None
        self._made_in = os.getpid()
        self._may_export = threading.Event()
        self._is_ending = threading.Event()
        add(self)
        await_patch(self)

    @property
    def breaker(self) -> Exporter | None:
        """The circuit breaker, also in a forked child; ``None`` before the first export."""
        return self._made.get(self.protocol)

    @contextlib.contextmanager
    def exporting(self) -> Iterator[Any]:
        """Inside, an export is out: by this circuit breaker, or none where it cannot be made."""
        self._await_start()
        with export_passing():
            if self.breaker is None:
                with making():
                    self.make()
            breaker = self.breaker
            if self._started_in != (process := os.getpid()):
                self._started_in = process
                # Exit handlers run in reverse order: before the provider's, which may have been made later.
                atexit.register(bound_exit)
                self._say_started(breaker)
            yield breaker
        if process != self._made_in and is_patched():
            end_copied_thread()

    def force_flush(self, timeout_millis: float = 30_000) -> bool:
        """Flush the wrapped exporter, in so many milliseconds."""
        breaker = self.breaker
        return breaker is None or breaker.force_flush(timeout_millis)

    def shutdown(self, timeout_millis: float = 30_000) -> None:
        """End exporting, in so many milliseconds. Later exports are refused."""
        self.begin_shutdown(timeout_millis / 1000)
        if (breaker := self.breaker) is not None:
            breaker.shutdown(timeout_millis)
        self._end = time.monotonic()  # for a circuit breaker that is made later

    def begin_shutdown(self, timeout: float) -> None:
        """Set one deadline, in `timeout` seconds, for all exports still to come. The first one counts."""
        if self._end is None:
            self._end = time.monotonic() + timeout
            self._may_export.set()
            self._is_ending.set()
            if (breaker := self.breaker) is not None:
                breaker.begin_shutdown(timeout)

    def prepare(self) -> None:
        """Import and mend, once gevent has patched, what must not happen in the middle of an export."""
        mend_native_locks()
        self.make()
        self._may_export.set()

    def renew_in_child(self) -> None:
        """Forget, in a forked child, the threads of its parent that wait."""
        may_export, self._may_export = self._may_export, threading.Event()
        self._is_ending = threading.Event()
        if may_export.is_set():
            self._may_export.set()

    def make(self) -> None:
        """Make the circuit breaker, unless it is there. Never raises an ``Exception``."""
        if self.breaker is not None:
            return
        settings = self.settings
        if (left := self._left()) is not None:
            # From Python 3.12 on no thread starts any more: the wrapped exporter alone keeps the time.
            settings = replace(settings, timeout=min(settings.timeout, left + 0.001))
        name = circuit_name(COLLECTOR, self.signal)
        try:
            exporter = otlp_exporter(self.protocol, settings, self._environment)
            circuit = circuits(self._environment).of(self.protocol, settings, self._environment)
            made = with_circuit(name, exporter, settings, circuit)
            # Another thread may be here too. One circuit breaker serves; the other has done nothing yet.
            made = self._made.setdefault(self.protocol, made)
            if (left := self._left()) is not None:  # begin_shutdown was called meanwhile
                made.begin_shutdown(left)
            elif self._observes:
                self._observe(made)
        except Exception as error:
            if not self._has_logged_failure:
                self._has_logged_failure = True
                say(logging.WARNING, "no %s go to %s: %s", self.signal.unit, name, origin(error))

    def _await_start(self) -> None:
        """Wait, on a thread beside the main one, until exports may begin in this process.

        Where Gunicorn's gevent worker will patch: what the first export imports must come after that, and a
        thread must import nothing meanwhile. In the arbiter, which never patches, that is the end of the
        process: later workers are forked from it. By gRPC an arbiter's exports wait for its end in any case:
        a child that is forked in the middle of a call can never make one.
        """
        is_first = os.getpid() == self._made_in
        if _is_main_thread():
            return
        if is_first and self.protocol == "grpc" and "gunicorn.arbiter" in sys.modules:
            atexit.register(bound_exit)  # before the provider's, which waits for this thread
            self._is_ending.wait()
        elif is_patch_due() and not self._may_export.is_set():
            atexit.register(bound_exit)
            self._may_export.wait(None if is_first else _LONGEST_BOOT)

    def _say_started(self, breaker: Exporter | None) -> None:
        """Log what was started, with the first export: server and application have set up logging by then."""
        ensure_heard()
        if breaker is not None and self._end is None:
            say_exporters(None, [(self.settings, [breaker])])

    def _left(self) -> float | None:
        """Seconds until the deadline, once there is one."""
        return None if self._end is None else max(0.0, self._end - time.monotonic())

    def _observe(self, made: Exporter) -> None:
        from ..instrumentation import observe

        with metered(self._environment):
            observe(made)


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
