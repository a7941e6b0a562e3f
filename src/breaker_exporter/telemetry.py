"""Tracing for one process, wired in the order that survives forks and monkey patches, for any server.

Importing this loads nothing that brings ``ssl`` along.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import logging
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Literal
from weakref import WeakSet

from opentelemetry import trace

from ._base import checks as check
from ._base.environment import TelemetryError, any_set
from ._base.log import say, set_level
from ._base.meter_provider import metered
from ._base.redaction import origin, shown
from ._concurrency import hub
from ._concurrency.once import Once
from ._wiring.environment import SENTRY_DSN, SENTRY_MODE, Environment
from ._wiring.profiles import PROFILES, Defaults, Profile
from ._wiring.settings import Arguments
from .sentry._settings import Sentry, check_sentry

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.util.types import AttributeValue

    from ._base.values import CircuitTransition
    from ._spans import CircuitBreakerSpanExporter
    from ._wiring.switchable_processor import Outlet
    from .sentry._connection import Connection

__all__ = ["Profile", "Telemetry", "TelemetryError"]

_made: WeakSet[TracerProvider] = WeakSet()
"""The provider that one of these has made and set, which is no application's."""


class Telemetry:
    """OpenTelemetry tracing with every exporter behind a circuit breaker.

    :meth:`prepare` may run before gevent's monkey patch, :meth:`start` must run after it, both after the
    fork of the process that serves; :meth:`stop` when that process ends. Make one at import and call these
    from the server's hooks: its state belongs to the process that calls, so each worker starts its own.
    ``breaker_exporter.gunicorn`` has these calls for Gunicorn.

    What is left out comes from the environment, then from the defaults. Arguments are checked at once and
    strictly. Everything else fails open: a bad variable, a missing package or a failure while starting is
    one WARNING, and the service goes on; with ``BREAKER_EXPORTER_STRICT=1`` it raises instead. Calls of
    :meth:`prepare` and :meth:`start` are not to overlap in several threads.

    Args:
        service_name: The resource's ``service.name``; ``OTEL_SERVICE_NAME``.
        resource_attributes: More of the resource, on top of ``OTEL_RESOURCE_ATTRIBUTES``.
        endpoint: The collector's base URL, such as ``http://collector:4318`` (``/v1/traces`` is added where
            it is missing), or with gRPC ``http://collector:4317``; ``OTEL_EXPORTER_OTLP_ENDPOINT``.
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
        sentry: Sentry | None = None,
        provider: TracerProvider | None = None,
    ) -> None:
        self._arguments = Arguments(
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
        )
        self._arguments.check(any_set)
        self._attributes = _attributes(service_name, resource_attributes)
        self._sentry = None if sentry is None else check_sentry(sentry)
        if provider is not None:
            _check_provider(provider, self._attributes)
        self._given = provider
        self._own: TracerProvider | None = None
        self._outlet: Outlet | None = None
        self._process: _Process | None = None
        self._said: str | None = None

    def prepare(self) -> None:
        """Resource and provider only, and the provider set for the process: safe before a monkey patch.

        Spans that end before :meth:`start` are not exported. A second call does nothing, unless the first
        one failed: then it tries again.

        Raises:
            TelemetryError: Something is wrong, where ``BREAKER_EXPORTER_STRICT=1``.
        """
        if self._here() is not None:
            return
        process = _Process(os.getpid(), Environment())
        with self._failing_open(process.environment):
            if not process.environment.sdk_disabled():
                process.defaults = self._arguments.defaults(process.environment)
                process.provider = self._given or self._own_provider(process)
            self._process = process

    def start(self) -> None:
        """Exporters, circuits and batch processors, with their threads, and Sentry: after fork and patch.

        Prepares first where that was not done in this process. A second call does nothing, unless
        :meth:`stop` came between or the first one failed, which leaves nothing behind: then it starts anew.

        From now on the interpreter's exit calls :meth:`stop`, where nobody has.

        Raises:
            TelemetryError: Something is wrong, where ``BREAKER_EXPORTER_STRICT=1``.
        """
        self.prepare()
        process = self._here()
        if process is None or process.started:
            return
        with self._failing_open(process.environment):
            self._start(process)

    def _freeze_garbage(self) -> None:
        """What the Gunicorn hooks do last, once all that a worker keeps for life is there.

        A full garbage collection goes through all of it each time, and holds the hub meanwhile.
        """
        process = self._here()
        if process is not None and process.exporters:
            with self._failing_open(process.environment):
                if process.environment.gc_freeze():
                    gc.collect()
                    gc.freeze()

    def _flush(self) -> None:
        """What the Gunicorn hooks do as soon as a worker is told to stop: `stop` has less to do then."""
        process = self._here()
        if process is not None and process.started and process.outlet is not None:
            process.outlet.force_flush(int(process.shutdown_timeout * 1000))

    def stop(self, timeout: float | None = None) -> None:
        """Exports what is queued, within the time given, and shuts down what :meth:`start` made.

        All exporters side by side, under one deadline. A provider made here is shut down with them, and with
        it what others added; of a given one only what was added here. Never raises, and does nothing in a
        process that did not start. May be called from several threads and signal handlers at once: the first
        call stops, the others wait for it. On gevent's hub greenlet, and in a signal handler that has
        interrupted what one of our locks guards, it does not wait.

        Args:
            timeout: Seconds; by default the ``shutdown_timeout``.
        """
        process = self._here()
        if process is None or process.outlet is None:
            return
        if hub.must_not_wait():  # the interpreter's exit waits for it instead
            with contextlib.suppress(RuntimeError):  # no thread: the exit stops it
                hub.run_soon(partial(self.stop, timeout))
            return
        seconds = process.shutdown_timeout
        if isinstance(timeout, int | float) and timeout >= 0:
            seconds = min(timeout, threading.TIMEOUT_MAX)
        process.stopping.run(partial(self._stop, process, process.outlet, seconds), seconds)

    @property
    def provider(self) -> TracerProvider | None:
        """What this process's exporters are added to.

        ``None`` before :meth:`prepare`, where the SDK is disabled, and where a provider was set already.
        """
        process = self._here()
        return process.provider if process else None

    @property
    def exporters(self) -> tuple[CircuitBreakerSpanExporter, ...]:
        """This process's exporters, for their ``state`` and ``health()``; none but from start to stop."""
        process = self._here()
        return process.exporters if process else ()

    @property
    def _started(self) -> bool:
        process = self._here()
        return process is not None and process.started

    def _here(self) -> _Process | None:
        """What this process has done so far; a forked child has done nothing."""
        return self._process if self._process and self._process.pid == os.getpid() else None

    def _own_provider(self, process: _Process) -> TracerProvider | None:
        if self._own is None:  # else it was made before a fork
            from ._wiring import provider as _provider

            if any(made is trace.get_tracer_provider() for made in _made):
                say(
                    logging.WARNING,
                    "another Telemetry of this process has set the tracer provider and exports its spans; "
                    "this one adds nothing to it. Keep one of them, or give this one that provider: "
                    "Telemetry(provider=trace.get_tracer_provider())",
                )
                return None
            self._own = _provider.make(self._attributes, process.environment, process.defaults.sampler)
            if self._own is not None:
                _made.add(self._own)
        return self._own

    def _outlet_of(self, provider: TracerProvider | None) -> Outlet:
        from ._wiring.switchable_processor import Outlet

        if provider is None:
            return Outlet()
        if self._outlet is None:  # else it was added before a stop, or before a fork
            outlet = Outlet()
            provider.add_span_processor(outlet)
            self._outlet = outlet
        return self._outlet

    def _start(self, process: _Process) -> None:
        """Start all of it, or take back what was started and raise."""
        from ._wiring.gunicorn_log import ensure_heard
        from ._wiring.pipeline import build
        from ._wiring.provider import mend_native_locks
        from ._wiring.start_line import say_started
        from ._wiring.switchable_processor import shut_down

        environment, provider = process.environment, process.provider
        with contextlib.ExitStack() as undo:
            undo.callback(self._start_over)
            sentry = None
            if self._sentry or any_set((SENTRY_DSN, SENTRY_MODE)):
                from .sentry import _connection

                sentry = (self._sentry or Sentry()).settled(environment, provider)
            if provider is None and sentry is None:
                undo.pop_all()
                return
            mend_native_locks()
            ensure_heard()
            take_level_back = set_level(process.defaults.log_level)
            undo.callback(take_level_back)
            settings = self._arguments.settings(environment, process.defaults)
            if sentry is not None:
                settings = _connection.with_listener(settings, sentry)
            seconds = settings.shutdown_timeout
            pipelines = build(settings, environment) if provider else ()
            undo.callback(lambda: shut_down(pipelines, seconds))
            outlet = self._outlet_of(provider)
            undo.callback(outlet.open, (), seconds)
            outlet.open(pipelines, seconds)
            connection = None
            if sentry is not None:
                connection = _connection.connect_telemetry(sentry, settings, environment, provider)
                if connection is not None:
                    undo.callback(connection.forget)
                    if connection.pipeline:
                        pipelines = (*pipelines, connection.pipeline)
                        outlet.open(pipelines, seconds)
            exporters = tuple(pipeline.exporter for pipeline in pipelines if pipeline.exporter)
            if environment.metrics():
                from .instrumentation import observe

                with metered(environment):
                    for exporter in exporters:
                        observe(exporter)
            undo.pop_all()
        process.take_level_back, process.shutdown_timeout = take_level_back, seconds
        process.outlet, process.sentry, process.exporters = outlet, connection, exporters
        process.stopping = Once()
        process.started = True
        # Before the handlers of what was made or imported until now: exit handlers run in reverse order.
        atexit.register(self.stop)
        say_started(provider, exporters, settings)

    def _start_over(self) -> None:
        self._process = None

    def _stop(self, process: _Process, outlet: Outlet, seconds: float) -> None:
        process.started = False
        process.exporters = ()  # a gRPC channel that lives until the interpreter's end may complain there
        beside: list[Callable[[float], object]] = []
        if (own := self._own) is not None and own is process.provider:
            beside.append(lambda left: own.shutdown())
        if process.sentry is not None:
            process.sentry.forget()
            beside.append(process.sentry.flush)
        try:
            outlet.close(seconds, beside)
        except Exception as error:
            say(logging.WARNING, "telemetry did not stop as it should: %s", origin(error))
        finally:
            if not process.started:  # again; until now, an exit waits for this
                atexit.unregister(self.stop)
            process.take_level_back()  # the line about what was exported and lost has been written

    @contextlib.contextmanager
    def _failing_open(self, environment: Environment) -> Iterator[None]:
        failure = None
        try:
            yield
        except TelemetryError:
            raise
        except Exception as error:
            failure = origin(error)
        if failure and (environment.strict or failure != self._said):
            self._said = failure  # once, where one call after another fails by it
            environment.complain(f"telemetry is off: {failure}")


