"""Log records and metrics in `make faults`: what a cell is judged by, and what is said of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.faults.conditions import FAULTY, HEALTHY
from benchmarks.faults.observations import OURS, Observations
from benchmarks.faults.other_signals import Received, received_by
from benchmarks.faults.plan import cells
from benchmarks.faults.report import markdown
from benchmarks.faults.verdict import outcome_of
from breaker_exporter._harness.received import is_of_work, requests_counted, written_by
from breaker_exporter._harness.work import COUNTER, HISTOGRAM, PROCESS
from breaker_exporter.testing import Fault, FaultyCollector

from .test_faults import HEALTH, IDS, service

WRITTEN = 50
WAYS = "gevent HTTP, all signals", "gevent, official HTTP, all signals"


def raw(row: str = "silence", column: str = WAYS[0]) -> Observations:
    """A cell that held all; two log records more than the application's are of others."""
    (cell,) = cells([row], [column])
    services = {name: service(cell) for name in ("ours", "none")}
    logs = {
        **HEALTH,
        "received": WRITTEN + 2,
        "exported": WRITTEN + 2,
        "failed": 0,
        "refused": 0,
        "resent": 3,
    }
    more = {"logs": logs if cell.column.wiring == "hooks" else None, "log_records": WRITTEN, "counted": 10}
    for each in services.values():
        each.lasts = [{**last, **more} for last in each.lasts]
    end = HEALTHY + FAULTY
    observed = Observations(cell, services, [(end - 1, 40), (end + 1.5, 60)], taken=frozenset(IDS))
    (pid,) = (last["pid"] for last in services[OURS].lasts)
    bodies = frozenset({*written_by(pid, WRITTEN), "the circuit opens"})
    observed.others = Received(bodies, WRITTEN + 2, 0, {pid: (10, 10)})
    return observed


def health(observed: Observations, **changed: int) -> None:
    (last,) = observed.services[OURS].lasts
    observed.services[OURS].lasts = [{**last, "logs": {**last["logs"], **changed}}]


def received(observed: Observations, **changed: Any) -> None:
    observed.others = replace(observed.others, **changed)


def test_a_cell_that_kept_all_promises_has_none_broken() -> None:
    outcome = outcome_of(raw())

    assert outcome.broken == []
    assert outcome.others is not None
    assert (outcome.others.written, outcome.others.lost, outcome.others.foreign) == (WRITTEN, 0, 2)
    assert (outcome.others.counted, outcome.others.received) == (10, 10)


def lost(observed: Observations) -> None:
    received(observed, bodies=frozenset(written_by(1, WRITTEN - 2)), log_records=WRITTEN)
    health(observed, exported=WRITTEN, failed=1)


def exported_and_not_taken(observed: Observations) -> None:
    health(observed, exported=WRITTEN + 3, received=WRITTEN + 3)


def twice(observed: Observations) -> None:
    received(observed, duplicates=4)


def fed_back(observed: Observations) -> None:
    received(observed, log_records=WRITTEN + 41)


def counter_short(observed: Observations) -> None:
    received(observed, counted={1: (9, 10)})


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (lost, ["2 log records were lost", "2 log records were lost, and 1 count as lost"]),
        (exported_and_not_taken, ["53 log records count as exported, and the collector took 52"]),
        (twice, ["4 log records were delivered twice"]),
        (fed_back, ["41 log records are none of the application's"]),
        (counter_short, ["the sum of a counter is 9, and 10 requests were counted"]),
    ],
)
def test_each_broken_promise_is_named(break_it: Callable[[Observations], None], words: list[str]) -> None:
    observed = raw()
    break_it(observed)

    assert outcome_of(observed).broken == words


def test_what_ends_in_the_fault_may_lose_what_it_counts_as_lost() -> None:
    observed = raw("SIGTERM, idle, in silence")
    lost(observed)
    health(observed, failed=2)
    counter_short(observed)

    assert outcome_of(observed).broken == []


def test_the_queue_of_the_sdk_may_have_lost_what_the_exporter_never_received() -> None:
    observed = raw("SIGTERM, idle, in silence")
    lost(observed)
    health(observed, failed=0, received=WRITTEN - 2, exported=WRITTEN - 2)

    assert outcome_of(observed).broken == []


def test_the_official_exporters_are_shown_and_break_no_promise() -> None:
    observed = raw(column=WAYS[1])
    received(observed, bodies=frozenset(), counted={})

    outcome = outcome_of(observed)

    assert outcome.broken == []
    assert outcome.dropped == 0
    assert outcome.others is not None
    assert (outcome.others.lost, outcome.others.counted_lost, outcome.others.wrong_sums) == (WRITTEN, 0, 1)


def test_the_report_has_a_line_for_log_records_and_metrics() -> None:
    outcome = outcome_of(raw())
    data: dict[str, Any] = {"cells": {f"silence / {WAYS[0]}": outcome.as_json()}, "versions": {}}

    text = markdown({**data, "command": "make", "date": "-", "cores": 2})

    assert f"| silence | {WAYS[0]} | 50 | 0 | 0 | 52 | 3 | 52 | 0 | 2 | 10 | 10 | 0 | 0.00 | 1.0 |" in text


def test_one_signal_has_a_fault_alone() -> None:
    planned = cells(["404 for log records alone"])

    assert {cell.column.name for cell in planned} == {*WAYS, "gevent gRPC, all signals"}
    with FaultyCollector() as collector:
        planned[0].row.steps[0].put_on(collector)
        assert collector.fault is Fault.NONE  # of all others
        assert received_by(collector) == Received(frozenset(), 0, 0, {})


def point(metric: str, pid: int, shelf: int, number: int) -> SimpleNamespace:
    attributes = {PROCESS: pid, "shop.shelf": shelf}
    numbers = {"value": number, "count": None} if metric == COUNTER else {"value": None, "count": number}
    return SimpleNamespace(metric=metric, attributes=attributes, **numbers)


def test_a_workers_sum_is_that_of_the_latest_points_of_all_series() -> None:
    points = [
        *(point(COUNTER, 1, 0, 5), point(COUNTER, 1, 0, 3), point(COUNTER, 1, 1, 4)),
        *(point(HISTOGRAM, 1, 0, 5), point(HISTOGRAM, 2, 0, 1)),
        SimpleNamespace(metric="otel.sdk.span.live", attributes={}, value=7, count=None),
    ]

    assert requests_counted(points) == {1: (9, 5), 2: (0, 1)}


def test_log_records_of_the_application_are_told_by_their_texts() -> None:
    texts = written_by(os.getpid(), 3)

    assert len(texts) == 3
    assert all(map(is_of_work, texts))
    assert not is_of_work("the circuit opens")
