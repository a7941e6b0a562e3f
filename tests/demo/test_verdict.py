"""The verdict: which recording breaks which promise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from breaker_exporter._demo.plan import OURS
from breaker_exporter._demo.recording import Change, Delivered, Recording
from breaker_exporter._demo.verdict import promises
from breaker_exporter.testing import Fault

from ._recordings import PLAN, beat, good_run, with_health

ANSWERED = "Every request was answered"
FAST = "Requests stayed fast"
STILL = "The hub never stood still"
OPENED = "The circuit opened"
CLOSED = "The circuit closed again"
STAYED = "The circuit stayed closed"
AGAIN = "Spans arrive again"
NOTHING_LOST = "No span was lost"
NAMED = "Every span has one named outcome"
DELIVERED = "What counts as exported was delivered"
ONCE = "No span was delivered twice"
LOGS = "No log record was lost"
COUNTED = "The counter's sum arrived"
STOPPED = "The worker stopped when told to"


def broken(recording: Recording) -> list[str]:
    return [promise.text for promise in promises(recording) if not promise.kept]


def test_a_good_run_breaks_no_promise() -> None:
    verdict = promises(good_run())

    assert [promise.text for promise in verdict] == [
        *(ANSWERED, FAST, STILL, OPENED, CLOSED, AGAIN, NOTHING_LOST, NAMED, DELIVERED, ONCE),
        *(LOGS, COUNTED, STOPPED),
    ]
    assert all(promise.kept for promise in verdict)
    assert verdict[0].measured == "480 of 480"
    assert verdict[2].measured == "largest gap 20 ms since the fault, 20 ms before; bound 1.00 s"


def one_without_answer(recording: Recording) -> None:
    del recording.ours.latencies[recording.requests(OURS, 5.0, 6.0)[0]]


def one_with_an_error(recording: Recording) -> None:
    recording.ours.errors.add(recording.requests(OURS, 5.0, 6.0)[0])


def slow_requests_in_the_fault(recording: Recording) -> None:
    for index in recording.requests(OURS, 5.0, 6.0):
        recording.ours.latencies[index] = 1.1


def slow_requests_after_it(recording: Recording) -> None:
    for index in recording.requests(OURS, 15.0, 16.0):
        recording.ours.latencies[index] = 1.1


def a_long_gap(recording: Recording) -> None:
    recording.ours.beats.insert(1, beat(8.0, gap=1.1, health=recording.ours.beats[0].health))


def no_change_of_state(recording: Recording) -> None:
    recording.ours.changes.clear()


def opened_long_after_the_fault(recording: Recording) -> None:
    recording.ours.changes = [replace(change, at=change.at + 10) for change in recording.ours.changes]


def open_at_the_end(recording: Recording) -> None:
    recording.ours.changes.append(Change(23.0, "closed", "open", "returned FAILURE"))


def closed_while_the_fault_lasted(recording: Recording) -> None:
    recording.ours.changes = [
        *recording.ours.changes[:1],
        Change(12.0, "half-open", "closed", "probe succeeded"),
    ]


def nothing_delivered_any_more(recording: Recording) -> None:
    recording.ours.delivered = [Delivered(13.0, 1000, 0), Delivered(24.0, 1000, 0)]


def sums_that_do_not_agree(recording: Recording) -> None:
    with_health(recording.ours, received=991)


def one_span_that_nobody_saw(recording: Recording) -> None:
    recording.ours.beats[-1] = replace(recording.ours.beats[-1], started=1001)


def spans_in_flight_at_the_end(recording: Recording) -> None:
    with_health(recording.ours, in_flight=1, exported=999)


def spans_kept_at_the_end(recording: Recording) -> None:
    with_health(recording.ours, retained=1, exported=999)


def one_span_that_never_came(recording: Recording) -> None:
    recording.ours.delivered[-1] = Delivered(24.0, 999, 0)


def no_last_word(recording: Recording) -> None:
    recording.ours.stopped = False


def exported_without_being_delivered(recording: Recording) -> None:
    recording.ours.delivered[-1] = Delivered(24.0, 999, 0)


def delivered_twice(recording: Recording) -> None:
    recording.ours.delivered[-1] = Delivered(24.0, 1000, 1)


def one_log_record_that_never_came(recording: Recording) -> None:
    recording.ours.log_records.delivered[-1] = Delivered(24.0, 199, 0)


def no_log_record(recording: Recording) -> None:
    recording.ours.log_records.beats.clear()
    recording.ours.log_records.delivered.clear()


def a_sum_that_is_one_short(recording: Recording) -> None:
    recording.ours.counts_received = {7: (99, 100)}


def a_histogram_that_is_one_over(recording: Recording) -> None:
    recording.ours.counts_received = {7: (100, 101)}


def nothing_counted(recording: Recording) -> None:
    recording.ours.counted = {}
    recording.ours.counts_received = {}


def slow_to_stop(recording: Recording) -> None:
    recording.ours.stopped_after = 7.1


def killed(recording: Recording) -> None:
    recording.ours.stopped_after = None


@pytest.mark.parametrize(
    ("spoil", "promise"),
    [
        (one_without_answer, ANSWERED),
        (one_with_an_error, ANSWERED),
        (slow_requests_in_the_fault, FAST),
        (slow_requests_after_it, FAST),
        (a_long_gap, STILL),
        (opened_long_after_the_fault, OPENED),
        (open_at_the_end, CLOSED),
        (closed_while_the_fault_lasted, CLOSED),
        (nothing_delivered_any_more, AGAIN),
        (sums_that_do_not_agree, NAMED),
        (one_span_that_nobody_saw, NAMED),
        (spans_in_flight_at_the_end, NAMED),
        (spans_kept_at_the_end, NAMED),
        (one_span_that_never_came, NOTHING_LOST),
        (no_last_word, NAMED),
        (exported_without_being_delivered, DELIVERED),
        (delivered_twice, ONCE),
        (one_log_record_that_never_came, LOGS),
        (no_log_record, LOGS),
        (a_sum_that_is_one_short, COUNTED),
        (a_histogram_that_is_one_over, COUNTED),
        (nothing_counted, COUNTED),
        (slow_to_stop, STOPPED),
        (killed, STOPPED),
    ],
)
def test_each_spoiled_figure_breaks_its_promise(spoil: Callable[[Recording], None], promise: str) -> None:
    recording = good_run()
    spoil(recording)

    assert promise in broken(recording)


def test_a_circuit_that_never_opened_breaks_two_promises_and_no_other() -> None:
    recording = good_run()
    no_change_of_state(recording)

    assert broken(recording) == [OPENED, CLOSED]


def test_the_bound_grows_with_the_latency_of_the_healthy_phase() -> None:
    recording = good_run()
    a_long_gap(recording)
    assert broken(recording) == [STILL]

    recording.ours.beats.insert(0, beat(2.0, gap=0.4, health=recording.ours.beats[0].health))

    assert broken(recording) == []


def test_the_bound_grows_with_the_lateness_of_the_load() -> None:
    recording = good_run()
    a_long_gap(recording)
    slow_requests_after_it(recording)
    assert broken(recording) == [FAST, STILL]

    recording.load_late = 0.4

    assert broken(recording) == []


def test_without_measurements_no_promise_is_kept() -> None:
    kept = {promise.text for promise in promises(Recording(PLAN)) if promise.kept}

    assert kept <= {FAST, STILL, DELIVERED, ONCE}


@pytest.mark.parametrize("fault", [Fault.NONE, Fault.PARTIAL_SUCCESS])
def test_the_circuit_must_stay_closed_when_nothing_fails(fault: Fault) -> None:
    recording = good_run(replace(PLAN, fault=fault))
    assert broken(recording) == [STAYED]

    no_change_of_state(recording)

    assert broken(recording) == []


def test_spans_rejected_by_a_partial_success_break_no_promise() -> None:
    recording = good_run(replace(PLAN, fault=Fault.PARTIAL_SUCCESS))

    assert not {DELIVERED, NOTHING_LOST, LOGS} & {promise.text for promise in promises(recording)}


@pytest.mark.parametrize(
    "fault", [Fault.DRIP, Fault.SLOW, Fault.TRUNCATED, Fault.TAKEN_THEN_RESET, Fault.TAKEN_THEN_CLOSED]
)
def test_duplicates_are_allowed_when_the_collector_does_not_confirm(fault: Fault) -> None:
    recording = good_run(replace(PLAN, fault=fault))
    delivered_twice(recording)

    assert broken(recording) == []
