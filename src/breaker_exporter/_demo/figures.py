"""Figures of a recording at any moment of the run: requests of a phase, and spans."""

from __future__ import annotations

from dataclasses import dataclass

from .._harness.percentiles import percentile
from .meter import REPORT
from .plan import Phase
from .recording import Contender, Recording

PROMPT = 1.0
"""Seconds in which an answer counts as prompt."""


@dataclass(frozen=True, slots=True)
class PhaseFigures:
    """Requests due in a phase, and the hub in it. Latencies and gaps in seconds.

    Attributes:
        due: Number of requests that were due.
        answered: Number of requests answered with 200.
        waiting: Number of requests not answered yet; they count in the latencies with their age.
        prompt: Number of requests answered with 200 within a second.
        p50: Latency that half of the requests did not exceed.
        p99: Latency that 99 % of the requests did not exceed.
        longest: Latency of the slowest request.
        gap: The longest gap of the hub whose middle lies in the phase.
    """

    due: int
    answered: int
    waiting: int
    prompt: int
    p50: float
    p99: float
    longest: float
    gap: float


@dataclass(frozen=True, slots=True)
class SpanFigures:
    """Counts of spans so far by outcome; ``None`` where nothing counts that outcome."""

    started: int
    delivered: int
    refused: int | None
    failed: int | None
    dropped: int | None


def phase_figures(recording: Recording, name: str, phase: Phase) -> PhaseFigures:
    """Return the figures of a phase so far."""
    contender, now = recording.contenders[name], recording.measured_until
    requests = recording.requests(name, phase.begin, min(phase.end, now))
    latencies = sorted(recording.latency(name, index) for index in requests)
    answered = [index for index in requests if index in contender.latencies and index not in contender.errors]
    return PhaseFigures(
        due=len(requests),
        answered=len(answered),
        waiting=sum(index not in contender.latencies for index in requests),
        prompt=sum(contender.latencies[index] <= PROMPT for index in answered),
        p50=percentile(latencies, 50),
        p99=percentile(latencies, 99),
        longest=percentile(latencies, 100),
        gap=longest_gap(contender, phase, now),
    )


def span_figures(contender: Contender) -> SpanFigures:
    """Return the outcomes of a service's spans, as far as they are known by now."""
    delivered = contender.delivered[-1].spans if contender.delivered else 0
    if not contender.beats:
        return SpanFigures(0, delivered, None, None, None)
    beat = contender.beats[-1]
    if beat.health is None:
        return SpanFigures(beat.started, delivered, None, beat.failed, beat.dropped)
    dropped = beat.dropped
    if dropped is None and contender.stopped:
        # Nothing is queued any more, so spans that did not reach the exporter were dropped before it.
        dropped = beat.started - int(beat.health["received"])
    return SpanFigures(beat.started, delivered, beat.health["refused"], beat.health["failed"], dropped)


def longest_gap(contender: Contender, phase: Phase, now: float) -> float:
    """Return the longest gap of the hub whose middle lies in `phase`, with one that still lasts at `now`."""
    gaps = [(beat.gap_began, beat.gap) for beat in contender.beats]
    if contender.beats and not contender.stopped:
        # The meter writes a line every 0.2 s: only a longer silence is a gap.
        due = contender.beats[-1].at + REPORT
        gaps.append((due, max(0.0, now - due)))
    return max((gap for began, gap in gaps if phase.begin <= began + gap / 2 < phase.end), default=0.0)
