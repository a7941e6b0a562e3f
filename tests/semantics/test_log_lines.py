"""Log lines about an outage, about loss without one, and at the stop: G1, G2, G3 and G7."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Sequence
from typing import Any

import pybreaker
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from breaker_exporter import CircuitBreakerSpanExporter, CircuitState, ExportReport, Verdict
from breaker_exporter.testing import ManualClock, ScriptedExporter, fail, hang, succeed

from ._processes import run_code
from ._spans import spans
from ._waiting import start, until

DELIVERED = ExportReport(Verdict.DELIVERED)
REJECTED = ExportReport(Verdict.REJECTED, reason="HTTP 400: bad batch")
UNSENT = ExportReport(Verdict.UNSENT, reason="none of its spans can be encoded")
FAILED = ExportReport(Verdict.FAILED, reason="HTTP 503: come back later")
QUOTA = ExportReport(Verdict.DELIVERED, 0, "the collector rejected 5 spans: monthly quota is used up")


_ENDS_BY_ITSELF = """
import logging, sys
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from breaker_exporter import CircuitBreakerSpanExporter
from breaker_exporter.testing import ScriptedExporter, fail

logging.basicConfig(format="%(levelname)s %(message)s", level="INFO", stream=sys.stdout)
exporter = CircuitBreakerSpanExporter(ScriptedExporter(default=fail), name="otlp", failure_threshold=1)
provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(exporter, max_export_batch_size=2))
for _ in range(6):
    provider.get_tracer("shop").start_span("request").end()
