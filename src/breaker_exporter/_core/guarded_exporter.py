"""A wrapped exporter under guard, of any signal: arguments, one guard a process, every call into it.

The exporter of a signal says what counts as an item, how a batch is exported and what a result means; all
else is here.
"""

from __future__ import annotations

import contextvars
import logging
import math
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .._base import checks as check
from .._base.log import say
from .._base.values import CircuitState, CircuitTransition, ExporterHealth
from .._concurrency.log_feedback import watch_loggers
from .._concurrency.memory import free_slowly
from . import deadline_clock as time
from .accounts import Accounts
from .announcer import Announcer
from .chosen_circuit import circuit_of
from .circuit_settings import EXPORT_TIMEOUT, SWITCH_INTERVAL
from .custody import Custody
from .custody_settings import CustodySettings
from .disk_place import DiskPlace
from .guard import Guard
from .joint_accounts import JointAccounts
from .joint_circuit import JointCircuit
from .one_a_process import OneAProcess
from .payload import Encoder, StoringEncoder
from .report import ExportReport
from .retention import Retention
from .runner import Runner
from .shared_circuit import SharedCircuit
from .wrapped import Wrapped

if TYPE_CHECKING:
    import pybreaker

Batch = TypeVar("Batch")
_NO_OPTIONS: Mapping[str, Any] = MappingProxyType({})


class GuardedExporter(Generic[Batch]):
    """Calls a wrapped exporter so that the application does not notice the state of its backend.

    May be made before or after a fork: each process has a guard of its own, made at its first call.

    Args:
        exporter: The wrapped exporter.
        export: Exports a batch by it.
        tells_time: True where `export` gets the time that is left, as ``timeout_millis``, if it takes it.
        size_of: The number of items in a batch.
        judge: The meaning of a result of `export`, given what the exporter logged meanwhile.
        unit: The name of an item, in the plural.
        secrets: Returns values that no text may show.
        name: In logs, metrics and events; ``None``: the wrapped class's name.
        failure_threshold: As the other circuit settings, see :func:`circuit_of`.
        cooldown: Seconds.
        max_cooldown: Seconds.
        jitter: Share of the cooldown.
        breaker: Instead of the circuit settings.
        circuit: Shared with other exporters, instead of `breaker` and the circuit settings.
        clock: Monotonic seconds.
        export_timeout: Seconds that one export may take; ``None``: the default.
        listeners: Called with each transition.
        switch_interval: Seconds, or ``None``; see :class:`Runner`.
        encoder: The wrapped exporter, where it can encode a batch and send it later.
        storing_encoder: The same, where it can also make bytes of what it encoded, and the reverse.
        service_of: The name of the service that a batch is of.
        item_size: Bytes of memory that an item takes as it is, by estimate.
        in_order: True where kept batches are to be sent in the order in which they came.
        retention: What is kept; ``None``: nothing.

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
        tells_time: bool,
        size_of: Callable[[Batch], int],
        judge: Callable[[object, str], ExportReport],
        unit: str,
        secrets: Callable[[], Iterable[str]],
        name: str | None,
        failure_threshold: int | None,
        cooldown: float | None,
        max_cooldown: float | None,
        jitter: float | None,
        breaker: pybreaker.CircuitBreaker | None,
        circuit: SharedCircuit | None,
        clock: Callable[[], float] | None,
        export_timeout: float | None,
        listeners: Iterable[Callable[[CircuitTransition], object]] | None,
        switch_interval: float | None,
        encoder: Encoder | None,
        storing_encoder: StoringEncoder | None,
        service_of: Callable[[Batch], str],
        item_size: int,
        in_order: bool,
        retention: Retention | None,
    ) -> None:
        watch_loggers()
        self._service_of = service_of
        self._export_timeout = timeout = EXPORT_TIMEOUT.accept(export_timeout)
        self._wrapped = Wrapped(
            exporter, export, judge, secrets, encoder, size_of, item_size, timeout, tells_time=tells_time
        )
        self._size_of = size_of
        self._unit = unit
        self.name = type(exporter).__name__ if name is None else check.text("name", name)
        if circuit is not None and not isinstance(circuit, SharedCircuit):
            raise TypeError(f"circuit must be a SharedCircuit, not {circuit!r}")
        own = circuit_of(
            self.name,
            failure_threshold=failure_threshold,
            cooldown=cooldown,
            max_cooldown=max_cooldown,
            jitter=jitter,
            clock=clock,
            breaker=breaker,
            shared=None if circuit is None else circuit._settings,
        )
        heard_by = check.functions("listeners", listeners)
        announcer = Announcer(
            partial(_name_and_destination, self.name, self._wrapped),
            lambda: heard_by,
            outage_began=None if own.is_closed else own.now,
        )
        if circuit is None:
            accounts = Accounts(self.name, own, announcer, unit)
        else:
            joint = JointCircuit(own, circuit)
            accounts = JointAccounts(self.name, joint, announcer, unit, partial(_destination, self._wrapped))
        runner = Runner(
            self.name,
            cooperative=self._wrapped.is_cooperative,
            switch_interval=None if switch_interval is None else SWITCH_INTERVAL.accept(switch_interval),
        )
        custody = None
        if retention is not None and retention.is_on:
            accounts.retains = True
            place = None
            if retention.directory is not None and storing_encoder is not None:
                place = DiskPlace(retention, self.name, storing_encoder, in_order)
            settings = CustodySettings(
                self.name,
                unit,
                self._wrapped,
                timeout,
                retention,
                in_order,
                place,
                can_use_disk=storing_encoder is not None,
            )
            custody = Custody(settings, accounts, runner)
        guard = Guard(self.name, timeout, accounts, runner, unit, custody)
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
        if guard.custody is not None:
            if not guard.custody.has_looked:
                guard.custody.look(self._service_of(batch), contextvars.copy_context())
            succeeded = guard.custody.export(items, partial(self._wrapped.payload_of, batch), timeout)
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


def _destination(wrapped: Wrapped[Batch]) -> str:
    return wrapped.destination


def _name_and_destination(name: str, wrapped: Wrapped[Batch]) -> str:
    destination = wrapped.destination
    return f"{name} ({destination})" if destination else name
