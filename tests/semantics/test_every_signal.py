"""What holds for the circuit breaker of each signal: its contract over the engine that they share (L1)."""

from __future__ import annotations

import threading
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from breaker_exporter import Cause, CircuitState, ExportReport, Retention, SharedCircuit, Verdict
from breaker_exporter._core import replay_pace, sender, sender_steps
from breaker_exporter.testing import ScriptedExporter, fail, hang, succeed

from .._signals import EACH_SIGNAL, LOGS, METRICS, SIGNALS, SPANS, Signal
from ._children import in_child
from ._exporters import Gated
from ._waiting import start, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from breaker_exporter import ExporterHealth
    from breaker_exporter.testing import ManualClock

    Make = Callable[..., Any]

pytestmark = EACH_SIGNAL


@pytest.fixture
def make(signal: Signal, clock: ManualClock) -> Iterator[Make]:
    """Makes circuit breakers around what plays a script, and shuts them down."""
    made = []

    def new(script: ScriptedExporter, **arguments: Any) -> Any:
        exporter = signal.breaker(
            signal.playing(script),
            **{"failure_threshold": 1, "cooldown": 10, "jitter": 0, "clock": clock, **arguments},
        )
        made.append((exporter, script))
        return exporter

    yield new
    for exporter, script in made:
        script.release()
        exporter.shutdown(1000)


def _say(answer: object, _: object) -> object:
    return answer


def adds_up(health: ExporterHealth) -> bool:
    settled = health.exported + health.failed + health.refused + health.dropped
    return health.received == settled + health.retained + health.in_flight


def test_items_are_counted_and_each_ends_in_one_outcome(signal: Signal, make: Make) -> None:
    """P3, L1."""
    exporter = make(ScriptedExporter([succeed, fail]))

    results = [exporter.export(signal.batch(items)) for items in (2, 3, 5)]

    assert results == [signal.result.SUCCESS, signal.result.FAILURE, signal.result.FAILURE]
    health = exporter.health()
    assert (health.received, health.exported, health.failed, health.refused) == (10, 2, 3, 5)
    assert adds_up(health)


REFUSED = ExportReport(Verdict.FAILED, reason="connection refused", cause=Cause.UNREACHABLE)
ENDED_BY_SHUTDOWN = "the exporter was shut down meanwhile", "exporter is shut down"


@pytest.mark.parametrize("reason", ENDED_BY_SHUTDOWN)
def test_a_call_that_the_shutdown_ends_hides_no_cause(signal: Signal, make: Make, reason: str) -> None:
    """G2: the last error is why calls have failed since the last success, as far as that is known."""
    refused, ended = (partial(_say, report) for report in (REFUSED, replace(REFUSED, reason=reason)))
    exporter = make(ScriptedExporter([refused, ended, succeed, ended]), failure_threshold=9)
    errors = []

    for _ in range(4):
        exporter.export(signal.batch(1))
        errors.append(exporter.health().last_error)

    assert errors == [*["connection refused"] * 3, reason]


