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
        environment: Variables by service. Ours has a shorter timeout and cooldown than it would have by
            default, so that failing, opening, probing and closing all fit into one short run.
    """

    protocol: Protocol = "grpc"
    fault: Fault = Fault.BLACKHOLE
    rate: float = 50.0
    seconds: tuple[float, float, float] = (6.0, 15.0, 15.0)
    environment: Mapping[str, Mapping[str, str]] = field(
        default_factory=lambda: {
            BARE: {},
            OURS: {
                "OTEL_EXPORTER_OTLP_TIMEOUT": "2",
                "BREAKER_EXPORTER_COOLDOWN": "3",
                "BREAKER_EXPORTER_MAX_COOLDOWN": "6",
            },
        }
    )

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
    def total(self) -> float:
        """Seconds of all phases together."""
        return sum(self.seconds)
