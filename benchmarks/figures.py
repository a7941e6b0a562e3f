"""The figures of a cell, from its observations: milliseconds, CPU seconds a second, MB, spans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from breaker_exporter._harness.percentiles import percentile

from .measure import Observations
from .plan import WARM_UP, Phase

Figures = dict[str, float | None]


def figures_of(raw: Observations) -> dict[str, object]:
    """Return all figures of a cell, as the store keeps them."""
    return {
        **raw.cell.as_json(),
        "key": raw.cell.key,
        "phases": {phase.name: phase_figures(raw, phase) for phase in raw.cell.phases},
        "resident_mb": raw.memory[-1][1] / 1e6 if raw.memory else 0.0,
        "spans_started": raw.started,
        "spans_delivered": raw.delivered[-1][1] if raw.delivered else 0,
        "load_late_ms": raw.late * 1e3,
        "seconds_to_open": _after(raw.changes, "open", _begin(raw, "fault")),
        "seconds_to_recover": _first_delivery(raw, _begin(raw, "recovering")),
        "timeline": _timeline(raw),
    }


def phase_figures(raw: Observations, phase: Phase) -> Figures:
    """Return the figures of one phase; a request counts where it was due, a hub delay where it ended."""
    waited = []
    answered = 0
    first, last = (round((moment + WARM_UP) * raw.cell.rate) for moment in (phase.begin, phase.end))
    for index in range(first, last):
        due = index / raw.cell.rate - WARM_UP
        latency, status = raw.latencies.get(index, (raw.ended - due, 0))
        waited.append(max(0.0, latency))
        answered += status == 200
    delays = [late for began, late in raw.beats if phase.begin <= began + late < phase.end]
    if raw.beats and raw.beats[-1][0] + 1 < phase.end:  # a hub that stands still to the end reports nothing
        delays.append(max(0.0, phase.end - max(phase.begin, raw.beats[-1][0])))
    waited.sort()
    delays.sort()
    return {
        "requests": float(len(waited)),
        "answered": float(answered),
        **{f"p{name}_ms": percentile(waited, q) * 1e3 for name, q in _PERCENTILES.items()},
        **{f"hub_p{name}_ms": percentile(delays, q) * 1e3 for name, q in _PERCENTILES.items()},
        "cpu": _rate(raw.cpu, phase),
        "delivered_per_s": _rate(raw.delivered, phase),
        "resident_mb": next((size / 1e6 for at, size in reversed(raw.memory) if at < phase.end), None),
        "resident_most_mb": max(
            (size / 1e6 for at, size in raw.memory if phase.begin <= at < phase.end), default=None
        ),
    }


_PERCENTILES: Mapping[str, float] = {"50": 50.0, "99": 99.0, "99.9": 99.9, "100": 100.0}


def _rate(counted: Sequence[tuple[float, float]], phase: Phase) -> float | None:
    """Return the count a second of the phase, between the first and the last count within it."""
    inside = [(at, count) for at, count in counted if phase.begin <= at <= phase.end]
    if len(inside) < 2:
        return None
    (began, before), (ended, after) = inside[0], inside[-1]
    return (after - before) / (ended - began)


def _begin(raw: Observations, name: str) -> float | None:
    return next((phase.begin for phase in raw.cell.phases if phase.name == name), None)


def _after(changes: list[tuple[float, str]], state: str, moment: float | None) -> float | None:
    if moment is None:
        return None
    return next((at - moment for at, new in changes if new == state and at >= moment), None)


def _first_delivery(raw: Observations, moment: float | None) -> float | None:
    if moment is None:
        return None
    before = max((count for at, count in raw.delivered if at <= moment), default=0)
    return next((at - moment for at, count in raw.delivered if at > moment and count > before), None)


def _timeline(raw: Observations) -> list[float]:
    """The slowest request due in each half second, in milliseconds, for the plot of an outage."""
    slowest: dict[int, float] = {}
    for index in range(round(WARM_UP * raw.cell.rate), round((WARM_UP + raw.cell.total) * raw.cell.rate)):
        due = index / raw.cell.rate - WARM_UP
        latency = raw.latencies.get(index, (raw.ended - due, 0))[0]
        slowest[int(due * 2)] = max(slowest.get(int(due * 2), 0.0), latency * 1e3)
    return [round(slowest[moment], 2) for moment in sorted(slowest)]
