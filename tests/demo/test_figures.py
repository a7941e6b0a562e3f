"""Figures from recordings: pure arithmetic."""

from __future__ import annotations

import pytest

from breaker_exporter._demo.figures import item_figures, phase_figures
from breaker_exporter._demo.intake import take
from breaker_exporter._demo.plan import BARE, LABELS, OURS, WARM_UP
from breaker_exporter._demo.recording import Contender, Delivered, Recording
from breaker_exporter._demo.words import count, seconds
from breaker_exporter._harness.load import due_after
from breaker_exporter._harness.percentiles import percentile

from ._recordings import PLAN, QUICK, STALL, beat, good_run, health


def test_a_percentile_is_a_value_that_was_measured() -> None:
    hundred = [float(value) for value in range(1, 101)]

    assert percentile(hundred, 50) == 50.0
    assert percentile(hundred, 99) == 99.0
    assert percentile(hundred, 100) == 100.0
    assert percentile([7.0], 50) == percentile([7.0], 99) == 7.0
    assert percentile([1.0, 2.0], 50) == 1.0
    assert percentile([], 99) == 0.0


def test_every_request_is_due_in_exactly_one_phase() -> None:
    recording = good_run()
    for name in LABELS:
        numbers = [
            number for phase in PLAN.phases for number in recording.requests(name, phase.begin, phase.end)
        ]

        assert numbers == list(range(round(WARM_UP * PLAN.rate), round((WARM_UP + PLAN.total) * PLAN.rate)))
        assert all(
            phase.begin <= recording.due(name, number) < phase.end
            for phase in PLAN.phases
            for number in recording.requests(name, phase.begin, phase.end)
        )


def test_requests_go_to_both_services_in_turn_at_even_intervals() -> None:
    moments = sorted(due_after(index, place, 2, 20.0) for index in range(3) for place in range(2))

    assert moments == pytest.approx([0.0, 0.025, 0.05, 0.075, 0.1, 0.125])


def test_a_stall_counts_as_latency_and_as_hub_gap_of_its_phase() -> None:
    recording = good_run()
    before, during, after = (phase_figures(recording, BARE, phase) for phase in PLAN.phases)

    assert before.longest == after.longest == QUICK
    assert during.longest == pytest.approx(STALL + QUICK, abs=0.1)
    assert during.p50 == pytest.approx(STALL - PLAN.seconds[1] / 2, abs=0.1)
    assert during.gap == STALL
    assert before.gap == after.gap == 0.02
    assert (before.prompt, before.due) == (80, 80)
    assert during.due == during.answered == 200
    assert during.prompt == pytest.approx(40, abs=2)  # the second before its end, and the one after


def test_a_request_without_an_answer_counts_with_its_age() -> None:
    recording = good_run()
    _, during, _ = PLAN.phases
    recording.told_to_stop, recording.now = None, during.begin + 2.0
    latencies = recording.contenders[OURS].latencies
    for index in recording.requests(OURS, during.begin, during.end):
        del latencies[index]

    figures = phase_figures(recording, OURS, during)

    assert figures.due == figures.waiting == 40
    assert figures.answered == figures.prompt == 0
    assert figures.longest == pytest.approx(2.0, abs=0.1)


def test_a_request_that_failed_was_not_answered() -> None:
    recording = good_run()
    first = recording.requests(OURS, 0.0, 1.0)[0]
    recording.contenders[OURS].errors.add(first)

    figures = phase_figures(recording, OURS, PLAN.phases[0])

    assert figures.due - figures.answered == figures.due - figures.prompt == 1


def test_a_hub_gap_counts_while_it_lasts() -> None:
    recording = good_run()
    during = PLAN.phases[1]
    contender = recording.contenders[OURS]
    contender.stopped = False
    contender.beats = [beat(during.begin + 1)]
    recording.told_to_stop, recording.now = None, during.begin + 6

    assert phase_figures(recording, OURS, during).gap == pytest.approx(4.8)

    contender.stopped = True
    assert phase_figures(recording, OURS, during).gap == 0.02


@pytest.mark.parametrize(
    ("began", "gap", "index"), [(3.9, 5.0, 1), (3.0, 1.9, 0), (13.0, 1.9, 1), (13.0, 2.1, 2)]
)
def test_a_hub_gap_belongs_to_the_phase_that_has_most_of_it(began: float, gap: float, index: int) -> None:
    recording = good_run()
    recording.contenders[BARE].beats = [beat(began + gap, gap=gap)]

    gaps = [phase_figures(recording, BARE, phase).gap for phase in PLAN.phases]

    assert gaps.pop(index) == gap
    assert gaps == [0.0, 0.0]


def test_there_are_figures_before_the_first_line() -> None:
    figures = phase_figures(Recording(PLAN), OURS, PLAN.phases[0])

    assert (figures.due, figures.p99, figures.gap) == (0, 0.0, 0.0)
    assert item_figures(Contender()).started == 0


