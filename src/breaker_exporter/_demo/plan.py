"""The plan of a run: contenders, protocol, load, phases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ..testing import Fault

BARE, OURS = "bare", "ours"
LABELS = {BARE: "bare exporter", OURS: "breaker-exporter"}
WARM_UP = 1.0
"""Seconds of load before the first phase, for lazy imports and first connections."""
LOG_RECORDS_PER_REQUEST = 2
METRICS_EVERY = 5.0
"""Seconds between two exports of metrics; the default, a minute, is as long as the run."""

Protocol = Literal["grpc", "http"]


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of the run, in seconds from its start, and the fault in force."""

    name: str
    begin: float
    end: float
    fault: Fault


@dataclass(frozen=True, slots=True)
class Plan:
    """One run.

    Attributes:
        protocol: The protocol that both export by.
        fault: The fault of both collectors in the middle phase.
        rate: Requests a second, to each service.
        seconds: Lengths of the three phases: healthy, faulty, healthy.
        environment: Variables by service. By default there are none: both run with their defaults, but
            for the interval of metrics. The outage is long enough for three calls that time out, and so
            for the circuit to open; what follows it for the replay, which is slow at first.
        patience: Seconds after the last request in which what was kept has to arrive.
        kill: True where both workers are killed in the middle of the fault, and ours has a directory.
    """

    protocol: Protocol = "grpc"
    fault: Fault = Fault.BLACKHOLE
    rate: float = 50.0
    seconds: tuple[float, float, float] = (6.0, 20.0, 45.0)
    environment: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: {BARE: {}, OURS: {}})
    patience: float = 60.0
    kill: bool = False

    @property
    def phases(self) -> tuple[Phase, Phase, Phase]:
        """The phases before, during and after the fault."""
        before, during, after = self.seconds
        middle = "no fault" if self.fault is Fault.NONE else self.fault.value.replace("_", " ")
        return (
            Phase("healthy", 0.0, before, Fault.NONE),
            Phase(middle, before, before + during, self.fault),
            Phase("healthy again", before + during, before + during + after, Fault.NONE),
        )

    @property
    def kill_at(self) -> float | None:
        """The second of the run at which both workers are killed, if they are."""
        _, during, _ = self.phases
        return (during.begin + during.end) / 2 if self.kill else None

    @property
    def total(self) -> float:
        """Seconds of all phases together."""
        return sum(self.seconds)
