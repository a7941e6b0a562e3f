"""The part that the circuit breakers of all signals share: arguments, state, health, and their end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar, overload

import pybreaker

from ._base import checks as check
from ._base.redaction import secrets_of_environment
from ._base.signatures import showing_overload_defaults
from ._base.values import CircuitState, CircuitTransition, ExporterHealth
from ._contract import Contract
from ._core.breaker_arguments import BreakerArguments
from ._core.circuit_settings import (
    COOLDOWN,
    EXPORT_TIMEOUT,
    FAILURE_THRESHOLD,
    JITTER,
    MAX_COOLDOWN,
    SWITCH_INTERVAL,
)
from ._core.guarded_exporter import GuardedExporter
from ._core.retention import Retention
from ._core.shared_circuit import SharedCircuit
from ._results import encoder_of, export_method, report_of_result, storing_encoder_of
from ._service import service_of, untraced_context

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource

Exporter = TypeVar("Exporter")
Batch = TypeVar("Batch")


class BreakerExporter(Generic[Exporter, Batch]):
    """A circuit breaker around an exporter of any signal; each signal has a subclass.

    That is an exporter by OpenTelemetry's base class too, which comes second.
    """

    _contract: ClassVar[Contract]

    @overload
    def __init__(
        self,
        exporter: Exporter,
        *,
        name: str | None = None,
        failure_threshold: int | None = FAILURE_THRESHOLD.default,
        cooldown: float | None = COOLDOWN.default,
        max_cooldown: float | None = MAX_COOLDOWN.default,
        jitter: float | None = JITTER.default,
        export_timeout: float | None = EXPORT_TIMEOUT.default,
        listeners: Iterable[Callable[[CircuitTransition], object]] | None = (),
        breaker: None = None,
        circuit: None = None,
        clock: Callable[[], float] | None = time.monotonic,
        switch_interval: float | None = SWITCH_INTERVAL.default,
        retention: Retention | None = None,
    ) -> None: ...

    @overload
    def __init__(
        self,
        exporter: Exporter,
        *,
        name: str | None = None,
        failure_threshold: None = None,
        cooldown: None = None,
        max_cooldown: None = None,
        jitter: None = None,
        export_timeout: float | None = EXPORT_TIMEOUT.default,
        listeners: Iterable[Callable[[CircuitTransition], object]] | None = (),
        breaker: pybreaker.CircuitBreaker,
        circuit: None = None,
        clock: None = None,
        switch_interval: float | None = SWITCH_INTERVAL.default,
        retention: Retention | None = None,
    ) -> None: ...

    @overload
    def __init__(
        self,
        exporter: Exporter,
        *,
        name: str | None = None,
        failure_threshold: None = None,
        cooldown: None = None,
        max_cooldown: None = None,
        jitter: None = None,
        export_timeout: float | None = EXPORT_TIMEOUT.default,
        listeners: Iterable[Callable[[CircuitTransition], object]] | None = (),
        breaker: None = None,
        circuit: SharedCircuit,
        clock: None = None,
        switch_interval: float | None = SWITCH_INTERVAL.default,
        retention: Retention | None = None,
    ) -> None: ...

    @showing_overload_defaults
    def __init__(
        self,
        exporter: Exporter,
        *,
        name: str | None = None,
        failure_threshold: int | None = None,
        cooldown: float | None = None,
        max_cooldown: float | None = None,
        jitter: float | None = None,
        export_timeout: float | None = EXPORT_TIMEOUT.default,
        listeners: Iterable[Callable[[CircuitTransition], object]] | None = (),
        breaker: pybreaker.CircuitBreaker | None = None,
        circuit: SharedCircuit | None = None,
        clock: Callable[[], float] | None = None,
        switch_interval: float | None = SWITCH_INTERVAL.default,
        retention: Retention | None = None,
    ) -> None:
        """Wrap `exporter`.

        ``None`` means the default for every argument after the first but `switch_interval`.

        Args:
            exporter: Any exporter of the signal. One whose attribute ``cooperative`` is ``True`` promises to
                yield to the gevent hub by itself and runs in a greenlet there. One with a method
                ``export_and_report``, see :class:`ReportingSpanExporter`, can tell more than ``SUCCESS`` or
                ``FAILURE``.
            name: In logs, metrics and events. Default: the wrapped class's name.
            failure_threshold: Consecutive failures that open the circuit, 1 or more. Default 3.
            cooldown: Seconds before the first probe. Default 15.
            max_cooldown: Seconds; each failed probe doubles the cooldown up to this. Default 60, or
                `cooldown` where that is longer.
            jitter: Every cooldown is drawn from ``[1 - jitter, 1]`` times its value, so it is never longer
                than said; from 0 (exact) to below 1. Default 0.2.
            export_timeout: Seconds that one export may take, waiting for its turn included. It must lie above
                the wrapped exporter's own timeout (OTLP: 10 s), since overrunning it opens the circuit at
                once. Default 15.
            listeners: Called with each :class:`CircuitTransition` by the caller that caused it, outside every
                lock.
            breaker: A ``pybreaker.CircuitBreaker`` of yours instead of the circuit settings above. What its
                listeners and storage cost is then on you.
            circuit: A :class:`SharedCircuit`, which other exporters to the same backend get too, instead of
                `breaker` and the circuit settings.
            clock: Monotonic seconds, for cooldowns; deadlines run on real time.
            retention: Keeps what cannot be delivered, and delivers it when the backend is back; ``export``
                then returns ``SUCCESS`` once a batch is kept. Default ``None``: nothing is kept.
            switch_interval: Seconds; ``sys.setswitchinterval`` is lowered to this while a call runs on a
                native thread beside a gevent hub. Otherwise the hub waits 5 ms for the GIL each time it wakes
                while the wrapped exporter encodes. ``None`` leaves the interval alone. A cooperative exporter
                needs none. Default 0.0003.

        Raises:
            TypeError: An argument is of the wrong type, `exporter` is a class, has no ``export`` or is of
                another signal, or a circuit setting was given together with `breaker` or `circuit`.
            ValueError: A number is out of its range, or `exporter` is one of ours already.
        """
        contract = self._contract
        check.exporter("exporter", exporter, contract.kind)
        contract.check_signal(exporter)
        if retention is not None and not isinstance(retention, Retention):
            raise TypeError(f"retention must be a Retention, not {retention!r}")
        if retention is not None and retention.directory is not None and storing_encoder_of(exporter) is None:
            raise ValueError(
                f"retention must have no directory for {type(exporter).__name__}, whose batches can be kept "
                f"in memory alone, not {retention!r}"
            )
        if isinstance(exporter, BreakerExporter):
            raise ValueError(
                f"exporter must not be wrapped twice: {exporter!r} is a {type(exporter).__name__}"
            )
        super().__init__()
        self._exporter = exporter
        self._guarded = GuardedExporter[Batch](
            exporter,
            export=export_method(exporter),
            judge=partial(report_of_result, contract.results),
            secrets=secrets_of_environment,
            encoder=encoder_of(exporter),
            storing_encoder=storing_encoder_of(exporter),
            signal=contract,
            arguments=BreakerArguments(
                name=name,
                failure_threshold=failure_threshold,
                cooldown=cooldown,
                max_cooldown=max_cooldown,
                jitter=jitter,
                breaker=breaker,
                circuit=circuit,
                clock=clock,
                export_timeout=export_timeout,
                listeners=listeners,
                switch_interval=switch_interval,
                retention=retention,
            ),
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._guarded.name!r} around {type(self._exporter).__name__}>"

    @property
    def state(self) -> CircuitState:
        """The circuit's state."""
        return self._guarded.state

    def health(self) -> ExporterHealth:
        """A consistent snapshot of this process's counts and of the circuit."""
        return self._guarded.health()

    def force_flush(self, timeout_millis: float = 30_000) -> bool:
        """Flush the wrapped exporter.

        Args:
            timeout_millis: Milliseconds after which this comes back, whatever the wrapped exporter does.

        Returns:
            ``False`` where it was late, raised or said so itself, or after :meth:`shutdown`.
        """
        return self._guarded.force_flush(timeout_millis)

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
        self._guarded.begin_shutdown(timeout)

    def shutdown(self, timeout_millis: float = 30_000) -> None:
        """End exporting and shut the wrapped exporter down, off the hub. Later exports are refused.

        Args:
            timeout_millis: Milliseconds after which this comes back, whatever the wrapped exporter does. A
                call that is still out gets half of them to end by itself.
        """
        self._guarded.shutdown(timeout_millis)

    @property
    def _destination(self) -> str:
        return self._guarded.destination

    def _look_on_disk(self, resource: Resource) -> None:
        """For the start of a worker: send what lies on disk already."""
        self._guarded.look_on_disk(service_of(resource), untraced_context())

    def _open_disk(self, resource: Resource) -> str | None:
        """For the start of a worker where mistakes are fatal: why the directory cannot be used, if so."""
        return self._guarded.open_disk(service_of(resource))

    def _say_stopped(self) -> None:
        """For the end of a worker whose time is over before :meth:`shutdown` was."""
        self._guarded.say_stopped()