def test_dropped_spans_are_derived_once_the_guarded_service_has_stopped() -> None:
    told = beat(9.0, started=100, dropped=None, failed=None, health=health(exported=80, refused=15))
    contender = Contender(beats=[told], delivered=[Delivered(9.0, 80, 0)])

    assert item_figures(contender).dropped is None

    contender.stopped = True
    figures = item_figures(contender)
    assert figures.dropped == 5
    assert figures.losses == {"refused": 15, "failed": 0, "dropped": 0, "dropped by the SDK's queue": 5}


def test_dropped_spans_of_the_bare_exporter_are_known_from_the_sdk_alone() -> None:
    contender = Contender(beats=[beat(9.0, started=100, dropped=None, failed=None)], stopped=True)
    figures = item_figures(contender)
    assert (figures.started, figures.losses, figures.lost, figures.dropped) == (100, {}, None, None)


def test_delayed_is_what_was_late_at_one_moment_and_is_not_lost() -> None:
    contender = Contender(
        beats=[beat(1.0, started=100), beat(5.0, started=500), beat(30.0, started=500, failed=20)],
        delivered=[
            Delivered(9.0, 100, 0),
            Delivered(14.9, 150, 0),
            Delivered(15.0, 150, 0),
            Delivered(30.0, 480, 0),
        ],
    )

    figures = item_figures(contender)
    assert (figures.delayed, figures.lost, figures.missing, figures.have_arrived) == (330, 20, 20, True)

    contender.stopped = True
    assert item_figures(contender).delayed == 330
    contender.delivered.pop()
    assert not item_figures(contender).have_arrived


def test_the_last_phase_lasts_until_the_services_are_told_to_stop() -> None:
    recording = Recording(PLAN, now=PLAN.total + 9.0)
    recording.ours.beats = [beat(PLAN.total + 8.0, gap=0.4)]

    gaps = [phase_figures(recording, OURS, phase).gap for phase in PLAN.phases]

    assert gaps[:2] == [0.0, 0.0]
    assert gaps[2] >= 0.4


def test_lines_from_before_the_start_are_left_out() -> None:
    recording = Recording(PLAN)
    told = {
        "at": 99.0,
        "pid": 7,
        "gap_began": 98.0,
        "gap": 1.0,
        "started": 5,
        "dropped": 0,
        "failed": 0,
        "health": None,
        "logs": {"started": 2, "dropped": 0, "failed": 0, "health": None},
        "counted": 1,
    }

    take(recording, BARE, {"kind": "beat", **told})
    take(recording, "", {"kind": "load", "start": 100.0})
    take(recording, BARE, {"kind": "beat", **told, "at": 103.0, "gap_began": 102.5, "gap": 0.5})

    (kept,) = recording.contenders[BARE].beats
    assert (kept.at, kept.gap_began) == (3.0 - WARM_UP, 2.5 - WARM_UP)


def test_each_line_becomes_an_entry_of_the_recording() -> None:
    recording = Recording(PLAN, start=100.0)

    take(recording, "", {"kind": "requests", "late": 0.1, "done": [[BARE, 3, 0.5, 200], [OURS, 4, 0.2, 0]]})
    take(
        recording,
        OURS,
        {"kind": "change", "at": 101.5, "old": "closed", "new": "open", "reason": "returned FAILURE"},
    )
    take(
        recording,
        OURS,
        {
            "kind": "beat", "at": 102.0, "gap_began": 101.0, "gap": 0.1, "started": 5,
            "dropped": 0, "failed": 0, "health": None, "last": True, "pid": 7, "counted": 9,
            "logs": {"started": 3, "dropped": 1, "failed": 0, "health": None},
        },
    )  # fmt: skip

    assert recording.load_late == 0.1
    assert recording.contenders[BARE].latencies == {3: 0.5}
    assert recording.ours.errors == {4}
    assert [change.at for change in recording.ours.changes] == [1.5]
    assert recording.ours.stopped
    assert recording.ours.log_records.stopped
    assert [(beat.started, beat.dropped) for beat in recording.ours.log_records.beats] == [(3, 1)]
    assert recording.ours.counted == {7: 9}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.0, "0.0 ms"),
        (0.0042, "4.2 ms"),
        (0.00996, "10 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1.00 s"),
        (9.94, "9.94 s"),
        (9.96, "10.0 s"),
        (99.4, "99.4 s"),
        (120.0, "120 s"),
    ],
)
def test_seconds_have_three_digits_and_a_unit(value: float, words: str) -> None:
    assert seconds(value) == words


def test_counts_have_separators_and_unknown_ones_are_a_dash() -> None:
    assert count(18510) == "18,510"
    assert count(None) == "-"
