"""The SpanExporter contract: nothing but admit, run, settle, account."""

from __future__ import annotations

import inspect
import logging
import os
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, cast, overload

import pybreaker
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from ._base import checks as check
from ._base.log import say
from ._base.redaction import message
from ._base.values import CircuitState, CircuitTransition, ExporterHealth
from ._concurrency import hub
from ._core.announcer import Announcer
from ._core.circuit import given_circuit, own_circuit
from ._core.guard import Desk
from ._core.runner import Runner
from ._core.wrapped_log import Listener
from ._span_results import ReportingSpanExporter, report_of_result
from .otlp._headers import secrets_of_environment

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

    from ._core.report import ExportReport


class CircuitBreakerSpanExporter(SpanExporter):
    """Wraps any span exporter so that the application never notices what its backend does.

    Consecutive failures open a circuit; while it is open, exports are refused in microseconds; after a
    cooldown one probe asks whether the backend is back. The wrapped exporter runs off the gevent hub and
    under a hard deadline. One instance serves one processor; it may be made before or after a fork, and
    before or after gevent's monkey patch.

    ``None`` means the default for every argument after the first but `switch_interval`.

    Args:
        exporter: Any span exporter. One whose attribute ``cooperative`` is ``True`` promises to yield to
            the gevent hub by itself and runs in a greenlet there. One that is a
            :class:`ReportingSpanExporter` can tell more than ``SUCCESS`` or ``FAILURE``.
        name: In logs, metrics and events. Default: the wrapped class's name.
        failure_threshold: Consecutive failures that open the circuit, 1 or more.
        cooldown: Seconds before the first probe.
        max_cooldown: Seconds; each failed probe doubles the cooldown up to this. Default 60, or `cooldown`
            where that is longer.
        jitter: Every cooldown is drawn from ``[1 - jitter, 1]`` times its value, so it is never longer than
            said; from 0 (exact) to below 1.
        export_timeout: Seconds that one export may take, waiting for its turn included. It must lie above
            the wrapped exporter's own timeout (OTLP: 10 s), since overrunning it opens the circuit at once.
        listeners: Called with each :class:`CircuitTransition`, on the side of whoever brought it about,
            outside every lock.
        breaker: A ``pybreaker.CircuitBreaker`` of yours instead of the circuit settings above. What its
            listeners and storage cost is then on you.
        clock: Monotonic seconds, for cooldowns; deadlines run on real time.
        switch_interval: Seconds that ``sys.setswitchinterval`` is lowered to while a call is out on a native
            thread beside a gevent hub, which otherwise waits 5 ms for the GIL each time it wakes while the
            wrapped exporter encodes; ``None`` leaves it alone. A cooperative exporter needs none.

    Raises:
        TypeError: An argument is of the wrong type, `exporter` is a class or has no ``export``, or a circuit
            setting was given together with `breaker`.
        ValueError: A number is out of its range, or `exporter` is one of ours already.
    """

    @overload
    def __init__(
        self,
        exporter: SpanExporter,
        *,
        name: str | None = None,
        failure_threshold: int | None = 3,
        cooldown: float | None = 15.0,
        max_cooldown: float | None = 60.0,
        jitter: float | None = 0.2,
        export_timeout: float | None = 15.0,
        listeners: Iterable[Callable[[CircuitTransition], object]] | None = (),
        breaker: None = None,
        clock: Callable[[], float] | None = time.monotonic,
        switch_interval: float | None = 0.0003,
    ) -> None: ...

    @overload
    def __init__(
        self,
        exporter: SpanExporter,
        *,
        name: str | None = None,
        failure_threshold: None = None,
        cooldown: None = None,
        max_cooldown: None = None,
        jitter: None = None,
        export_timeout: float | None = 15.0,
        listeners: Iterable[Callable[[CircuitTransition], object]] | None = (),
        breaker: pybreaker.CircuitBreaker,
        clock: None = None,
        switch_interval: float | None = 0.0003,
    ) -> None: ...

    def __init__(
        self,
        exporter: SpanExporter,
        *,
        name: str | None = None,
        failure_threshold: int | None = None,
        cooldown: float | None = None,
        max_cooldown: float | None = None,
        jitter: float | None = None,
        export_timeout: float | None = 15.0,
        listeners: Iterable[Callable[[CircuitTransition], object]] | None = (),
        breaker: pybreaker.CircuitBreaker | None = None,
        clock: Callable[[], float] | None = None,
        switch_interval: float | None = 0.0003,
    ) -> None:
        check.exporter("exporter", exporter)
        if isinstance(exporter, CircuitBreakerSpanExporter):
            raise ValueError(
                f"exporter must not be wrapped twice: {exporter!r} is a CircuitBreakerSpanExporter"
            )
        self._exporter = exporter
        self._call = _call_of(exporter)
        self._listener = Listener(exporter, secrets_of_environment)
        self._name = type(exporter).__name__ if name is None else check.text("name", name)
        given = {
            "failure_threshold": failure_threshold,
            "cooldown": cooldown,
            "max_cooldown": max_cooldown,
            "jitter": jitter,
            "clock": clock,
        }
        if breaker is not None:
            _check_breaker(breaker, [setting for setting, value in given.items() if value is not None])
            circuit = given_circuit(self._name, breaker)
        else:
            first = check.seconds("cooldown", 15.0 if cooldown is None else cooldown)
            longest = (
                max(60.0, first) if max_cooldown is None else check.seconds("max_cooldown", max_cooldown)
            )
            if longest < first:
                raise ValueError(f"max_cooldown must not be below cooldown, {first!r}, not {max_cooldown!r}")
            circuit = own_circuit(
                self._name,
                failure_threshold=check.count(
                    "failure_threshold", 3 if failure_threshold is None else failure_threshold
                ),
                cooldown=first,
                max_cooldown=longest,
                jitter=check.share("jitter", 0.2 if jitter is None else jitter),
                clock=check.function("clock", time.monotonic if clock is None else clock),
            )
        desk = Desk(
            self._name,
            check.seconds("export_timeout", 15.0 if export_timeout is None else export_timeout),
            circuit,
            Announcer(
                partial(_name_and_destination, self._name, exporter),
                "spans",
                check.functions("listeners", listeners),
                outage_began=None if circuit.is_closed else circuit.now,
            ),
            Runner(
                self._name,
                cooperative=getattr(exporter, "cooperative", False) is True,
                switch_interval=None
                if switch_interval is None
                else check.seconds("switch_interval", switch_interval),
            ),
        )
        self._desks = {os.getpid(): desk}
        self._said_no_length = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._name!r} around {type(self._exporter).__name__}>"

    @property
    def state(self) -> CircuitState:
        """The circuit's state."""
        return self._desk().state

    def health(self) -> ExporterHealth:
        """A consistent snapshot of this process's counts and of the circuit."""
        return self._desk().health()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export `spans` through the wrapped exporter, or refuse at once while the circuit is open.

        Never raises an ``Exception``, never takes longer than `export_timeout`, never holds the hub.

        Args:
            spans: Handed on as they are.

        Returns:
            ``SUCCESS`` where the wrapped exporter said so, or where there was nothing to export.
        """
        try:
            count = len(spans)
        except Exception as error:
            if not self._said_no_length:
                self._said_no_length = True
                say(
                    logging.WARNING,
                    "%s: export got no sequence of spans but %s",
                    self._name,
                    type(spans),
                    cause=error,
                )
            return SpanExportResult.FAILURE
        succeeded = count == 0 or self._desk().export(count, _Call(self._call, self._listener, spans))
        hub.free_slowly(spans)
        return SpanExportResult.SUCCESS if succeeded else SpanExportResult.FAILURE

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Flush the wrapped exporter.

        Args:
            timeout_millis: Milliseconds after which this comes back, whatever the wrapped exporter does.

        Returns:
            ``False`` where it was late, raised or said so itself, or after :meth:`shutdown`.
        """
        flush = getattr(self._exporter, "force_flush", None)
        if flush is None:
            return True
        timeout = check.budget(timeout_millis)
        call = partial(flush, timeout_millis=int(timeout * 1000)) if _takes_timeout(flush) else flush
        return self._desk().flush(call, timeout)

    def begin_shutdown(self, timeout: float) -> None:
        """Set one deadline for all that is still to come.

        What is in flight, later exports, :meth:`force_flush` and :meth:`shutdown` together may take
        `timeout` seconds from now; exports that come after that are refused. A processor that drains its
        queue in its own shutdown has to be bounded this way. The earliest deadline set holds.

        Args:
            timeout: Seconds, 0 or more.

        Raises:
            TypeError: `timeout` is no number.
            ValueError: It is negative or not finite.
        """
        self._desk().begin_shutdown(check.finite_seconds("timeout", timeout, zero=True))

    def shutdown(self, timeout_millis: int = 30_000) -> None:
        """End exporting and shut the wrapped exporter down, off the hub. Later exports are refused.

        Args:
            timeout_millis: Milliseconds after which this comes back, whatever the wrapped exporter does. A
                call that is still out gets half of them to end by itself.
        """
        self._desk().shutdown(self._shutdown_wrapped, check.budget(timeout_millis))

    @property
    def _destination(self) -> str:
        return _destination_of(self._exporter)

    def _say_stopped(self) -> None:
        """Say what this process has exported and lost, unless :meth:`shutdown` has: its time is over."""
        self._desk().say_stopped()

    def _shutdown_wrapped(self, timeout: float) -> None:
        shutdown = getattr(self._exporter, "shutdown", None)
        if shutdown is not None:
            if _takes_timeout(shutdown):
                shutdown(timeout_millis=int(timeout * 1000))
            else:
                shutdown()

    def _desk(self) -> Desk:
        """This process's desk. Asked on every entry: no hook of ours has to live on in ``os.fork``."""
        desks = self._desks
        pid = os.getpid()
        desk = desks.get(pid)
        if desk is None:
            # Several threads of a child may come here at once: the first one's is everybody's.
            parent = next(known for process, known in list(desks.items()) if process != pid)
            desk = desks.setdefault(pid, parent.forked())
            self._desks = {pid: desk}
        return desk


