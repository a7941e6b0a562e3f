"""Telemetry for any server: prepared, started and stopped in the order that survives forks and patches.

Importing this module loads nothing that brings ``ssl`` along.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Literal, Self

from .._base import checks as check
from .._base.environment import TelemetryError, any_set
from .._base.redaction import message
from .._wiring.profiles import Profile
from .._wiring.settings import Arguments
from ._lifecycle import Lifecycle
from ._setup import Setup, resource_attributes_of

if TYPE_CHECKING:
    from types import TracebackType

    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.util.types import AttributeValue

    from .._base.values import CircuitTransition
    from .._core.retention import Retention
    from .._logs import CircuitBreakerLogRecordExporter
    from .._metrics import CircuitBreakerMetricExporter
    from .._spans import CircuitBreakerSpanExporter
    from ..sentry._settings import Sentry

__all__ = ["Profile", "Telemetry", "TelemetryError"]


class Telemetry:
    """OpenTelemetry's traces, logs and metrics, with every exporter behind a circuit breaker.

    Spans are exported unless ``OTEL_TRACES_EXPORTER`` says otherwise, log records and metrics where
    ``OTEL_LOGS_EXPORTER`` and ``OTEL_METRICS_EXPORTER`` name an exporter. Arguments hold for all three; in
    variables each has its own, such as ``OTEL_EXPORTER_OTLP_LOGS_ENDPOINT``.

    A server calls :meth:`start` in each process that serves, after its fork and after gevent's monkey patch,
    and :meth:`stop` when that process ends. A script or a command uses it as a context manager::

        with Telemetry(service_name="nightly-import"):
            ...

    Make one at import: its state belongs to the process that calls, so each worker starts its own.
    ``breaker_exporter.gunicorn`` has these calls as hooks for Gunicorn, which needs :meth:`prepare` too.

    What is left out comes from the environment, then from the defaults. Arguments are checked at once and
    strictly. Everything else fails open: a bad variable, a missing package or a failure while starting is
    one WARNING, and the service goes on; with ``BREAKER_EXPORTER_STRICT=1`` it raises instead. Calls of
    :meth:`prepare` and :meth:`start` must not overlap in several threads.

    Args:
        service_name: The resource's ``service.name``; ``OTEL_SERVICE_NAME``.
        resource_attributes: More of the resource, on top of ``OTEL_RESOURCE_ATTRIBUTES``.
        endpoint: The collector's base URL, such as ``http://collector:4318`` (``/v1/traces`` is added where
            it is missing, or the path of the other signal), or with gRPC ``http://collector:4317``;
            ``OTEL_EXPORTER_OTLP_ENDPOINT``.
        protocol: ``http/protobuf`` (default) or ``grpc``; ``OTEL_EXPORTER_OTLP_PROTOCOL``.
        headers: Sent with every export; ``OTEL_EXPORTER_OTLP_HEADERS``. Never logged.
        timeout: Seconds for one OTLP export; ``OTEL_EXPORTER_OTLP_TIMEOUT``. Default 5.
        failure_threshold: Consecutive failures that open the circuit, 1 or more;
            ``BREAKER_EXPORTER_FAILURE_THRESHOLD``. Default 3.
        cooldown: Seconds before the first probe; ``BREAKER_EXPORTER_COOLDOWN``. Default 15.
        max_cooldown: Seconds that the doubling cooldown may reach; ``BREAKER_EXPORTER_MAX_COOLDOWN``.
            Default 60, or `cooldown` where that is longer.
        export_timeout: Seconds after which an export is given up for hung, above `timeout`;
            ``BREAKER_EXPORTER_EXPORT_TIMEOUT``. Default 2 s above `timeout`, at most 15.
        shutdown_timeout: Seconds that :meth:`stop` may take; ``BREAKER_EXPORTER_SHUTDOWN_TIMEOUT``.
            Default 5.
        profile: Defaults for development or for production; ``BREAKER_EXPORTER_PROFILE``. Default
            ``Profile.PRODUCTION``. Any other argument or variable wins over it.
        listeners: Called with each circuit's :class:`~breaker_exporter.CircuitTransition`.
        retention: Keeps what cannot be delivered yet, for all exporters together. Without it,
            ``BREAKER_EXPORTER_RETAIN_MEMORY``, ``BREAKER_EXPORTER_RETAIN_MAX_AGE`` and
            ``BREAKER_EXPORTER_REPLAY_RATE`` describe one. ``Retention(memory=0)``: nothing is kept.
        sentry: Sentry for errors, and these traces beside the collector's, by an exporter of its own.
            Without it, ``SENTRY_DSN`` or ``BREAKER_EXPORTER_SENTRY_MODE`` switches it on.
        provider: A provider of yours to add the exporters to. Without it one is made and set for the
            process, unless one is set there already, which is then left alone (one WARNING).

    Raises:
        TypeError: An argument is of the wrong type, or goes into the resource, which a given `provider`
            has already.
        ValueError: An argument is out of range, or two do not fit.
    """

    def __init__(
        self,
        *,
        service_name: str | None = None,
        resource_attributes: Mapping[str, AttributeValue] | None = None,
        endpoint: str | None = None,
        protocol: Literal["http/protobuf", "grpc"] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        failure_threshold: int | None = None,
        cooldown: float | None = None,
        max_cooldown: float | None = None,
        export_timeout: float | None = None,
        shutdown_timeout: float | None = None,
        profile: Profile | None = None,
        listeners: Iterable[Callable[[CircuitTransition], object]] | None = (),
        retention: Retention | None = None,
        sentry: Sentry | None = None,
        provider: TracerProvider | None = None,
    ) -> None:
        arguments = Arguments(
            endpoint=endpoint,
            protocol=protocol,
            headers=headers,
            timeout=timeout,
            failure_threshold=failure_threshold,
            cooldown=cooldown,
            max_cooldown=max_cooldown,
            export_timeout=export_timeout,
            shutdown_timeout=shutdown_timeout,
            listeners=check.functions("listeners", listeners),
            profile=profile,
            retention=retention,
        )
        arguments.check(any_set)
        resource = resource_attributes_of(service_name, resource_attributes)
        self._setup = Setup(arguments, resource, sentry, provider)
        self._lifecycle = Lifecycle(self._setup)

    def __repr__(self) -> str:
        service = self._setup.service_name
        name = f" of {message(str(service))!r}" if service else ""
        exporters = ", ".join(exporter.health().name for exporter in self.exporters)
        state = f"running, exporters: {exporters or 'none'}" if self._lifecycle.is_running else "not running"
        return f"<{type(self).__name__}{name}, {state}>"

    def __enter__(self) -> Self:
        """Prepare and start.

        Raises:
            TelemetryError: Something is wrong, where ``BREAKER_EXPORTER_STRICT=1``.
        """
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop, also after an error, which goes on."""
        self.stop()

    def prepare(self) -> None:
        """Make the resource and the provider, and set the provider for the process.

        Safe before gevent's monkey patch. Spans that end before :meth:`start` are not exported. A second call
        does nothing, unless the first one failed: then it tries again.

        Raises:
            TelemetryError: Something is wrong, where ``BREAKER_EXPORTER_STRICT=1``.
        """
        self._lifecycle.prepare()

    def start(self) -> None:
        """Start exporters, circuits, batch processors and readers, with their threads, and Sentry.

        The providers of logs and metrics are made and set here, unless the application has set its own, which
        are left alone (one WARNING each). Records of Python's ``logging`` are exported where
        opentelemetry-instrumentation-logging is installed.

        To be called after the fork and after gevent's monkey patch. Prepares first where this process has
        not done so. A second call does nothing, unless :meth:`stop` came between or the first one failed,
        which leaves nothing behind: then it starts anew.

        From now on the interpreter's exit calls :meth:`stop`, unless somebody has.

        Raises:
            TelemetryError: Something is wrong, where ``BREAKER_EXPORTER_STRICT=1``.
        """
        self._lifecycle.start()

    def stop(self, timeout: float | None = None) -> None:
        """Export what is queued, within the time given, and shut down what :meth:`start` made.

        All exporters stop side by side, under one deadline. A provider made here is shut down with them, and
        with it what others added; of a given one only what was added here. Never raises, and does nothing in
        a process that did not start. Several threads and signal handlers may call it at once: the first call
        stops, the others wait for it. On gevent's hub greenlet, and in a signal handler that has interrupted
        what one of our locks guards, it does not wait.

        Args:
            timeout: Seconds; by default the ``shutdown_timeout``.
        """
        self._lifecycle.stop(timeout)

    @property
    def provider(self) -> TracerProvider | None:
        """The provider whose spans this process exports.

        ``None`` before :meth:`prepare`, where the SDK is disabled, and where a provider was set already.
        """
        return self._lifecycle.provider

    @property
    def exporters(
        self,
    ) -> tuple[
        CircuitBreakerSpanExporter | CircuitBreakerLogRecordExporter | CircuitBreakerMetricExporter, ...
    ]:
        """The exporters of this process, for their ``state`` and ``health()``; empty unless it is started.

        Those of spans come first, then those of log records, then those of metrics.
        """
        return self._lifecycle.exporters
