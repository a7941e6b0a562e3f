"""What exporters of one backend share, and what stays each one's own: L7."""

from __future__ import annotations

import gc
import weakref
from typing import TYPE_CHECKING, Any

import pybreaker
import pytest

from breaker_exporter import CircuitBreakerSpanExporter, ExportReport, SharedCircuit, Verdict
from breaker_exporter._concurrency import state_lock
from breaker_exporter._core.report import Cause
from breaker_exporter.testing import ScriptedExporter, fail, hang, throw

from ..retention._retaining import ANSWERED, BUSY, GATEWAY, REJECTED, UNKNOWN, UNREACHABLE, UNSENT
from ..semantics._exporters import Gated
from ..semantics._spans import spans
from ..semantics._waiting import start, until
from ..semantics.test_cancellation import Interrupted
from ..semantics.test_no_thread_to_be_had import no_new_threads
from ._sharing import CLOSED, HALF_OPEN, NOT_FOUND, OPEN, UNANSWERED, answers, sharing, succeeds

if TYPE_CHECKING:
    from breaker_exporter import CircuitTransition
    from breaker_exporter._core.circuit import Permit
    from breaker_exporter.testing import ManualClock

    from ..semantics._signal_handlers import HandleWhen


@pytest.mark.parametrize("gone", [UNREACHABLE, UNANSWERED])
def test_what_cannot_be_reached_is_left_alone_by_all(shared: SharedCircuit, gone: ExportReport) -> None:
    """L7. The failures of several exporters count together, and no call is made while it is open."""
    inner = answers(gone), answers(gone), ScriptedExporter()
    exporters = sharing(shared, *inner)

    assert [succeeds(one) for one in exporters] == [False, False, False]

    assert [len(each.calls) for each in inner] == [1, 1, 0]
    assert [one.state for one in exporters] == [OPEN, OPEN, OPEN]
    assert shared.state is OPEN
    assert [one.health().refused for one in exporters] == [0, 0, 1]


@pytest.mark.parametrize("answer", [ANSWERED, BUSY, GATEWAY, NOT_FOUND])
def test_one_signal_that_is_refused_stops_no_other(shared: SharedCircuit, answer: ExportReport) -> None:
    """L7."""
    refused, fine = sharing(shared, answers(answer, answer), ScriptedExporter())

    for _ in range(3):
        assert not succeeds(refused)
        assert succeeds(fine)

    assert (refused.state, fine.state, shared.state) == (OPEN, CLOSED, CLOSED)
    assert refused.health().retry_in == 10
    assert fine.health().retry_in is None


@pytest.mark.parametrize("answer", [ANSWERED, BUSY, GATEWAY, NOT_FOUND, REJECTED])
def test_any_answer_shows_that_the_backend_lives(shared: SharedCircuit, answer: ExportReport) -> None:
    """L7. It sets the failures in a row to zero."""
    gone, answered = sharing(shared, answers(UNREACHABLE, UNREACHABLE), answers(answer))

    succeeds(gone)
    succeeds(answered)
    succeeds(gone)

    assert shared.state is CLOSED
    assert gone.health().consecutive_failures == 1


@pytest.mark.parametrize("answer", [ANSWERED, BUSY, GATEWAY, NOT_FOUND, REJECTED])
def test_any_answer_to_the_probe_closes_it(
    shared: SharedCircuit, clock: ManualClock, answer: ExportReport
) -> None:
    """L7."""
    gone, answered = sharing(shared, answers(UNREACHABLE, UNREACHABLE), answers(answer))
    succeeds(gone)
    succeeds(gone)
    clock.advance(10)

    succeeds(answered)

    assert shared.state is CLOSED
    assert succeeds(gone)


@pytest.mark.parametrize("untold", [fail, throw(OSError()), lambda _: None, lambda _: UNKNOWN])
def test_a_failure_that_does_not_tell_is_the_exporters_own(shared: SharedCircuit, untold: Any) -> None:
    silent, fine = sharing(shared, ScriptedExporter([untold, untold]), ScriptedExporter())

    assert not succeeds(silent)
    assert not succeeds(silent)

    assert (silent.state, shared.state) == (OPEN, CLOSED)
    assert succeeds(fine)


