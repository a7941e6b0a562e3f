"""Log records and metrics of a cell: what the collector took of them, and what became of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from breaker_exporter._harness.received import requests_counted
from breaker_exporter.testing import FaultyCollector


@dataclass(frozen=True, slots=True)
class Received:
    """Log records and metrics that a collector took.

    Attributes:
        bodies: Texts of the log records.
        log_records: Number of different log records, those with the same text among them.
        duplicates: Number of log records that it had taken before.
        counted: Requests that each worker has counted, by the counter and by the histogram.
    """

    bodies: frozenset[str]
    log_records: int
    duplicates: int
    counted: Mapping[int, tuple[int, int]]


NOTHING_RECEIVED = Received(frozenset(), 0, 0, {})


def received_by(collector: FaultyCollector) -> Received:
    """Return what a collector took."""
    counts = collector.counts()
    return Received(
        collector.log_bodies,
        counts.log_records - counts.duplicate_log_records,
        counts.duplicate_log_records,
        requests_counted(collector.latest_data_points),
    )


@dataclass(frozen=True, slots=True)
class OtherSignals:
    """The figures of log records and metrics, of the workers whose last report came.

    Attributes:
        written: Log records that the application wrote.
        lost: Those of them that the collector did not take, by their sequence numbers.
        counted_lost: Log records that count as lost, in the SDK's queue or in the exporter.
        exported: Log records that count as exported.
        resent: Log records sent again that the collector may have had.
        taken: Different log records that the collector took, foreign ones included.
        duplicates: Log records that it took twice.
        foreign: Log records that it took and that are none of the application's.
        counted: Requests that the application counted.
        received: The counter's sum that the collector has, or the histogram's count if that is less.
        wrong_sums: Number of workers of which the collector has another sum.
    """

    written: int
    lost: int
    counted_lost: int
    exported: int
    resent: int
    taken: int
    duplicates: int
    foreign: int
    counted: int
    received: int
    wrong_sums: int