@dataclass(slots=True)
class _Process:
    """What was done in one process."""

    pid: int
    environment: Environment
    defaults: Defaults = PROFILES[Profile.PRODUCTION]
    provider: TracerProvider | None = None
    exporters: tuple[CircuitBreakerSpanExporter, ...] = ()
    shutdown_timeout: float = 0.0
    outlet: Outlet | None = None
    sentry: Connection | None = None
    started: bool = False
    stopping: Once = field(default_factory=Once)
    take_level_back: Callable[[], None] = lambda: None


def _attributes(
    service_name: str | None, resource_attributes: Mapping[str, AttributeValue] | None
) -> dict[str, AttributeValue]:
    if resource_attributes is not None and not isinstance(resource_attributes, Mapping):
        raise TypeError(f"resource_attributes must be a mapping, not {shown(resource_attributes)}")
    attributes = dict(resource_attributes or {})
    for key in attributes:
        check.text("each key of resource_attributes", key)
    if service_name is not None:
        attributes["service.name"] = check.text("service_name", service_name)
    return attributes


def _check_provider(provider: TracerProvider, attributes: Mapping[str, AttributeValue]) -> None:
    from ._wiring.provider import check_provider

    check_provider(provider)
    if attributes:
        raise TypeError(
            "service_name and resource_attributes cannot be given with provider, which has its resource"
        )
