"""The verdict on log records and on metrics."""

from __future__ import annotations

from collections.abc import Iterator

from ..testing import Fault
from .figures import counter_figures, item_figures
from .plan import LOG_RECORDS_PER_REQUEST, METRICS_EVERY
from .promise import LAST_MOMENTS, Promise
from .recording import Recording
from .words import count, seconds


def log_records(recording: Recording) -> Iterator[Promise]:
    """Yield the promises on log records, told from those of others by their texts."""
    if recording.plan.fault is Fault.PARTIAL_SUCCESS:  # where the collector wants some of them lost
        return
    items = item_figures(recording.ours.log_records)
    measured = f"{count(items.delivered)} of {count(items.started)} delivered"
    if recording.killed is None:
        kept = 0 < items.started == items.delivered
        yield Promise("No log record was lost", kept, f"{measured}, {count(items.delayed)} delayed")
        return
    rate = recording.plan.rate * LOG_RECORDS_PER_REQUEST
    yield Promise(
        "No log record was lost but those of these moments",
        items.delivered > 0 and items.missing <= rate * LAST_MOMENTS,
        f"{measured}; bound {seconds(LAST_MOMENTS)}",
    )


def counter(recording: Recording) -> Promise:
    """Return the promise on the sum of a counter, and on the count of a histogram beside it."""
    ours = recording.ours
    counted, received = counter_figures(ours)
    measured = f"{count(received)} of {count(counted)} requests"
    if recording.killed is None:
        is_right = ours.counts_received == {pid: (number, number) for pid, number in ours.counted.items()}
        return Promise("The counter's sum arrived", counted > 0 and is_right, measured)
    bound = METRICS_EVERY + LAST_MOMENTS
    return Promise(
        "The counter's sum arrived but for the last interval before the kill",
        0 < received <= counted <= received + recording.plan.rate * bound,
        f"{measured}; bound {seconds(bound)}",
    )
