"""Log lines: their levels and number, and errors of listeners (C8)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from breaker_exporter import CircuitBreakerSpanExporter
from breaker_exporter.testing import ScriptedExporter, fail, succeed

from ._exporters import Gated
from ._spans import spans
from ._waiting import until

if TYPE_CHECKING:
    from breaker_exporter import CircuitTransition
    from breaker_exporter.testing import ManualClock


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG, logger="breaker_exporter")
    return caplog


def _levels(log: pytest.LogCaptureFixture) -> list[str]:
    return [record.levelname for record in log.records]


def test_a_healthy_exporter_says_nothing_aloud(clock: ManualClock, log: pytest.LogCaptureFixture) -> None:
    exporter = CircuitBreakerSpanExporter(ScriptedExporter(), clock=clock)
    for _ in range(3):
        exporter.export(spans(1))
    exporter.force_flush()

    assert [level for level in _levels(log) if level != "DEBUG"] == []


def test_the_warning_names_exporter_reason_and_cooldown(
    clock: ManualClock, log: pytest.LogCaptureFixture
) -> None:
    exporter = CircuitBreakerSpanExporter(
        ScriptedExporter([ConnectionRefusedError("http://u:hunter2@collector")]),
        name="shop-traces",
        failure_threshold=1,
        cooldown=17,
        clock=clock,
    )

    exporter.export(spans(1))

    (warning,) = [record for record in log.records if record.levelno == logging.WARNING]
    said = warning.getMessage()
    assert "shop-traces" in said
    assert "ConnectionRefusedError" in said
    assert "17" in said
    assert "hunter2" not in log.text


def test_there_is_one_logger(clock: ManualClock, log: pytest.LogCaptureFixture) -> None:
    log.set_level(logging.DEBUG)
    exporter = CircuitBreakerSpanExporter(
        ScriptedExporter([fail, succeed]), failure_threshold=1, cooldown=10, clock=clock
    )
    exporter.export(spans(1))
    exporter.export(spans(1))
    clock.advance(10)
    exporter.export(spans(1))
    exporter.shutdown()

    assert {record.name for record in log.records} == {"breaker_exporter"}


def test_an_overrun_is_a_warning_too(
    clock: ManualClock, deadlines: ManualClock, log: pytest.LogCaptureFixture
) -> None:
    inner = Gated(when_stuck=lambda: deadlines.advance(0.05))
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=0.05, clock=clock)

    exporter.export(spans(1))

    assert [level for level in _levels(log) if level != "DEBUG"] == ["WARNING"]
    inner.let_all_out()
    until(lambda: exporter.health().hung_calls == 0)


def test_a_raising_listener_is_logged_once_per_transition(
    clock: ManualClock, log: pytest.LogCaptureFixture
) -> None:
    """C8."""

    class NobodyExpectsThis(Exception):
        pass

    def broken(_: CircuitTransition) -> None:
        raise NobodyExpectsThis

    def transitions() -> list[CircuitTransition]:
        return seen

    seen: list[CircuitTransition] = []
    exporter = CircuitBreakerSpanExporter(
        ScriptedExporter([fail, fail, succeed]),
        failure_threshold=1,
        cooldown=10,
        jitter=0,
        listeners=[broken, seen.append],
        clock=clock,
    )
    exporter.export(spans(1))
    clock.advance(10)
    exporter.export(spans(1))
    exporter.export(spans(1))
    clock.advance(20)
    exporter.export(spans(1))

    about_it = [record for record in log.records if "listener" in record.getMessage().lower()]
    assert len(about_it) == len(transitions()) == 5
    assert all("NobodyExpectsThis" in record.getMessage() or record.exc_info for record in about_it), (
        "it must say what was raised"
    )


def test_a_log_handler_that_exports_again_ends_in_no_endless_loop(clock: ManualClock) -> None:
    """P1: a handler that makes spans of log records calls us from within our own log line."""

    class Exports(logging.Handler):
        depth = 0

        def emit(self, record: logging.LogRecord) -> None:
            if self.depth < 3:
                self.depth += 1
                exporter.export(spans(1))

    exporter = CircuitBreakerSpanExporter(ScriptedExporter([fail]), failure_threshold=1, clock=clock)
    handler = Exports()
    logger = logging.getLogger("breaker_exporter")
    logger.addHandler(handler)
    try:
        exporter.export(spans(1))
        exporter.export(spans(1))
    finally:
        logger.removeHandler(handler)

    health = exporter.health()
    assert health.received == health.failed + health.refused >= 3


def test_what_the_wrapped_exporter_logs_arrives_in_order(
    clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """R7: without gevent the lines go straight to the handlers."""

    def chatty(_: object) -> None:
        for number in range(50):
            logging.getLogger("foreign").warning("line %d", number)

    exporter = CircuitBreakerSpanExporter(ScriptedExporter(default=chatty), clock=clock)

    exporter.export(spans(1))

    lines = [record.getMessage() for record in caplog.records if record.name == "foreign"]
    assert lines == [f"line {number}" for number in range(50)]
