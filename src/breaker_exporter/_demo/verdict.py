"""The verdict on a run: each promise of ours, the measurement, and the bound."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .._harness.work import SPANS_PER_REQUEST
from ..testing import Fault
from .figures import HELD, ItemFigures, item_figures, phase_figures
from .plan import OURS
from .promise import LAST_MOMENTS, Promise
from .recording import Recording
from .verdict_on_others import counter, log_records
from .words import count, seconds

FACTOR = 3.0
"""A latency or gap may be this many times its healthy value, or the load's lateness in the same run."""
FLOOR = 1.0
"""Seconds that are always allowed: two busy cores stalled everything for almost as long in tests."""
STOP = 7.0
"""Seconds from ``SIGTERM`` to the end: 5 s for the last export and shutdown, 2 s for Gunicorn."""
IN_HAND = 1.0
"""Seconds around the kill in which requests may be lost with the worker."""
_SETTLE = 3.0
"""Seconds after the fault in which a failure may still come from it."""

_HARMLESS = frozenset({Fault.NONE, Fault.PARTIAL_SUCCESS, Fault.TOO_LARGE})
"""Faults that count as no failure, so that the circuit stays closed."""
_UNCONFIRMED = frozenset(
    {Fault.DRIP, Fault.SLOW, Fault.TRUNCATED, Fault.TAKEN_THEN_RESET, Fault.TAKEN_THEN_CLOSED}
)
"""Faults under which the collector takes spans, and a client that gets no answer sends them again."""


_COUNTED = ("received", "exported", "failed", "refused", "dropped", "retained", "in_flight")


def promises(recording: Recording) -> tuple[Promise, ...]:
    """Return the promises that a run of this kind can confirm or break."""
    return (
        *(*_service(recording), *_circuit(recording), *_spans(recording)),
        *(*log_records(recording), counter(recording), _end(recording)),
    )


def _service(recording: Recording) -> Iterator[Promise]:
    healthy, faulty, after = (phase_figures(recording, OURS, phase) for phase in recording.plan.phases)
    due = healthy.due + faulty.due + after.due
    answered = healthy.answered + faulty.answered + after.answered
    yield _answered(recording, answered, due)
    if recording.killed is not None:  # and Gunicorn starts another worker, which takes a second
        return
    for text, what, before, since in (
        ("Requests stayed fast", "p99", healthy.p99, max(faulty.p99, after.p99)),
        ("The hub never stood still", "largest gap", healthy.gap, max(faulty.gap, after.gap)),
    ):
        bound = max(FLOOR, FACTOR * before, FACTOR * recording.load_late)
        yield Promise(
            text,
            since <= bound,
            f"{what} {seconds(since)} since the fault, {seconds(before)} before; bound {seconds(bound)}",
        )


def _answered(recording: Recording, answered: int, due: int) -> Promise:
    measured = f"{count(answered)} of {count(due)}"
    if recording.killed is None:
        return Promise("Every request was answered", 0 < answered == due, measured)
    ours, killed = recording.ours, recording.killed
    in_hand = recording.requests(OURS, killed - IN_HAND, killed + IN_HAND)
    wrong = [
        index
        for index in recording.requests(OURS, 0.0, recording.plan.total)
        if index not in in_hand and (index in ours.errors or index not in ours.latencies)
    ]
    text = "Every request was answered but those in the killed worker"
    return Promise(text, answered > 0 and not wrong, measured)


def _circuit(recording: Recording) -> Iterator[Promise]:
    if recording.killed is not None:  # two workers, two circuits, each with too short an outage to be sure
        return
    changes, fault = recording.ours.changes, recording.plan.fault
    _, during, after = recording.plan.phases
    if fault in _HARMLESS:
        yield Promise("The circuit stayed closed", not changes, f"{len(changes)} changes of state")
        return
    opened = [c.at for c in changes if c.new == "open" and during.begin <= c.at < during.end + _SETTLE]
    yield Promise(
        "The circuit opened",
        bool(opened),
        f"{seconds(opened[0] - during.begin)} into the fault" if opened else "never",
    )
    closed = [c.at for c in changes if c.new == "closed" and c.at >= after.begin]
    good = bool(closed) and changes[-1].new == "closed"
    yield Promise(
        "The circuit closed again",
        good,
        f"{seconds(closed[-1] - after.begin)} after the collector was back" if good else "not in this run",
    )


def _spans(recording: Recording) -> Iterator[Promise]:
    ours, spans = recording.ours, item_figures(recording.ours)
    if recording.plan.fault not in _HARMLESS:
        back = recording.plan.phases[2].begin
        before = max((moment.items for moment in ours.delivered if moment.at < back), default=0)
        yield Promise(
            "Spans arrive again",
            spans.delivered > before,
            f"{count(spans.delivered - before)} delivered since the collector was back",
        )
    if recording.plan.fault is not Fault.PARTIAL_SUCCESS:  # where the collector wants some of them lost
        yield _none_lost(recording, spans)
    snapshots = [beat.health for beat in ours.beats if beat.health]
    agree = sum(map(_agrees, snapshots))
    last = snapshots[-1] if snapshots else dict.fromkeys(_COUNTED, 0)
    is_settled = last["in_flight"] == last["retained"] == 0
    accounted = is_settled and spans.started == last["received"] + (spans.dropped or 0) + ours.held
    yield Promise(
        "Every span has one named outcome",
        bool(snapshots) and ours.stopped and accounted and agree == len(snapshots),
        f"{count(spans.started)} = {count(last['exported'])} exported + {count(last['refused'])} refused + "
        f"{count(last['failed'])} failed + {count(last['dropped'])} dropped + "
        f"{count(spans.dropped)} dropped by the SDK's queue"
        f"{f' + {count(ours.held)} {HELD}' if recording.killed is not None else ''}; "
        f"sums agree in {agree} of {len(snapshots)} snapshots",
    )
    if recording.plan.fault is not Fault.PARTIAL_SUCCESS:  # where a success says that not all were taken
        yield Promise(
            "What counts as exported was delivered",
            last["exported"] <= spans.delivered,
            f"{count(last['exported'])} exported, {count(spans.delivered)} delivered",
        )
    if recording.plan.fault not in _UNCONFIRMED:
        duplicates = ours.delivered[-1].duplicates if ours.delivered else 0
        yield Promise("No span was delivered twice", duplicates == 0, f"{count(duplicates)} duplicates")


def _none_lost(recording: Recording, spans: ItemFigures) -> Promise:
    delivered = f"{count(spans.delivered)} of {count(spans.started)} delivered"
    if recording.killed is None:
        measured = f"{delivered}, {count(spans.delayed)} delayed"
        return Promise("No span was lost", 0 < spans.started == spans.delivered, measured)
    held, rate = recording.ours.held, recording.plan.rate * SPANS_PER_REQUEST
    return Promise(
        "No span was lost but those of the last moments before the kill",
        spans.delivered > 0 and spans.missing <= held <= rate * LAST_MOMENTS,
        f"{delivered}; {count(held)} {HELD}: {seconds(held / rate)}; bound {seconds(LAST_MOMENTS)}",
    )


def _agrees(health: Mapping[str, Any]) -> bool:
    there = health["received"] + health["recovered"]
    return bool(there == health["spooled"] + sum(health[part] for part in _COUNTED if part != "received"))


def _end(recording: Recording) -> Promise:
    after = recording.ours.stopped_after
    return Promise(
        "The worker stopped when told to",
        after is not None and after <= STOP,
        f"{'killed' if after is None else seconds(after)} after SIGTERM; bound {seconds(STOP)}",
    )
