"""The arguments of a circuit breaker around an exporter, as the user gave them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .._base.values import CircuitTransition
from .retention import Retention
from .shared_circuit import SharedCircuit

if TYPE_CHECKING:
    import pybreaker


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerArguments:
    """Not checked yet, but for `retention`. ``None`` is the default of each but `switch_interval`.

    Attributes:
        name: In logs, metrics and events; ``None``: the wrapped class's name.
        failure_threshold: As the other circuit settings, see :func:`circuit_of`.
        cooldown: Seconds.
        max_cooldown: Seconds.
        jitter: Share of the cooldown.
        breaker: Instead of the circuit settings.
        circuit: Shared with other exporters, instead of `breaker` and the circuit settings.
        clock: Monotonic seconds.
        export_timeout: Seconds that one export may take.
        listeners: Called with each transition.
        switch_interval: Seconds, or ``None``; see :class:`Runner`.
        retention: What is kept; ``None``: nothing.
    """

    name: str | None
    failure_threshold: int | None
    cooldown: float | None
    max_cooldown: float | None
    jitter: float | None
    breaker: pybreaker.CircuitBreaker | None
    circuit: SharedCircuit | None
    clock: Callable[[], float] | None
    export_timeout: float | None
    listeners: Iterable[Callable[[CircuitTransition], object]] | None
    switch_interval: float | None
    retention: Retention | None