"""


class Reporting(SpanExporter):
    """Answers each call with the next of its reports, and repeats the last one."""

    destination = "http://collector:4318"

    def __init__(self, *reports: ExportReport) -> None:
        self._reports = list(reports)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        raise AssertionError("not asked while there is more to be told")

    def export_and_report(self, spans: Sequence[ReadableSpan]) -> ExportReport:
        return self._reports.pop(0) if len(self._reports) > 1 else self._reports[0]


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG, logger="breaker_exporter")
    return caplog


def guard(clock: ManualClock, *reports: ExportReport, **settings: Any) -> CircuitBreakerSpanExporter:
    return CircuitBreakerSpanExporter(
        Reporting(*reports), **{"name": "otlp", "clock": clock, "jitter": 0, **settings}
    )


def lines(log: pytest.LogCaptureFixture, least: int = logging.INFO) -> list[tuple[str, str]]:
    """Level and text of what was logged since this was asked last."""
    found = [(record.levelname, record.getMessage()) for record in log.records if record.levelno >= least]
    log.clear()
    return found


def test_an_outage_is_a_pair_of_warnings_and_its_failed_probes_are_infos(
    clock: ManualClock, log: pytest.LogCaptureFixture
) -> None:
    """G1: the destination, the reason, the loss so far, and what comes next."""
    exporter = guard(clock, FAILED, FAILED, FAILED, DELIVERED, failure_threshold=2, cooldown=10)
    for count in (1, 2, 30):
        exporter.export(spans(count))
    opened = lines(log)
    clock.advance(10)
    exporter.export(spans(4))
    probed = lines(log)
    exporter.export(spans(50))
    clock.advance(20)
    exporter.export(spans(6))

    who = "otlp (http://collector:4318)"
    assert opened == [
        (
            "WARNING",
            f"{who}: circuit opened: HTTP 503: come back later (failure 2 in a row); 3 spans lost so far in "
            "this outage; exports are refused, next probe within 10 s",
        )
    ]
    assert probed == [
        (
            "INFO",
            f"{who}: probe failed: HTTP 503: come back later; 37 spans lost so far in this outage of 10.0 s; "
            "next probe within 20 s",
        )
    ]
    assert lines(log) == [("WARNING", f"{who}: circuit closed after 30.0 s; 87 spans lost in this outage")]


def test_a_second_outage_counts_its_own_loss(clock: ManualClock, log: pytest.LogCaptureFixture) -> None:
    """G7: no running total under another name."""
    exporter = guard(clock, FAILED, DELIVERED, REJECTED, FAILED, failure_threshold=1, cooldown=10)
    exporter.export(spans(1))
    exporter.export(spans(4321))
    clock.advance(10)
    exporter.export(spans(1))
    exporter.export(spans(16))
    lines(log)

    exporter.export(spans(2))

    ((_, opened),) = lines(log)
    assert "2 spans lost so far in this outage" in opened


def test_refused_exports_are_debug(clock: ManualClock, log: pytest.LogCaptureFixture) -> None:
    exporter = guard(clock, FAILED, failure_threshold=1)
    exporter.export(spans(1))
    lines(log)

    exporter.export(spans(7))

    ((level, text),) = lines(log, logging.DEBUG)
    assert level == "DEBUG"
    assert "7 spans refused" in text


def test_a_probe_that_sent_nothing_is_no_news(clock: ManualClock, log: pytest.LogCaptureFixture) -> None:
    exporter = guard(clock, FAILED, UNSENT, failure_threshold=1, cooldown=10)
    exporter.export(spans(1))
    lines(log)
    clock.advance(10)

    exporter.export(spans(2))

    ((level, text),) = lines(log)
    assert (level, "2 spans lost: none of its spans can be encoded" in text) == ("WARNING", True)


@pytest.mark.parametrize(
    ("report", "reason"),
    [
        (QUOTA, "the collector rejected 5 spans: monthly quota is used up"),
        (REJECTED, "HTTP 400: bad batch"),
        (UNSENT, "none of its spans can be encoded"),
    ],
)
def test_loss_that_opens_no_circuit_is_a_warning_and_then_a_line_a_minute(
    clock: ManualClock, log: pytest.LogCaptureFixture, report: ExportReport, reason: str
) -> None:
    """G3."""
    exporter = guard(clock, report)
    exporter.export(spans(5))
    began = lines(log)
    for _ in range(59):
        clock.advance(1)
        exporter.export(spans(5))
    meanwhile = lines(log)
    clock.advance(1)
    exporter.export(spans(5))
    summary = lines(log)
    clock.advance(61)
    exporter.export(spans(5))

    who = "otlp (http://collector:4318)"
    assert began == [
        (
            "WARNING",
            f"{who}: 5 spans lost: {reason}; this opens no circuit, a line a minute follows while it lasts",
        )
    ]
    assert meanwhile == []
    assert summary == [
        (
            "WARNING",
            f"{who}: 295 spans lost in the last 60 s, 300 since this began 60 s ago; "
            f"the last reason: {reason}",
        )
    ]
    assert [text.partition(";")[0] for _, text in lines(log)] == [
        f"{who}: 5 spans lost in the last 61 s, 305 since this began 121 s ago"
    ]
    assert exporter.state is CircuitState.CLOSED


def test_the_end_of_such_loss_is_said_and_new_loss_is_news(
    clock: ManualClock, log: pytest.LogCaptureFixture
) -> None:
    exporter = guard(clock, QUOTA, QUOTA, DELIVERED, DELIVERED, DELIVERED, REJECTED)
    exporter.export(spans(5))
    clock.advance(30)
    exporter.export(spans(5))
    clock.advance(30)
    exporter.export(spans(1))
    lines(log)
    clock.advance(59)
    exporter.health()
    assert lines(log) == []
    clock.advance(1)
    exporter.health()
    over = lines(log)
    clock.advance(1)
    exporter.export(spans(1))
    exporter.export(spans(1))
    assert lines(log) == []
    exporter.export(spans(1))

    assert over == [
        (
            "WARNING",
            "otlp (http://collector:4318): the loss that opened no circuit is over: 10 spans lost in 30 s; "
            "the last reason: the collector rejected 5 spans: monthly quota is used up",
        )
    ]
    ((_, again),) = lines(log)
    assert "1 span lost: HTTP 400: bad batch" in again


def test_failures_too_few_to_open_the_circuit_are_told_once_it_is_known(
    clock: ManualClock, log: pytest.LogCaptureFixture
) -> None:
    exporter = guard(clock, FAILED, DELIVERED, FAILED, failure_threshold=3)
    exporter.export(spans(7))
    assert lines(log) == []
    exporter.export(spans(1))
    ((_, told),) = lines(log)
    exporter.export(spans(8))
    exporter.export(spans(9))
    assert lines(log) == []
    clock.advance(60)
    exporter.health()

    assert "7 spans lost: HTTP 503: come back later; this opens no circuit" in told
    ((_, summary),) = lines(log)
    assert "17 spans lost in the last 60 s, 24 since this began 60 s ago" in summary


def test_what_is_refused_with_the_circuit_closed_is_told(
    clock: ManualClock, log: pytest.LogCaptureFixture
) -> None:
    exporter = guard(clock, DELIVERED)
    exporter.begin_shutdown(0.0)

    exporter.export(spans(3))

    ((_, told),) = lines(log)
    assert "3 spans lost: no time left" in told


def test_a_process_that_ends_in_an_outage_says_what_it_lost(
    clock: ManualClock, log: pytest.LogCaptureFixture
) -> None:
    """G2: a deployment during an outage must not hide the loss."""
    exporter = guard(clock, DELIVERED, QUOTA, UNSENT, FAILED, failure_threshold=3)
    for count in (200, 5, 2, 1, 1, 1, 97):
        exporter.export(spans(count))
    lines(log)

    exporter.shutdown()
    exporter.shutdown()
    exporter._say_stopped()

    assert lines(log) == [
        (
            "WARNING",
            "otlp (http://collector:4318): stopped: 200 spans exported, 107 lost since this process began: "
            "3 failed, 5 rejected by the backend, 2 impossible to send, 97 refused while the circuit was "
            "open; the last error: HTTP 503: come back later",
        )
    ]


def test_a_process_that_has_lost_nothing_says_so_quietly(
    clock: ManualClock, log: pytest.LogCaptureFixture
) -> None:
    exporter = guard(clock, DELIVERED)
    exporter.export(spans(1))

    exporter.shutdown()

    assert lines(log) == [("INFO", "otlp (http://collector:4318): stopped: 1 span exported, none lost")]


def test_the_balance_of_a_stop_that_did_not_wait_for_a_call_says_that_it_is_out(
    clock: ManualClock, log: pytest.LogCaptureFixture
) -> None:
    inner = ScriptedExporter([hang])
    exporter = CircuitBreakerSpanExporter(inner, name="otlp", clock=clock)
    export = start(lambda: exporter.export(spans(3)))
    until(lambda: exporter.health().in_flight == 3)

    exporter._say_stopped()
    inner.release()
    export.result(10)
    exporter.shutdown()

    assert lines(log) == [("INFO", "otlp: stopped: 0 spans exported, none lost, 3 spans still in a call")]


def test_refusals_alone_have_no_error_to_tell_of(clock: ManualClock, log: pytest.LogCaptureFixture) -> None:
    exporter = guard(clock, DELIVERED)
    exporter.begin_shutdown(0.0)
    exporter.export(spans(3))
    lines(log)

    exporter.shutdown()

    ((_, text),) = lines(log)
    assert text.endswith("3 lost since this process began: 3 refused with the circuit closed")


def test_a_plain_provider_says_its_balance_at_exit() -> None:
    """G2: nobody has to call anything."""
    output = run_code(_ENDS_BY_ITSELF)

    (balance,) = [line for line in output.splitlines() if "stopped" in line]
    assert balance.startswith("WARNING otlp: stopped: 0 spans exported, 6 lost since this process began")


def test_a_circuit_that_is_open_from_the_start_has_its_closing_line(log: pytest.LogCaptureFixture) -> None:
    breaker = pybreaker.CircuitBreaker(1, 60)
    breaker.open()
    exporter = CircuitBreakerSpanExporter(ScriptedExporter(default=succeed), name="otlp", breaker=breaker)
    exporter.export(spans(5))
    breaker.close()
    exporter.export(spans(1))

    ((level, text),) = lines(log)
    assert level == "WARNING"
    assert text.startswith("otlp: circuit closed after")
    assert text.endswith("5 spans lost in this outage")


class HasNoDestination(ScriptedExporter):
    @property
    def destination(self) -> str:
        raise RuntimeError("of somebody else's")


class HasAnObject(ScriptedExporter):
    destination = object()


@pytest.mark.parametrize("kind", [HasNoDestination, HasAnObject])
def test_without_a_destination_the_name_serves(
    clock: ManualClock, log: pytest.LogCaptureFixture, kind: type[ScriptedExporter]
) -> None:
    exporter = CircuitBreakerSpanExporter(kind([fail]), name="otlp", failure_threshold=1, clock=clock)

    exporter.export(spans(1))

    ((_, text),) = lines(log)
    assert text.startswith("otlp: circuit opened: ")


def test_a_hostile_reason_stays_on_its_line(clock: ManualClock, log: pytest.LogCaptureFixture) -> None:
    """G4: from a foreign exporter too."""
    hostile = ExportReport(Verdict.FAILED, reason="\x1b[31mno\r\nWARNING all is well " + "x" * 300)
    exporter = guard(clock, hostile, failure_threshold=1)

    exporter.export(spans(1))

    ((_, text),) = lines(log)
    assert "circuit opened: no WARNING all is well xxx" in text
    assert text.isprintable()
    assert len(exporter.health().last_error or "") == 280


def test_an_exporter_that_nobody_holds_is_gone_at_once(clock: ManualClock) -> None:
    """The announcer must not keep it, and with it its thread, until the next garbage collection."""
    exporter = guard(clock, DELIVERED)
    exporter.export(spans(1))
    gone = weakref.ref(exporter)

    del exporter

    assert gone() is None


def test_a_clock_that_raises_costs_no_line(log: pytest.LogCaptureFixture) -> None:
    works = True

    def clock() -> float:
        if works:
            return 1.0
        raise RuntimeError("stopped")

    exporter = CircuitBreakerSpanExporter(
        Reporting(FAILED), name="otlp", failure_threshold=1, clock=clock, cooldown=10
    )
    exporter.export(spans(2))
    works = False

    exporter.export(spans(3))
    exporter.shutdown()

    *_, (level, stopped) = lines(log)
    assert level == "WARNING"
    assert "stopped: 0 spans exported, 5 lost since this process began: 5 failed" in stopped
