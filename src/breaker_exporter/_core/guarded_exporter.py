"""A wrapped exporter under guard, of any signal: one guard a process, and every call into it.

The exporter of a signal says what counts as an item, how a batch is exported and what a result means.
"""

from __future__ import annotations

import contextvars
import logging
import math
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from .._base import checks as check
from .._base.log import say
from .._base.values import CircuitState, ExporterHealth
from .._concurrency.log_feedback import watch_loggers
from .._concurrency.memory import free_slowly
from . import deadline_clock as time
from .assembly import guard_of
from .breaker_arguments import BreakerArguments
from .circuit_settings import EXPORT_TIMEOUT
from .guard import Guard
from .one_a_process import OneAProcess
from .payload import Encoder, StoringEncoder
from .report import ExportReport
from .signal_contract import SignalContract
from .wrapped import Wrapped

Batch = TypeVar("Batch")
_NO_OPTIONS: Mapping[str, Any] = MappingProxyType({})


class GuardedExporter(Generic[Batch]):
    """Calls a wrapped exporter so that the application does not notice the state of its backend.

    May be made before or after a fork: each process has a guard of its own, made at its first call.

    Args:
        exporter: The wrapped exporter.
        export: Exports a batch by it.
        judge: The meaning of a result of `export`, given what the exporter logged meanwhile.
        secrets: Returns values that no text may show.
        encoder: The wrapped exporter, where it can encode a batch and send it later.
        storing_encoder: The same, where it can also make bytes of what it encoded, and the reverse.
        signal: Of its batches.
        arguments: Of its circuit breaker.

    Raises:
        TypeError: An argument is of the wrong type, or a circuit setting was given together with `breaker` or
            `circuit`.
        ValueError: A number is out of its range.
    """

    def __init__(
        self,
        exporter: object,
        *,
        export: Callable[..., object],
        judge: Callable[[object, str], ExportReport],
        secrets: Callable[[], Iterable[str]],
        encoder: Encoder | None,
        storing_encoder: StoringEncoder | None,
        signal: SignalContract,
        arguments: BreakerArguments,
    ) -> None:
        watch_loggers()
        self._export_timeout = EXPORT_TIMEOUT.accept(arguments.export_timeout)
        self._wrapped = Wrapped[Batch](
            exporter, export, judge, secrets, encoder, signal, self._export_timeout
        )
        self._size_of = signal.size_of
        self._service_of = signal.service_of
        self._unit = signal.unit
        guard = guard_of(self._wrapped, storing_encoder, signal, arguments)
        self.name = guard.name
        self._guards = OneAProcess(guard)
        self._said_no_size = False

    @property
    def guard(self) -> Guard:
        """This process's guard."""
        return self._guards.here

    @property
    def destination(self) -> str:
        """The address that the wrapped exporter sends to; empty where it does not say."""
        return self._wrapped.destination

    @property
    def state(self) -> CircuitState:
        return self.guard.state

    def health(self) -> ExporterHealth:
        """A consistent snapshot of this process's counts and of the circuit."""
        return self.guard.health()

    def export(
        self, batch: Batch, timeout: float = math.inf, options: Mapping[str, Any] = _NO_OPTIONS
    ) -> bool:
        """Export `batch` through the wrapped exporter, or refuse it at once while the circuit is open.

        Never raises an ``Exception``, never takes longer than ``export_timeout``, never holds the hub.

        Args:
            batch: The items.
            timeout: Seconds that the caller has. A call that takes longer goes on without it.
            options: What the wrapped export method gets beside the batch; a batch that is kept goes without.

        Returns:
            True where the wrapped exporter delivered it, or where it is empty.
        """
        try:
            items = self._size_of(batch)
        except Exception as error:
            self._say_no_size(type(batch), error)
            return False
        if items == 0:
            return True
        guard = self.guard
        custody = guard.custody
        if custody is not None:
            if not custody.has_looked:
                custody.look(self._service_of(batch), contextvars.copy_context())
            succeeded = custody.intake.export(items, partial(self._wrapped.payload_of, batch), timeout)
        else:
            deadline = time.monotonic() + min(timeout, self._export_timeout)
            succeeded = guard.export(items, self._wrapped.export_of(batch, deadline, options), deadline)
        free_slowly(batch)
        return succeeded

    def look_on_disk(self, service: str, context: contextvars.Context) -> None:
        """Send what lies on disk already, from before a restart or from another process.

        Args:
            service: The name of the service.
            context: The context that it is sent in.
        """
        if (custody := self.guard.custody) is not None:
            custody.look(service, context)

    def open_disk(self, service: str) -> str | None:
        """Make and open the files of a service now: the reason why they cannot be used, or ``None``."""
        custody = self.guard.custody
        return None if custody is None else custody.open_disk(service)

    def force_flush(self, timeout_millis: float) -> bool:
        """Flush the wrapped exporter, for `timeout_millis` milliseconds at most.

        Returns:
            False where it was late, raised or returned something false, or after :meth:`shutdown`.
        """
        timeout = check.budget(timeout_millis)
        deadline = time.monotonic() + timeout
        guard = self.guard
        delivered = guard.custody is None or guard.custody.flush(timeout)
        timeout = max(0.0, deadline - time.monotonic())
        call = self._wrapped.flush_of(timeout)
        return (call is None or guard.flush(call, timeout)) and delivered

    def begin_shutdown(self, timeout: float) -> None:
        """Set one deadline, `timeout` seconds from now, for all calls that are still to come.

        Raises:
            TypeError: `timeout` is no number.
            ValueError: It is negative or not finite.
        """
        self.guard.begin_shutdown(check.finite_seconds("timeout", timeout, zero=True))

    def shutdown(self, timeout_millis: float) -> None:
        """Refuse later exports and shut the wrapped exporter down, for `timeout_millis` at most."""
        self.guard.shutdown(self._wrapped.shutdown, check.budget(timeout_millis))

    def say_stopped(self) -> None:
        """Log what this process exported and lost, unless :meth:`shutdown` did: its time is over."""
        self.guard.say_stopped()

    def _say_no_size(self, kind: type, error: Exception) -> None:
        if not self._said_no_size:
            self._said_no_size = True
            say(
                logging.WARNING,
                "%s: export was called with %s, in which %s cannot be counted; such calls return FAILURE",
                self.name,
                kind,
                self._unit,
                cause=error,
            )
