"""The pure parts of `make faults`: what is planned, and what a cell is judged by."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from benchmarks.faults import soak
from benchmarks.faults.cell import Cell, Step
from benchmarks.faults.conditions import FAULTY, HEALTHY, RATE
from benchmarks.faults.observations import NONE, OURS, Observations, Service
from benchmarks.faults.plan import COLUMNS, cells, quick_cells
from benchmarks.faults.report import markdown
from benchmarks.faults.rows import ROWS
from benchmarks.faults.soak_observations import Soak
from benchmarks.faults.verdict import outcome_of
from breaker_exporter._harness.meter import resident_bytes
from breaker_exporter.testing import Connections, Fault
from breaker_exporter.testing._fault_settings import FaultSetting

HEALTH = {"received": 100, "exported": 60, "failed": 10, "refused": 30, "dropped": 0, "state": "closed"}
HEALTH |= {"spooled": 0, "recovered": 0}


IDS = [f"{number:016x}" for number in range(60)]


def service(cell: Cell) -> Service:
    """One that held all."""
    now = {"pid": 1, "health": HEALTH, "started": 110, "threads": 3, "descriptors": 10, "claimed": IDS}
    now["resident"] = 50_000_000
    if cell.row.replaces:
        now = {**now, "pid": 2}
    return Service(
        latencies=dict.fromkeys(range(int(RATE * cell.row.load)), (0.01, 200)),
        gaps=[(HEALTHY + 1, 0.004)],
        changes=[(HEALTHY + 0.5, "open")],
        failed=[(HEALTHY - 0.1, 0), (HEALTHY + 0.1, 0), (HEALTHY + 0.3, 5), (HEALTHY + 0.7, 10)],
        first={**now, "pid": 1},
        lasts=[now],
        returncode=0,
        seconds_to_end=1.0,
    )


def raw(row: str = "silence", column: str = "gevent HTTP") -> Observations:
    (cell,) = cells([row], [column])
    end = HEALTHY + FAULTY
    delivered = [(end - 1, 40), (end + 1.5, 60)]
    return Observations(cell, {OURS: service(cell), NONE: service(cell)}, delivered, taken=frozenset(IDS))


def test_a_cell_that_kept_all_promises_has_none_broken() -> None:
    outcome = outcome_of(raw())

    assert outcome.broken == []
    assert (outcome.p99_ratio, outcome.gap_ratio) == (1.0, 1.0)
    assert (outcome.opened_after, outcome.delivered_after, outcome.dropped) == (0.5, 1.5, 10)


def unanswered(raw: Observations) -> None:
    raw.services[OURS].latencies[100] = (0.01, 500)


def silent(raw: Observations) -> None:
    raw.services[OURS].lasts = []


def say_last(raw: Observations, **changed: object) -> None:
    raw.services[OURS].lasts = [{**raw.services[OURS].lasts[-1], **changed}]


def miscounted(raw: Observations) -> None:
    say_last(raw, health={**HEALTH, "refused": 29})


def twice(raw: Observations) -> None:
    raw.duplicates = 1


def lost(raw: Observations) -> None:
    raw.taken = frozenset(IDS[:59])


def told_in_vain(raw: Observations) -> None:
    raw.services[OURS].told = 0


def never_back(raw: Observations) -> None:
    raw.delivered = raw.delivered[:1]


def late(raw: Observations) -> None:
    raw.delivered[1] = (HEALTHY + FAULTY + 7.0, 60)


def killed(raw: Observations) -> None:
    raw.services[OURS].returncode = -9


def slow_to_end(raw: Observations) -> None:
    raw.services[OURS].seconds_to_end = 9.0


def stood_still(raw: Observations) -> None:
    raw.services[OURS].gaps.append((HEALTHY + 2, 1.0))


def leaked(raw: Observations) -> None:
    say_last(raw, threads=99, descriptors=99)


def raised(raw: Observations) -> None:
    raw.services[OURS].output = 'File "/lib/breaker_exporter/_runner.py"'


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (unanswered, ["1 requests were not answered"]),
        (miscounted, ["received is not exported + failed + refused + given up"]),
        (twice, ["1 spans were delivered twice"]),
        (
            lost,
            [
                "60 spans count as exported, and the collector took 59",
                "1 spans count as exported and did not arrive",
            ],
        ),
        (told_in_vain, ["the request for the event got status 0"]),
        (never_back, ["no span was delivered after the fault"]),
        (late, ["the first span arrived 7.0 s after the fault"]),
        (killed, ["exit status -9"]),
        (slow_to_end, ["the service took 9.0 s to stop"]),
        (stood_still, ["the hub stood still for 1.000 s"]),
        (leaked, ["threads were leaked", "descriptors were leaked"]),
        (raised, ["an error of this package is in the output"]),
    ],
)
def test_each_broken_promise_is_named(break_it: Callable[[Observations], None], words: list[str]) -> None:
    observed = raw()
    break_it(observed)

    assert outcome_of(observed).broken == words


def test_a_worker_without_a_last_report_breaks_a_promise() -> None:
    observed = raw()
    silent(observed)

    assert "the worker's last report is missing" in outcome_of(observed).broken


def test_spans_rejected_by_a_partial_success_must_count_as_failed() -> None:
    observed = raw("partial success")
    say_last(observed, health={**HEALTH, "failed": 0, "refused": 40})

    assert outcome_of(observed).broken == ["spans that a partial success rejected do not count as failed"]


def test_the_official_exporters_own_retries_break_no_promise() -> None:
    observed = raw("partial success", "gevent, official HTTP wrapped")
    say_last(observed, health={**HEALTH, "exported": 70, "failed": 0})
    twice(observed)
    lost(observed)

    assert outcome_of(observed).broken == []


def test_a_worker_without_a_hub_has_no_hub_delay() -> None:
    observed = raw()
    for each in observed.services.values():
        each.gaps = []

    outcome = outcome_of(observed)

    assert (outcome.gap, outcome.gap_ratio, outcome.broken) == (None, None, [])


def test_every_planned_fault_can_be_set() -> None:
    for step in (step for row in ROWS for step in row.steps):
        if isinstance(step.fault, Fault):
            FaultSetting.of(step.fault, step.settings_now())


def test_the_soak_notices_spans_that_are_delivered_twice() -> None:
    """A request that is taken on a connection that was kept alive, which is then reset."""
    step = next(step for step in soak.STEPS if step.fault is Fault.TAKEN_THEN_RESET)

    assert step.connections is Connections.KEEP
    assert Soak(duplicates=1, requests=1, answered=1).broken() == ["1 spans were delivered twice"]


def test_a_date_is_counted_from_when_it_is_used() -> None:
    settings = Step(Fault.STATUS, {"status": 429, "retry_at": 60}).settings_now()

    assert parsedate_to_datetime(str(settings["retry_after"])).tzinfo is not None


def test_the_quick_form_takes_no_more_than_two_minutes() -> None:
    assert 0 < sum(cell.estimate for cell in quick_cells()) <= 120
    ways = {"gevent HTTP", "gevent gRPC", "gthread HTTP", "gevent HTTP, on disk", "gevent HTTP, all signals"}
    assert {cell.column.name for cell in quick_cells()} == ways


def test_every_row_names_columns_that_exist() -> None:
    assert {way for row in ROWS for way in row.ways} <= {column.name for column in COLUMNS}


def test_a_service_that_ends_in_the_fault_delivers_nothing_after_it() -> None:
    observed = raw("SIGQUIT, in silence")
    never_back(observed)

    assert outcome_of(observed).broken == []


def test_a_killed_worker_may_lose_its_requests_and_must_be_replaced() -> None:
    observed = raw("SIGKILL to the worker, in drip")
    unanswered(observed)
    assert outcome_of(observed).broken == []

    say_last(observed, pid=1)
    assert outcome_of(observed).broken == ["no new worker replaced the old one"]


def test_the_report_has_a_line_for_each_fault_and_names_what_was_broken() -> None:
    held, broken = outcome_of(raw()), outcome_of(raw("refuse"))
    broken = dataclasses.replace(broken, broken=["exit status 3"], delivered_after=None, opened_after=None)
    found: dict[str, Any] = {
        f"{outcome.row} / {outcome.column}": outcome.as_json() for outcome in (held, broken)
    }

    skipped = {"disk full / gevent HTTP, on disk": "mounting takes privileges"}
    data = {"cells": found, "skipped": skipped, "versions": {"python": "3.13"}}
    text = markdown({**data, "command": "make", "date": "-", "cores": 2})

    assert "| silence | p99 1.0, hub 1.0, open 0.5 (0.2), back 1.5, end 1.0 |" in text
    assert "| 50 to 50 |" in text
    assert "| refuse | **Broken**: p99 1.0, hub 1.0, open -, back -, end 1.0 |" in text
    assert "* refuse, gevent HTTP: exit status 3" in text
    assert "* not measured here: disk full / gevent HTTP, on disk: mounting takes privileges" in text


def test_resident_memory_is_counted_in_bytes() -> None:
    before = resident_bytes()
    held = b"x" * 50_000_000
    assert resident_bytes() - before > len(held) / 2