def test_a_failure_that_does_not_tell_lets_another_exporter_probe_at_once(
    shared: SharedCircuit, clock: ManualClock
) -> None:
    gone, silent = sharing(shared, answers(UNREACHABLE, UNREACHABLE), ScriptedExporter([fail]))
    succeeds(gone)
    succeeds(gone)
    clock.advance(10)

    succeeds(silent)

    assert (shared.state, gone.health().retry_in) == (OPEN, 0.0)
    assert silent.health().opened == 1
    assert succeeds(gone)


def test_a_batch_that_cannot_be_sent_gives_both_permits_back(
    shared: SharedCircuit, clock: ManualClock
) -> None:
    """C3."""
    inner = answers(NOT_FOUND, UNREACHABLE, UNREACHABLE, UNSENT)
    (exporter,) = sharing(shared, inner)
    succeeds(exporter)
    clock.advance(10)
    succeeds(exporter)  # a probe to the own one, which says nothing to that
    succeeds(exporter)
    assert exporter.health().retry_in == 10
    clock.advance(10)

    succeeds(exporter)

    assert (exporter.state, exporter.health().retry_in) == (OPEN, 0.0)
    assert succeeds(exporter)
    assert exporter.state is CLOSED


def test_a_probe_that_cannot_start_gives_both_permits_back(shared: SharedCircuit, clock: ManualClock) -> None:
    """C3."""
    gone, probing = sharing(shared, answers(UNREACHABLE, UNREACHABLE), answers(NOT_FOUND))
    succeeds(probing)
    succeeds(gone)
    succeeds(gone)
    clock.advance(10)
    (new,) = sharing(shared, ScriptedExporter())

    with no_new_threads():
        assert not succeeds(new)

    assert (shared.state, new.health().retry_in, new.health().opened) == (OPEN, 0.0, 1)
    assert succeeds(probing)
    assert (shared.state, probing.state) == (CLOSED, CLOSED)


def test_an_overrun_opens_it_at_once(shared: SharedCircuit, deadlines: ManualClock) -> None:
    """C2, C11."""
    inner = ScriptedExporter([hang])
    stuck, fine = sharing(shared, inner, ScriptedExporter(), export_timeout=0.05)
    call = start(lambda: succeeds(stuck))
    until(lambda: inner.calls)
    deadlines.advance(0.05)
    assert call.result(20) is False

    assert not succeeds(fine)

    assert shared.state is OPEN
    assert (fine.health().consecutive_failures, fine.health().hung_calls) == (1, 0)
    assert (stuck.health().hung_calls, stuck.health().opened) == (1, 1)
    inner.release()


def test_a_success_that_comes_after_it_opened_closes_nothing(shared: SharedCircuit) -> None:
    """C6, C9: the generation of the shared circuit counts, not that of the exporter's own."""
    inner = Gated()
    slow, gone = sharing(shared, inner, answers(UNREACHABLE, UNREACHABLE))
    call = start(lambda: succeeds(slow))
    inner.entered(1)
    succeeds(gone)
    succeeds(gone)

    inner.let_all_out()

    assert call.result(20) is True
    assert shared.state is OPEN


def test_a_probe_that_fails_doubles_the_cooldown_for_all(shared: SharedCircuit, clock: ManualClock) -> None:
    """C5."""
    one, other = sharing(shared, answers(*[UNREACHABLE] * 3), ScriptedExporter())
    succeeds(one)
    succeeds(one)
    clock.advance(10)

    succeeds(one)

    health = other.health()
    assert (health.state, health.cooldown, health.retry_in) == (OPEN, 20, 20)
    assert (health.consecutive_failures, health.opened) == (3, 2)
    clock.advance(20)
    assert succeeds(other)
    assert other.health().cooldown == 10


def test_while_the_probe_is_out_all_others_are_refused(shared: SharedCircuit, clock: ManualClock) -> None:
    """C4."""
    inner = Gated()
    gone, probing, third = sharing(shared, answers(UNREACHABLE, UNREACHABLE), inner, ScriptedExporter())
    succeeds(gone)
    succeeds(gone)
    clock.advance(10)
    probe = start(lambda: succeeds(probing))
    inner.entered(1)

    assert not succeeds(gone)
    assert not succeeds(third)
    assert [one.state for one in (gone, probing, third)] == [HALF_OPEN] * 3
    assert third.health().retry_in == 0.0

    inner.let_all_out()
    assert probe.result(20) is True
    assert succeeds(gone)
    assert succeeds(third)