@pytest.mark.parametrize("reason", ENDED_BY_SHUTDOWN)
def test_nor_does_one_with_what_was_kept(
    signal: Signal,
    make: Make,
    reason: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refused, ended = (partial(_say, report) for report in (REFUSED, replace(REFUSED, reason=reason)))
    script = ScriptedExporter([refused, ended])
    exporter = make(script, failure_threshold=9, retention=Retention())
    monkeypatch.setattr(sender, "start_in_background", lambda *args: args[-1]())  # the shutdown sends it

    exporter.export(signal.batch(2))
    exporter.shutdown(1000)

    assert len(script.calls) == 2
    assert caplog.messages[-1].endswith(
        "2 dropped since the process ended; the last error: connection refused"
    )


def test_an_empty_batch_succeeds_and_touches_nothing(signal: Signal, make: Make) -> None:
    """C11."""
    inner = ScriptedExporter()
    exporter = make(inner)

    assert exporter.export(signal.batch(0)) is signal.result.SUCCESS

    assert (inner.calls, exporter.health().received) == ([], 0)


@pytest.mark.parametrize("retains", [False, True])
def test_what_is_no_batch_fails_and_is_logged_once(
    signal: Signal, make: Make, caplog: pytest.LogCaptureFixture, retains: bool
) -> None:
    """C11."""
    inner = ScriptedExporter()
    exporter = make(inner, retention=Retention() if retains else None)

    for nothing in (None, 5, object()):
        assert exporter.export(nothing) is signal.result.FAILURE

    assert (inner.calls, exporter.health().received) == ([], 0)
    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert f"in which {signal.unit} cannot be counted" in warning


def test_an_open_circuit_refuses_and_one_probe_closes_it(
    signal: Signal, make: Make, clock: ManualClock
) -> None:
    """C1, C4, C5."""
    inner = Gated()
    inner.let_out(0, fail.result)
    exporter = make(inner)
    assert exporter.export(signal.batch(1)) is signal.result.FAILURE
    assert exporter.health().state is CircuitState.OPEN

    assert exporter.export(signal.batch(1)) is signal.result.FAILURE
    clock.advance(10)
    probe = start(lambda: exporter.export(signal.batch(1)))
    inner.entered(2)
    assert exporter.health().state is CircuitState.HALF_OPEN
    assert exporter.export(signal.batch(1)) is signal.result.FAILURE
    inner.let_out(1)

    assert probe.result(20) is signal.result.SUCCESS
    assert exporter.state is CircuitState.CLOSED
    assert len(inner.threads) == 2


def test_a_failed_probe_doubles_the_cooldown(signal: Signal, make: Make, clock: ManualClock) -> None:
    """C5."""
    exporter = make(ScriptedExporter(default=fail))
    exporter.export(signal.batch(1))
    clock.advance(10)

    exporter.export(signal.batch(1))

    assert (exporter.state, exporter.health().cooldown) == (CircuitState.OPEN, 20)


@pytest.mark.parametrize("error", [RuntimeError("no"), SystemExit(1), KeyboardInterrupt(), GeneratorExit()])
def test_whatever_the_wrapped_exporter_raises_is_a_failure(
    signal: Signal, make: Make, error: BaseException
) -> None:
    """C2, C3: a reader's ticker, or a processor's worker, would end for good."""
    exporter = make(ScriptedExporter([error]))

    assert exporter.export(signal.batch(2)) is signal.result.FAILURE

    assert (exporter.state, exporter.health().failed) == (CircuitState.OPEN, 2)


def test_any_other_answer_is_a_failure_the_success_of_another_signal_too(signal: Signal, make: Make) -> None:
    """C2."""
    of_another = (METRICS if signal is LOGS else LOGS).result.SUCCESS
    for lie in (None, True, "SUCCESS", of_another):
        exporter = make(ScriptedExporter(default=partial(_say, lie)))

        assert exporter.export(signal.batch(1)) is signal.result.FAILURE

        assert exporter.health().last_error == f"returned {type(lie).__name__}, no {signal.result.__name__}"


def test_an_exporter_that_reports_is_understood(signal: Signal, make: Make) -> None:
    """A rejected batch is lost, and opens no circuit."""
    rejected = ExportReport(Verdict.REJECTED, reason="HTTP 400")
    exporter = make(ScriptedExporter(default=lambda _: rejected))

    assert exporter.export(signal.batch(2)) is signal.result.FAILURE

    assert (exporter.state, exporter.health().failed) == (CircuitState.CLOSED, 2)


def test_an_overrun_opens_the_circuit_at_once(signal: Signal, make: Make, deadlines: ManualClock) -> None:
    """C2, R2."""
    inner = Gated(when_stuck=lambda: deadlines.advance(1.0))
    exporter = make(inner, failure_threshold=3, export_timeout=0.05)

    assert exporter.export(signal.batch(2)) is signal.result.FAILURE

    health = exporter.health()
    assert (health.state, health.failed, health.hung_calls) == (CircuitState.OPEN, 2, 1)
    inner.let_all_out()


def test_a_child_starts_at_zero_and_exports_on_its_own(signal: Signal, make: Make) -> None:
    """R5: also where it was forked in the middle of an export."""
    inner = Gated()
    exporter = make(inner, export_timeout=60)
    out = start(lambda: exporter.export(signal.batch(2)))
    inner.entered(1)

    def check() -> None:
        inner.gates[1].open()
        assert exporter.health().received == 0
        assert exporter.export(signal.batch(3)) is signal.result.SUCCESS
        assert exporter.health().exported == 3

    in_child(check)
    inner.let_all_out()
    assert out.result(20) is signal.result.SUCCESS
    assert exporter.health().exported == 2


def test_after_shutdown_every_export_is_refused(signal: Signal, make: Make) -> None:
    """S1, S3."""
    inner = ScriptedExporter()
    exporter = make(inner)

    exporter.shutdown()
    exporter.shutdown(1000)

    assert exporter.export(signal.batch(2)) is signal.result.FAILURE
    assert exporter.force_flush(1000) is False
    assert (inner.shutdown_calls, inner.flush_calls, exporter.health().refused) == (1, 0, 2)


def test_a_shutdown_that_hangs_inside_is_left_behind(signal: Signal, make: Make) -> None:
    """S1."""
    exporter = make(ScriptedExporter(on_shutdown=hang))

    start(lambda: exporter.shutdown(50)).result(15)


def test_begin_shutdown_is_one_deadline_for_what_is_in_flight_and_what_comes(
    signal: Signal, make: Make
) -> None:
    """S4."""
    inner = ScriptedExporter([hang])
    exporter = make(inner, export_timeout=60)
    out = start(lambda: exporter.export(signal.batch(2)))
    assert inner.wait_for_calls(1)

    exporter.begin_shutdown(0.05)

    assert out.result(15) is signal.result.FAILURE
    assert exporter.export(signal.batch(3)) is signal.result.FAILURE
    assert (exporter.health().failed, exporter.health().refused) == (2, 3)


def test_a_flush_reaches_the_wrapped_exporter(signal: Signal, make: Make) -> None:
    """S2."""
    assert make(ScriptedExporter()).force_flush(5000) is True
    assert make(ScriptedExporter(on_flush=fail)).force_flush(5000) is False
    assert make(ScriptedExporter(on_flush=RuntimeError)).force_flush(5000) is False


def test_what_cannot_be_delivered_is_kept_and_delivered_later(
    signal: Signal, make: Make, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """K1, K12, P8: a foreign exporter's batches are kept as the objects that they are."""
    monkeypatch.setattr(sender_steps, "_LOOK_AGAIN", 0.005)
    monkeypatch.setattr(replay_pace, "_LONGEST_GAP", 0.005)
    inner = ScriptedExporter([fail])
    exporter = make(inner, retention=Retention())

    assert exporter.export(signal.batch(2)) is signal.result.SUCCESS
    assert exporter.export(signal.batch(3)) is signal.result.SUCCESS

    health = exporter.health()
    assert (health.retained, health.state) == (5, CircuitState.OPEN)
    assert health.retained_bytes >= 5 * 512
    assert adds_up(health)
    clock.advance(10)
    until(lambda: exporter.health().exported == 5)
    assert adds_up(exporter.health())
    assert len(inner.calls) == 3


def test_only_what_can_lie_on_a_disk_gets_a_directory(signal: Signal, make: Make) -> None:
    """K15."""
    with pytest.raises(ValueError, match="in memory alone"):
        make(ScriptedExporter(), retention=Retention(directory="/var/lib/telemetry"))


def test_an_exporter_of_another_signal_is_refused_by_the_name_of_the_right_class(signal: Signal) -> None:
    for other in SIGNALS:
        if other is not signal:
            wrong = other.playing(ScriptedExporter())
            kind = {SPANS: "span", LOGS: "log record", METRICS: "metric"}[signal]
            with pytest.raises(TypeError) as caught:
                signal.breaker(wrong)
            assert str(caught.value) == (
                f"exporter must be a {kind} exporter; {type(wrong).__name__} exports {other.unit}: "
                f"use {other.breaker.__name__}"
            )


def test_no_breaker_is_wrapped_in_another(signal: Signal) -> None:
    for other in SIGNALS:
        error = ValueError if other is signal else TypeError
        with pytest.raises(error, match=other.breaker.__name__):
            signal.breaker(other.breaker(other.playing(ScriptedExporter())))


def test_an_outage_that_one_signal_sees_is_the_others_too(signal: Signal, clock: ManualClock) -> None:
    """L7."""
    refused = ExportReport(Verdict.FAILED, reason="connection refused", cause=Cause.UNREACHABLE)
    shared = SharedCircuit(failure_threshold=1, cooldown=10, jitter=0, clock=clock)
    scripts = {each: ScriptedExporter([lambda _: refused] if each is signal else []) for each in SIGNALS}
    breakers = {each: each.breaker(each.playing(scripts[each]), circuit=shared) for each in SIGNALS}

    breakers[signal].export(signal.batch(1))

    for each in SIGNALS:
        assert breakers[each].state is CircuitState.OPEN
        assert breakers[each].export(each.batch(1)) is each.result.FAILURE
        assert len(scripts[each].calls) == (each is signal)
    clock.advance(10)
    for each in SIGNALS:
        assert breakers[each].export(each.batch(1)) is each.result.SUCCESS
        breakers[each].shutdown(1000)


def test_anything_with_an_export_will_do(signal: Signal) -> None:
    """P4: no base class is asked for, nor any other method."""

    class Duck:
        def export(self, batch: object) -> object:
            assert batch
            return signal.result.SUCCESS

    exporter = signal.breaker(Duck())

    assert exporter.export(signal.batch(2)) is signal.result.SUCCESS
    assert exporter.force_flush() is True
    exporter.shutdown()
    assert exporter.health().exported == 2


def test_every_snapshot_adds_up_while_four_threads_export(signal: Signal, make: Make) -> None:
    """P3."""
    exporter = make(ScriptedExporter([succeed, fail, succeed, fail] * 5), failure_threshold=2, cooldown=0.001)
    batches = [signal.batch(items) for items in range(1, 30)]

    def export() -> None:
        for batch in batches:
            exporter.export(batch)

    threads = [threading.Thread(target=export) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert adds_up(exporter.health())
    assert exporter.health().received == 4 * sum(range(1, 30))
