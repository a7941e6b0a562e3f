"""The interface of a circuit as an exporter's accounts need it: of one circuit, or of two as one."""

from __future__ import annotations

from typing import Protocol

from .._base.values import CircuitState
from .circuit import Permit
from .report import ExportReport
from .transitions import Transitions
from .turn import Outcome


class AnyCircuit(Protocol):
    """Each method is called under the lock of its owner; see :class:`Circuit`."""

    @property
    def given(self) -> bool: ...

    @property
    def opened(self) -> int: ...

    @property
    def transitions(self) -> Transitions: ...

    @property
    def now(self) -> float: ...

    @property
    def state(self) -> CircuitState: ...

    @property
    def last_state(self) -> CircuitState: ...

    @property
    def is_closed(self) -> bool: ...

    @property
    def consecutive_failures(self) -> int: ...

    @property
    def cooldown(self) -> float: ...

    @property
    def retry_in(self) -> float | None: ...

    def pause(self, asked: float | None) -> float: ...

    def refusal(self) -> str | None: ...

    def admit(self) -> Permit: ...

    def land(self, permit: Permit) -> None: ...

    def cancel(self, permit: Permit) -> None: ...

    def tell(self, permit: Permit, outcome: Outcome, report: ExportReport) -> Exception | None: ...

    def forked(self) -> AnyCircuit: ...
