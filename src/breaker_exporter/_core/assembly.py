"""Makes the guard of a wrapped exporter by the arguments of its circuit breaker."""

from __future__ import annotations

from functools import partial
from typing import Any

from .._base import checks as check
from .accounts import Accounts
from .announcer import Announcer
from .breaker_arguments import BreakerArguments
from .chosen_circuit import circuit_of
from .circuit_settings import SWITCH_INTERVAL
from .guard import Guard
from .joint_accounts import JointAccounts
from .joint_circuit import JointCircuit
from .payload import StoringEncoder
from .runner import Runner
from .shared_circuit import SharedCircuit
from .signal_contract import SignalContract
from .wrapped import Wrapped


def guard_of(
    wrapped: Wrapped[Any],
    storing_encoder: StoringEncoder | None,
    signal: SignalContract,
    arguments: BreakerArguments,
) -> Guard:
    """The guard of this process.

    Args:
        wrapped: The wrapped exporter.
        storing_encoder: The same, where its encoded batches can lie on a disk.
        signal: Of its batches.
        arguments: Of its circuit breaker.

    Raises:
        TypeError: An argument is of the wrong type, or a circuit setting was given together with `breaker` or
            `circuit`.
        ValueError: A number is out of its range.
    """
    name = wrapped.class_name if arguments.name is None else check.text("name", arguments.name)
    accounts = _accounts_of(name, wrapped, signal, arguments)
    interval = arguments.switch_interval
    runner = Runner(
        name,
        cooperative=wrapped.is_cooperative,
        switch_interval=None if interval is None else SWITCH_INTERVAL.accept(interval),
    )
    custody = None
    if arguments.retention is not None and arguments.retention.is_on:
        from .custody_assembly import custody_of  # without it, half of this package need not be imported

        accounts.retains = True
        custody = custody_of(name, arguments.retention, wrapped, storing_encoder, signal, accounts, runner)
    return Guard(name, wrapped.export_timeout, accounts, runner, signal.unit, custody)


def _accounts_of(
    name: str, wrapped: Wrapped[Any], signal: SignalContract, arguments: BreakerArguments
) -> Accounts:
    shared = arguments.circuit
    if shared is not None and not isinstance(shared, SharedCircuit):
        raise TypeError(f"circuit must be a SharedCircuit, not {shared!r}")
    own = circuit_of(
        name,
        failure_threshold=arguments.failure_threshold,
        cooldown=arguments.cooldown,
        max_cooldown=arguments.max_cooldown,
        jitter=arguments.jitter,
        clock=arguments.clock,
        breaker=arguments.breaker,
        shared=None if shared is None else shared._settings,
    )
    heard_by = check.functions("listeners", arguments.listeners)
    announcer = Announcer(
        partial(_name_and_destination, name, wrapped),
        lambda: heard_by,
        outage_began=None if own.is_closed else own.now,
    )
    if shared is None:
        return Accounts(name, own, announcer, signal.unit)
    return JointAccounts(
        name, JointCircuit(own, shared), announcer, signal.unit, partial(_destination, wrapped)
    )


def _destination(wrapped: Wrapped[Any]) -> str:
    return wrapped.destination


def _name_and_destination(name: str, wrapped: Wrapped[Any]) -> str:
    destination = wrapped.destination
    return f"{name} ({destination})" if destination else name
