"""Telemetry over the life of its processes: prepared, started and stopped in each, also after a fork."""

from __future__ import annotations

import atexit
import contextlib
import gc
import logging
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from .._base.environment import Environment, TelemetryError
from .._base.log import say
from .._base.redaction import origin
from .._concurrency import hub
from .._concurrency.once import Once
from .._wiring.profiles import PROFILES, Defaults, Profile
from .._wiring.switches import GC_FREEZE, SDK_DISABLED
from ._others import Others
from ._start import Started, start

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

    from .._wiring.pipeline import Exporter
    from .._wiring.switchable_processor import SwitchableProcessor
    from ._setup import Setup


@dataclass(slots=True)
class _Process:
    """The state of one process."""

    pid: int
    environment: Environment
    defaults: Defaults = PROFILES[Profile.PRODUCTION]
    provider: TracerProvider | None = None
    started: Started | None = None
    is_running: bool = False
    stopping: Once = field(default_factory=Once)


class Lifecycle:
    """Prepares, starts and stops telemetry in the process that calls.

    A forked child has prepared and started nothing. It inherits the providers, which can be set once only,
    and the processors on them.
    """

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._own_provider: TracerProvider | None = None
        self._processor: SwitchableProcessor | None = None
        self._others = Others()
        self._process: _Process | None = None
        self._logged_failure: str | None = None

    @property
    def provider(self) -> TracerProvider | None:
        """The provider of this process, once it is prepared."""
        process = self._here()
        return process.provider if process else None

    @property
    def exporters(self) -> tuple[Exporter, ...]:
        """The exporters of this process, from its start to its stop."""
        process = self._here()
        started = process.started if process and process.is_running else None
        return started.exporters if started else ()

    @property
    def is_running(self) -> bool:
        """True from the start of this process to its stop."""
        process = self._here()
        return process is not None and process.is_running

    def prepare(self) -> None:
        """Make the provider, or find it, unless this process has done so.

        Raises:
            TelemetryError: Something is wrong, where strict.
        """
        if self._here() is not None:
            return
        process = _Process(os.getpid(), Environment())
        with self._failing_open(process.environment):
            if not process.environment.in_force(SDK_DISABLED):
                process.defaults = self._setup.arguments.defaults(process.environment)
                process.provider = self._setup.provider or self._provider_of_ours(process)
            self._process = process

    def start(self) -> None:
        """Start what exports, unless it runs in this process already. A failed start leaves nothing behind.

        Raises:
            TelemetryError: Something is wrong, where strict.
        """
        self.prepare()
        process = self._here()
        if process is None or process.is_running:
            return
        from .._wiring.start_line import say_started

        with self._failing_open(process.environment):
            try:
                started = start(
                    self._setup,
                    process.environment,
                    process.defaults,
                    process.provider,
                    self._processor_on,
                    self._others,
                )
            except BaseException:
                self._process = None
                raise
            if started is None:
                return
            process.started, process.stopping, process.is_running = started, Once(), True
            # Exit handlers run in reverse order: before those of all that was imported or made until now.
            atexit.register(self.stop)
            say_started(process.provider, started.signals)
            if started.resource is not None:
                for exporter in started.exporters:
                    exporter._look_on_disk(started.resource)

    def stop(self, timeout: float | None = None) -> None:
        """Export what is queued and shut down, within `timeout` (s); see ``Telemetry.stop``."""
        process = self._here()
        started = process.started if process else None
        if process is None or started is None:
            return
        if hub.must_not_wait():  # the interpreter's exit waits for it instead
            with contextlib.suppress(RuntimeError):  # no thread: the exit stops it
                hub.run_soon(partial(self.stop, timeout))
            return
        seconds = started.shutdown_timeout
        if isinstance(timeout, int | float) and timeout >= 0:
            seconds = min(timeout, threading.TIMEOUT_MAX)
        process.stopping.run(partial(self._stop, process, started, seconds), seconds)

    def flush(self) -> None:
        """Export what is queued, so that a stop soon after has less to do."""
        process = self._here()
        started = process.started if process and process.is_running else None
        if started is not None:
            from .._wiring.drain import flush

            flush(started.pipelines, started.shutdown_timeout)

    def freeze_garbage(self) -> None:
        """Keep what a worker has loaded by now out of later garbage collections.

        A full collection goes through all of it each time, and holds the hub meanwhile.
        """
        process = self._here()
        if process is not None and self.exporters:
            with self._failing_open(process.environment):
                if process.environment.in_force(GC_FREEZE):
                    gc.collect()
                    gc.freeze()

    def _here(self) -> _Process | None:
        return self._process if self._process and self._process.pid == os.getpid() else None

    def _provider_of_ours(self, process: _Process) -> TracerProvider | None:
        resource = self._setup.resource
        if self._own_provider is None:
            from .._wiring.provider import make

            self._own_provider = make(resource, process.environment, process.defaults.sampler)
        else:  # it was made before a fork
            from .._wiring.instance_id import keep_given

            keep_given(self._own_provider, resource.get("service.instance.id"))
        return self._own_provider

    def _processor_on(self, provider: TracerProvider | None) -> SwitchableProcessor:
        from .._wiring.switchable_processor import SwitchableProcessor

        if provider is None:
            return SwitchableProcessor()
        if self._processor is None:  # else it was added before a stop, or before a fork
            processor = SwitchableProcessor()
            provider.add_span_processor(processor)
            self._processor = processor
        return self._processor

    def _stop(self, process: _Process, started: Started, seconds: float) -> None:
        from .._wiring.drain import shut_down

        process.is_running = False
        pipelines = [pipeline for _, switch in started.signals for pipeline in switch.release()]
        beside: list[Callable[[float], object]] = []
        if (own := self._own_provider) is not None and own is process.provider:
            beside.append(lambda left: own.shutdown())
        beside.extend(self._others.shutdowns())
        if started.sentry is not None:
            started.sentry.forget()
            beside.append(started.sentry.flush)
        try:
            shut_down(pipelines, seconds, beside)
        except Exception as error:
            say(
                logging.WARNING,
                "telemetry did not stop cleanly, what was queued may be lost: %s",
                origin(error),
            )
        finally:
            if not process.is_running:  # else it was started again, and an exit has to stop that
                atexit.unregister(self.stop)
            if process.started is started:
                # Let go of the exporters: a gRPC channel kept until the interpreter's end may complain there.
                process.started = None
            started.restore_log_level()  # after the line about what was exported and lost

    @contextlib.contextmanager
    def _failing_open(self, environment: Environment) -> Iterator[None]:
        failure = None
        try:
            yield
        except TelemetryError:
            raise
        except Exception as error:
            failure = origin(error)
        if failure and (environment.strict or failure != self._logged_failure):
            self._logged_failure = failure  # once, where one call after another fails by it
            environment.complain(f"telemetry is off: {failure}")