def test_an_exporter_waits_for_the_later_of_its_two_circuits(
    shared: SharedCircuit, clock: ManualClock
) -> None:
    refused, gone = sharing(shared, answers(NOT_FOUND), answers(UNREACHABLE, UNREACHABLE))
    succeeds(refused)
    clock.advance(4)
    succeeds(gone)
    succeeds(gone)

    assert (refused.health().retry_in, gone.health().retry_in) == (10, 10)
    clock.advance(6)
    assert (refused.health().retry_in, gone.health().retry_in) == (4, 4)
    assert not succeeds(refused)
    clock.advance(4)
    assert succeeds(refused)  # one call is the probe of both
    assert (refused.state, gone.state) == (CLOSED, CLOSED)


def test_exactly_one_of_many_callers_probes(shared: SharedCircuit, clock: ManualClock) -> None:
    """C4."""
    inner = [Gated() for _ in range(3)]
    exporters = sharing(shared, *inner)
    (opener,) = sharing(shared, answers(UNREACHABLE, UNREACHABLE))
    succeeds(opener)
    succeeds(opener)
    clock.advance(10)

    callers = [start(lambda one=one: succeeds(one)) for _ in range(10) for one in exporters]  # type: ignore[misc]
    until(lambda: sum(caller.done() for caller in callers) == len(callers) - 1)

    until(lambda: any(each.threads for each in inner))
    for each in inner:
        each.let_all_out()
    assert sum(caller.result(20) for caller in callers) == 1
    assert sum(len(each.threads) for each in inner) == 1
    assert shared.state is CLOSED


def test_those_who_wait_for_their_turn_are_refused_when_another_exporter_opens_it(
    shared: SharedCircuit,
) -> None:
    """R2."""
    inner = Gated()
    busy, gone = sharing(shared, inner, answers(UNREACHABLE, UNREACHABLE))
    first = start(lambda: succeeds(busy))
    inner.entered(1)
    second = start(lambda: succeeds(busy))
    until(lambda: busy.health().in_flight == 2)

    succeeds(gone)
    succeeds(gone)

    assert second.result(20) is False
    assert busy.health().refused == 1
    inner.let_all_out()
    assert first.result(20) is True


def test_a_probe_without_a_caller_is_settled_by_any_exporter(
    shared: SharedCircuit, clock: ManualClock, handle_when: HandleWhen
) -> None:
    """C3: its exporter may not be called for a minute."""
    inner = Gated()
    probing, gone = sharing(shared, inner, answers(UNREACHABLE, UNREACHABLE), export_timeout=30)
    succeeds(gone)
    succeeds(gone)
    clock.advance(10)

    def throw_it() -> None:
        raise Interrupted

    handle_when(lambda: inner.threads, throw_it)
    with pytest.raises(Interrupted):
        succeeds(probing)
    assert not succeeds(gone)
    assert shared.state is HALF_OPEN

    inner.let_all_out()

    until(lambda: succeeds(gone))
    assert shared.state is CLOSED


def test_a_probe_of_an_exporter_that_is_gone_is_given_back(
    shared: SharedCircuit, clock: ManualClock, handle_when: HandleWhen
) -> None:
    inner = Gated()
    gone, probing = sharing(shared, answers(UNREACHABLE, UNREACHABLE), inner, export_timeout=30)
    succeeds(gone)
    succeeds(gone)
    clock.advance(10)

    def throw_it() -> None:
        raise Interrupted

    handle_when(lambda: inner.threads, throw_it)
    with pytest.raises(Interrupted):
        succeeds(probing)
    assert shared.state is HALF_OPEN

    del probing
    gc.collect()

    assert (shared.state, gone.health().retry_in) == (OPEN, 0.0)
    assert succeeds(gone)
    inner.let_all_out()


