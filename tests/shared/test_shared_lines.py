"""Log lines of a shared circuit: a pair for all its exporters (G1), with what each has lost."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from breaker_exporter._core.toll import Toll, at_last, so_far, what_happens

from ..retention._retaining import UNREACHABLE
from ..semantics._spans import spans
from ._sharing import NOT_FOUND, answers, sharing, succeeds

if TYPE_CHECKING:
    from breaker_exporter import SharedCircuit
    from breaker_exporter.testing import ManualClock

SPANS, LOGS = Toll("spans", 1, 0, None), Toll("log records", 2, 1, None)
KEPT, MORE_KEPT = Toll("spans", 1, 1, 5), Toll("log records", 2, 0, 7)


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def test_an_outage_is_one_pair_of_lines_for_all(
    shared: SharedCircuit, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    gone, other = sharing(shared, answers(UNREACHABLE, UNREACHABLE, UNREACHABLE), answers())
    gone.export(spans(2))
    gone.export(spans(3))
    other.export(spans(7))
    clock.advance(10)
    succeeds(gone)
    clock.advance(20)
    succeeds(other)

    assert lines(caplog) == [
        "collector: circuit opened: connection refused (failure 2 in a row); 5 spans lost so far in this "
        "outage; exports are refused, next probe within 10 s",
        "collector: circuit closed after 30.0 s; 13 spans lost in this outage",
    ]


def test_the_address_is_in_its_lines(shared: SharedCircuit, caplog: pytest.LogCaptureFixture) -> None:
    inner = answers(UNREACHABLE, UNREACHABLE), answers(), answers()
    for each, place in zip(inner, ("http://here:4318", "http://here:4318", "grpc://here:4317"), strict=True):
        each.destination = place  # type: ignore[attr-defined]
    exporters = sharing(shared, *inner)
    succeeds(exporters[0])
    succeeds(exporters[0])

    (line,) = lines(caplog)
    assert line.startswith("collector (http://here:4318, grpc://here:4317): circuit opened: ")


def test_an_exporters_own_outage_has_a_pair_of_its_own(
    shared: SharedCircuit, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    refused, fine = sharing(shared, answers(NOT_FOUND), answers())
    refused.export(spans(2))
    fine.export(spans(7))
    refused.export(spans(4))
    clock.advance(10)
    succeeds(refused)

    opened, closed = lines(caplog)
    assert opened.startswith("a: circuit opened: HTTP 404 (failure 1 in a row); 2 spans lost so far")
    assert closed == "a: circuit closed after 10.0 s; 6 spans lost in this outage"


def test_an_outage_of_an_exporter_ends_with_the_later_of_both(
    shared: SharedCircuit, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """G7: what was refused by either is lost in the outage."""
    refused, gone = sharing(shared, answers(NOT_FOUND, NOT_FOUND), answers(UNREACHABLE, UNREACHABLE))
    refused.export(spans(1))
    gone.export(spans(1))
    gone.export(spans(1))
    refused.export(spans(5))
    clock.advance(10)
    refused.export(spans(1))  # the shared one closes, the own one stays open
    gone.export(spans(9))
    clock.advance(20)
    succeeds(refused)

    _, _, closed, own_closed = lines(caplog)
    assert closed == "collector: circuit closed after 10.0 s; 9 spans lost in this outage"
    assert own_closed == "a: circuit closed after 30.0 s; 7 spans lost in this outage"
    assert refused.health().refused == 5


@pytest.mark.parametrize(
    ("tolls", "far", "last", "then"),
    [
        ([], "nothing", "nothing", "exports are refused"),
        ([SPANS], "1 span", "1 span", "exports are refused"),
        (
            [SPANS, LOGS, SPANS],
            "2 spans and 2 log records",
            "2 spans and 2 log records",
            "exports are refused",
        ),
        ([KEPT], "5 spans kept, 1", "5 spans kept, replaying them; 1", "what comes is kept"),
        (
            [KEPT, MORE_KEPT],
            "5 spans and 7 log records kept, 1 span and 2 log records",
            "5 spans and 7 log records kept, replaying them; 1 span and 2 log records",
            "what comes is kept",
        ),
        (
            [KEPT, LOGS],
            "5 spans kept, 1 span and 2 log records",
            "5 spans kept, replaying them; 1 span and 2 log records",
            "what comes is kept by those with retention",
        ),
        (
            [Toll("spans", 0, 0, 5), Toll("log records", 0, 0, 7), Toll("data points", 0, 0, 2)],
            "5 spans, 7 log records and 2 data points kept, 0",
            "5 spans, 7 log records and 2 data points kept, replaying them; 0",
            "what comes is kept",
        ),
        ([Toll("spans", 1, 0, 0)], "0 spans kept, 1", "0 spans kept, 1", "what comes is kept"),
    ],
)
def test_a_line_counts_what_is_lost_by_unit(tolls: list[Toll], far: str, last: str, then: str) -> None:
    assert (so_far(tolls), at_last(tolls), what_happens(tolls)) == (far, last, then)
