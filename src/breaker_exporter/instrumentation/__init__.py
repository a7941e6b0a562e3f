"""An exporter's health as OpenTelemetry metrics, which are read when they are collected, not with each span.

Import this after gevent's monkey patch, as the exporter itself.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from opentelemetry import metrics

from .._breaker_exporter import BreakerExporter
from ..otlp._signals import Signal
from ._instruments import make_instruments, make_instruments_of
from ._observed import Observed, signal_of

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider

    from .._logs import CircuitBreakerLogRecordExporter
    from .._metrics import CircuitBreakerMetricExporter
    from .._spans import CircuitBreakerSpanExporter

__all__ = ["observe"]

_observed: WeakKeyDictionary[MeterProvider, Observed] = WeakKeyDictionary()
"""By provider, which ignores callbacks of a second instrument of the same name: all exporters share one."""

_made: WeakKeyDictionary[MeterProvider, set[Signal]] = WeakKeyDictionary()
"""The signals that a provider has instruments for."""

_globally = Observed()
"""The exporters of the global provider: until one is set, a proxy, which passes its instruments on."""


def observe(
    exporter: CircuitBreakerSpanExporter | CircuitBreakerLogRecordExporter | CircuitBreakerMetricExporter,
    meter_provider: MeterProvider | None = None,
) -> None:
    """Report the health of `exporter` as metrics of a meter provider.

    It is reported until the exporter is garbage. A second call for the same exporter changes nothing.

    ======================================== ====================================================
    ``otel.sdk.exporter.span.exported``      spans by outcome: without ``error.type``, or with
                                             ``circuit_open`` (refused), ``dropped`` (kept, and then
                                             given up; why: ``breaker_exporter.drop.reason``) or
                                             ``_OTHER`` (failed)
    ``otel.sdk.exporter.span.inflight``      spans waiting, being exported or kept for later
    ``breaker_exporter.backlog.items``       items kept for later: delayed, not lost
    ``breaker_exporter.backlog.bytes``       memory that they take
    ``breaker_exporter.backlog.age``         s since the oldest of them came; 0 where none is kept
    ``breaker_exporter.spool.files``         files on disk, by the one process of a host that counts them
    ``breaker_exporter.spool.bytes``         bytes that the service takes there, by the same process
    ``breaker_exporter.circuit.state``       1 for the state it is in, 0 for the others
    ``breaker_exporter.circuit.transitions`` times the circuit opened, a failed probe included
    ``breaker_exporter.circuit.cooldown``    s
    ``breaker_exporter.calls.hung``          calls given up and still stuck
    ======================================== ====================================================

    An exporter of log records has ``otel.sdk.exporter.log.*`` in place of ``otel.sdk.exporter.span.*``, and
    one of metrics ``otel.sdk.exporter.metric_data_point.*``.

    Each has ``otel.component.name``, ``otel.component.type`` and ``process.pid``, so that workers of one host
    do not collide. The first two are named by OpenTelemetry's semantic conventions for SDK metrics; the
    official OTLP exporters report themselves by these names too, with another ``otel.component.type``.

    Args:
        exporter: The exporter to report.
        meter_provider: The meter provider; by default the global one, which may be set before or after this.

    Raises:
        TypeError: `exporter` is no circuit breaker of this package.
    """
    if not isinstance(exporter, BreakerExporter):
        raise TypeError(
            "exporter must be a CircuitBreakerSpanExporter, CircuitBreakerLogRecordExporter or "
            f"CircuitBreakerMetricExporter, not {exporter!r}"
        )
    provider = metrics.get_meter_provider() if meter_provider is None else meter_provider
    observed = _observed.get(provider)
    meter = provider.get_meter("breaker_exporter", version("breaker-exporter"))
    if observed is None:
        observed = _globally if provider is metrics.get_meter_provider() else Observed()
        _observed[provider] = observed
        make_instruments(meter, observed)
    signal = signal_of(exporter)
    made = _made.setdefault(provider, set())
    if signal not in made:
        made.add(signal)
        make_instruments_of(signal, meter, observed)
    observed.add(exporter)