def test_nothing_keeps_an_exporter_alive_that_was_dropped(shared: SharedCircuit) -> None:
    (exporter,) = sharing(shared, ScriptedExporter())
    succeeds(exporter)
    assert repr(shared) == "<SharedCircuit 'collector': closed, 1 exporter>"
    gone = weakref.ref(exporter)

    del exporter
    gc.collect()

    assert gone() is None
    assert repr(shared) == "<SharedCircuit 'collector': closed, 0 exporters>"


def test_a_clock_that_raises_costs_an_exporter_no_more_than_a_batch(clock: ManualClock) -> None:
    broken = False

    def time() -> float:
        if broken:
            raise ArithmeticError("no time")
        return clock()

    shared = SharedCircuit(failure_threshold=1, cooldown=10, jitter=0, clock=time)
    inner = answers(NOT_FOUND, UNREACHABLE)
    refused, gone = sharing(shared, inner, answers(UNREACHABLE))
    succeeds(gone)
    broken = True
    assert not succeeds(refused)
    assert (refused.state, gone.state, refused.health().cooldown) == (OPEN, OPEN, 10)
    broken = False
    clock.advance(10)
    assert not succeeds(refused)
    assert (shared.state, refused.state) == (CLOSED, OPEN)
    clock.advance(10)
    broken = True
    assert not succeeds(refused)
    broken = False
    assert succeeds(gone)


@pytest.mark.parametrize("are_both_open", [False, True])
@pytest.mark.parametrize("look", range(1, 17))
def test_a_clock_that_raises_at_any_look_leaves_no_probe_out(
    clock: ManualClock, look: int, are_both_open: bool
) -> None:
    """C9: whichever of the two circuits it is that looks."""
    left: list[int] = []

    def time() -> float:
        if left and left.pop() == look:
            raise ArithmeticError("no time")
        return clock()

    shared = SharedCircuit(failure_threshold=1, cooldown=10, jitter=0, clock=time)
    refused, gone = sharing(shared, answers(NOT_FOUND), answers(UNREACHABLE))
    succeeds(refused)
    if are_both_open:
        succeeds(gone)
    clock.advance(10)
    left += range(20, 0, -1)

    succeeds(refused)

    left.clear()
    clock.advance(40)
    assert succeeds(refused)
    assert (shared.state, refused.state, gone.state) == (CLOSED, CLOSED, CLOSED)


@pytest.mark.parametrize("look", [1, 2, 3])
def test_another_exporter_may_take_the_probe_at_any_moment(clock: ManualClock, look: int) -> None:
    """C4: also between the question whether there is a permit and the permit."""
    looks = 0
    taken: list[Permit] = []

    def time() -> float:
        nonlocal looks
        if is_due and not state_lock._is_owned(here.lock):  # it is the exporter's own circuit that looks
            looks += 1
            if looks == look:
                taken.append(here.admit(lambda: gone._guarded.guard))
        return clock()

    is_due = False
    shared = SharedCircuit(failure_threshold=1, cooldown=10, jitter=0, clock=time)
    here = shared._reachability
    inner = answers(NOT_FOUND)
    refused, gone = sharing(shared, inner, answers(UNREACHABLE))
    succeeds(refused)
    succeeds(gone)
    clock.advance(10)
    is_due = True

    assert not succeeds(refused)

    is_due = False
    assert len(inner.calls) == 1
    here.cancel(*taken)
    assert succeeds(refused)
    assert (shared.state, refused.state) == (CLOSED, CLOSED)


def test_a_permit_is_a_probe_where_it_is_one_to_either(shared: SharedCircuit, clock: ManualClock) -> None:
    (gone,) = sharing(shared, answers(UNREACHABLE, UNREACHABLE))
    circuit: Any = gone._guarded.guard._accounts._circuit
    assert not circuit.admit().probe
    succeeds(gone)
    succeeds(gone)
    clock.advance(10)

    permit = circuit.admit()

    assert (permit.probe, permit.own.probe, permit.shared.probe) == (True, False, True)
    circuit.cancel(permit)
    assert (gone.state, gone.health().retry_in) == (OPEN, 0.0)


def test_an_exporter_made_while_it_is_open_is_open(shared: SharedCircuit) -> None:
    (gone,) = sharing(shared, answers(UNREACHABLE, UNREACHABLE))
    succeeds(gone)
    succeeds(gone)

    (new,) = sharing(shared, ScriptedExporter())

    assert new.state is OPEN
    assert not succeeds(new)


