"""Figures of a recording at any moment of the run: requests of a phase, spans, log records, and a counter."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, replace

from .._harness.percentiles import percentile
from .meter import REPORT
from .plan import Phase
from .recording import Contender, Items, Recording

PROMPT = 1.0
"""Seconds in which an answer counts as prompt."""
LATE = 10.0
"""Seconds from which an item that has not arrived counts as delayed; the SDK's queue alone takes 5."""


SETTLED = ("received", "recovered", "exported", "failed", "refused", "dropped", "spooled")
"""Counts of an exporter's health that only grow."""
HELD = "in the memory of the killed worker"


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
class ItemFigures:
    """Counts of the items of a signal so far: spans, or log records.

    Attributes:
        started: By the application.
        delivered: The collector has them.
        delayed: Delivered more than 10 s late, or still to come: as many as were that old at one moment.
        losses: Those that are known to be lost, by what became of them; empty where nothing counts them.
        dropped: By the SDK's queue; ``None`` where the SDK does not count them.
    """

    started: int
    delivered: int
    delayed: int
    losses: Mapping[str, int]
    dropped: int | None

    @property
    def missing(self) -> int:
        """Started and not delivered: once a service has ended, these are lost."""
        return max(0, self.started - self.delivered)

    @property
    def lost(self) -> int | None:
        """Known to be lost; ``None`` where nothing counts that."""
        return sum(self.losses.values()) if self.losses else None

    @property
    def have_arrived(self) -> bool:
        """True where nothing is on its way any more."""
        return self.missing <= (self.lost or 0)


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
        gap=longest_gap(contender, phase if phase != recording.plan.phases[-1] else _open(phase, now), now),
    )


def item_figures(items: Items) -> ItemFigures:
    """Return the counts of a service's spans or log records, as far as they are known by now."""
    delivered = items.delivered[-1].items if items.delivered else 0
    if not items.beats:
        return ItemFigures(0, delivered, 0, {}, None)
    beat = items.beats[-1]
    known: dict[str, int | None]
    dropped = beat.dropped
    if beat.health is None:
        known = {"failed": beat.failed}
    else:
        known = {outcome: int(beat.health[outcome]) for outcome in ("refused", "failed", "dropped")}
        if dropped is None and items.stopped:
            # Nothing is queued any more, so items that did not reach the exporter were dropped before it. It
            # may have received more log records than the application wrote: the log lines of others.
            dropped = max(0, beat.started - int(beat.health["received"]) - items.held)
    known["dropped by the SDK's queue"] = dropped
    losses = {outcome: number for outcome, number in known.items() if number is not None}
    if items.held:
        losses[HELD] = items.held
    lost = beat.started - delivered if items.stopped else sum(losses.values())
    return ItemFigures(beat.started, delivered, max(0, _oldest(items) - lost), losses, dropped)


def counter_figures(contender: Contender) -> tuple[int, int]:
    """Return the requests that a service's counter has counted, and how many of them the collector knows of.

    A histogram counts them too: where both differ, it is the smaller one that is known.
    """
    received = (min(each) for each in contender.counts_received.values())
    return sum(contender.counted.values()), sum(received)


def held_now(items: Items) -> int:
    """Return the number of items that the worker has in its memory alone."""
    if not items.beats:
        return 0
    beat = items.beats[-1]
    if (health := beat.health) is None:
        gone = items.delivered[-1].items if items.delivered else 0
        gone += beat.failed or 0
    else:
        gone = int(health["received"]) - int(health["retained"]) - int(health["in_flight"])
    return max(0, beat.started - gone - (beat.dropped or 0))


def _oldest(items: Items) -> int:
    """The largest number of items that were late at one moment, lost ones among them."""
    moments = [beat.at for beat in items.beats]
    most = 0
    for told in items.delivered:
        index = bisect_right(moments, told.at - LATE) - 1
        if index >= 0:
            most = max(most, items.beats[index].started - told.items)
    return most


def longest_gap(contender: Contender, phase: Phase, now: float) -> float:
    """Return the longest gap of the hub whose middle lies in `phase`, with one that still lasts at `now`."""
    gaps = [(beat.gap_began, beat.gap) for beat in contender.beats]
    if contender.beats and not contender.stopped:
        # The meter writes a line every 0.2 s: only a longer silence is a gap.
        due = contender.beats[-1].at + REPORT
        gaps.append((due, max(0.0, now - due)))
    return max((gap for began, gap in gaps if phase.begin <= began + gap / 2 < phase.end), default=0.0)


def _open(phase: Phase, now: float) -> Phase:
    """The last phase, which lasts until what was kept has arrived."""
    return replace(phase, end=max(phase.end, now))
