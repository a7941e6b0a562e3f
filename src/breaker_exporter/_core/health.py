"""The snapshot of an exporter that ``health()`` returns."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from .._base.values import CircuitState, ExporterHealth
from .any_circuit import AnyCircuit
from .ledger import Ledger
from .runner import RunnerStatus

if TYPE_CHECKING:
    from .disk_order import Census

Value = TypeVar("Value")


def snapshot(
    name: str,
    circuit: AnyCircuit,
    ledger: Ledger,
    runner: RunnerStatus,
    *,
    retained_bytes: int,
    oldest_at: float | None,
    census: Census | None,
) -> ExporterHealth:
    """The state of an exporter now, whatever a given breaker's storage raises."""
    return ExporterHealth(
        name=name,
        state=state_of(circuit),
        consecutive_failures=_or(lambda: circuit.consecutive_failures, 0),
        cooldown=circuit.cooldown,
        retry_in=probe_in_of(circuit),
        received=ledger.received,
        exported=ledger.exported,
        failed=ledger.failed,
        refused=ledger.refused,
        dropped=ledger.dropped,
        dropped_by_reason=ledger.dropped_by_reason,
        retained=ledger.retained,
        retained_bytes=retained_bytes,
        disk_files=None if census is None else census.files,
        disk_bytes=None if census is None else census.bytes,
        oldest_at=_earlier(oldest_at, None if census is None else census.oldest_at),
        spooled=ledger.spooled,
        recovered=ledger.recovered,
        resent=ledger.resent,
        in_flight=ledger.in_flight,
        hung_calls=runner.hung_calls,
        opened=circuit.opened,
        blocked_reason=None if _or(circuit.refusal, None) else runner.blocked_reason,
        last_error=ledger.last_error,
        last_success_at=ledger.last_success_at,
        last_failure_at=ledger.last_failure_at,
    )


def state_of(circuit: AnyCircuit) -> CircuitState:
    """The circuit's state; the last one seen where the storage of a given breaker, or the clock, raises."""
    return _or(lambda: circuit.state, circuit.last_state)


def probe_in_of(circuit: AnyCircuit) -> float | None:
    """Seconds until the next probe may run; ``None`` while the circuit is closed."""
    return _or(lambda: circuit.retry_in, None if circuit.is_closed else 0.0)


def _earlier(first: float | None, second: float | None) -> float | None:
    return min((at for at in (first, second) if at is not None), default=None)


def _or(question: Callable[[], Value], otherwise: Value) -> Value:
    """The circuit's answer; `otherwise` where the storage of a given breaker, or the clock, raises.

    An export logs what is wrong with them.
    """
    try:
        return question()
    except Exception:
        return otherwise