def test_each_transition_is_told_once(shared: SharedCircuit, clock: ManualClock) -> None:
    """The own circuit's to its exporter's listeners, the shared one's to all, whoever has caused it."""
    heard: dict[str, list[CircuitTransition]] = {"of a": [], "of b": [], "of both": []}
    both = heard["of both"].append
    a = CircuitBreakerSpanExporter(
        answers(NOT_FOUND), name="a", circuit=shared, listeners=[heard["of a"].append, both]
    )
    b = CircuitBreakerSpanExporter(
        answers(UNREACHABLE, UNREACHABLE), name="b", circuit=shared, listeners=[heard["of b"].append, both]
    )

    succeeds(a)
    succeeds(b)
    succeeds(b)
    clock.advance(10)
    succeeds(b)

    told = {who: [(each.name, each.new) for each in what] for who, what in heard.items()}
    of_shared = [("collector", state) for state in (OPEN, HALF_OPEN, CLOSED)]
    assert told == {
        "of a": [("a", OPEN), *of_shared],
        "of b": of_shared,
        "of both": [("a", OPEN), *of_shared],
    }


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"failure_threshold": 3}, "failure_threshold"),
        ({"cooldown": 1.0, "jitter": 0.0}, "cooldown, jitter"),
        ({"max_cooldown": 1.0}, "max_cooldown"),
        ({"clock": lambda: 0.0}, "clock"),
        ({"breaker": pybreaker.CircuitBreaker()}, "breaker"),
    ],
)
def test_it_stands_in_place_of_all_circuit_settings(settings: dict[str, Any], named: str) -> None:
    with pytest.raises(TypeError, match=f"^{named} cannot be given together with circuit"):
        CircuitBreakerSpanExporter(ScriptedExporter(), circuit=SharedCircuit(), **settings)


def test_what_is_no_shared_circuit_is_refused() -> None:
    with pytest.raises(TypeError, match="circuit must be a SharedCircuit, not 'open'"):
        CircuitBreakerSpanExporter(ScriptedExporter(), circuit="open")  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("settings", "error", "text"),
    [
        ({"name": ""}, ValueError, "name must not be empty"),
        ({"name": 5}, TypeError, "name must be a string"),
        ({"failure_threshold": 0}, ValueError, "failure_threshold"),
        ({"cooldown": True}, TypeError, "cooldown"),
        ({"cooldown": 20.0, "max_cooldown": 10.0}, ValueError, "max_cooldown must not be below cooldown"),
        ({"jitter": 1.0}, ValueError, "jitter"),
        ({"clock": 5}, TypeError, "clock must be callable"),
    ],
)
def test_its_arguments_are_checked(settings: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        SharedCircuit(**settings)


def test_none_is_the_default() -> None:
    """C11: also where the cooldown is longer than the longest by default."""
    shared = SharedCircuit(name=None, cooldown=100)
    (exporter,) = sharing(shared, ScriptedExporter())

    assert (shared.name, shared.state) == ("collector", CLOSED)
    assert (exporter.health().cooldown, exporter.health().name) == (100, "a")


def test_a_status_of_an_unsent_batch_is_an_answer_too(shared: SharedCircuit) -> None:
    """K3, K4: what does not count on the own circuit is told as unsent, with the cause it had."""
    report = ExportReport(Verdict.UNSENT, reason="HTTP 500", cause=Cause.ANSWERED)
    gone, answered = sharing(shared, answers(UNREACHABLE, UNREACHABLE), answers(report))

    succeeds(gone)
    succeeds(answered)
    succeeds(gone)

    assert shared.state is CLOSED


def test_spans_are_counted_as_ever(shared: SharedCircuit) -> None:
    """P3."""
    gone, other = sharing(shared, answers(UNREACHABLE, UNREACHABLE), ScriptedExporter())
    for _ in range(3):
        gone.export(spans(2))
    other.export(spans(5))

    one, two = gone.health(), other.health()
    assert (one.received, one.failed, one.refused) == (6, 4, 2)
    assert (two.received, two.refused, two.last_error) == (5, 5, None)