def _check_breaker(breaker: object, settings: list[str]) -> None:
    if not isinstance(breaker, pybreaker.CircuitBreaker):
        raise TypeError(f"breaker must be a pybreaker.CircuitBreaker, not {breaker!r}")
    if settings:
        raise TypeError(f"{', '.join(settings)} cannot be given together with breaker, which has its own")


class _Call:
    """A call with a batch, let go of when it is over.

    The errors of HTTP and gRPC libraries are in cycles with their frames, and those hold all that called
    them: a batch that is held there too waits for the garbage collector, which then stops everybody for it.
    """

    __slots__ = ("_call", "_listener", "_spans")

    def __init__(
        self,
        call: Callable[[Sequence[ReadableSpan]], object],
        listener: Listener,
        spans: Sequence[ReadableSpan],
    ) -> None:
        self._call = call
        self._listener = listener
        self._spans = spans

    def __call__(self) -> ExportReport:
        try:
            with self._listener.listening() as heard:
                result = self._call(self._spans)
            return report_of_result(result, self._listener.text_of(heard))
        finally:
            self._spans = ()


def _call_of(exporter: SpanExporter) -> Callable[[Sequence[ReadableSpan]], object]:
    """What to call with a batch. An ``export`` overridden by a subclass is not passed by."""
    for kind in type(exporter).__mro__:
        if "export_and_report" in vars(kind):
            return cast(ReportingSpanExporter, exporter).export_and_report
        if "export" in vars(kind):
            break
    return exporter.export


def _name_and_destination(name: str, exporter: SpanExporter) -> str:
    destination = _destination_of(exporter)
    return f"{name} ({destination})" if destination else name


def _destination_of(exporter: SpanExporter) -> str:
    """Where it says that it sends to; empty where it does not say."""
    try:
        destination = getattr(exporter, "destination", None)
    except Exception:  # of a property that is somebody else's
        destination = None
    return message(destination) if isinstance(destination, str) else ""


def _takes_timeout(method: Callable[..., object]) -> bool:
    try:
        parameters = inspect.signature(method).parameters.values()
    except (TypeError, ValueError):
        return False
    return any(p.name == "timeout_millis" or p.kind is p.VAR_KEYWORD for p in parameters)
