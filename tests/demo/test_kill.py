"""``--kill``: two workers one after the other are one service, and what the first held is lost with it."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from breaker_exporter._demo.figures import HELD, item_figures
from breaker_exporter._demo.intake import note_kill, take
from breaker_exporter._demo.plan import BARE, OURS
from breaker_exporter._demo.plot import draw
from breaker_exporter._demo.recording import Delivered, Recording
from breaker_exporter._demo.report import conclude, introduce
from breaker_exporter._demo.screen import events
from breaker_exporter._demo.verdict import promises

from ._marks import draws
from ._recordings import PLAN, beat, good_run, health

KILLING = replace(PLAN, kill=True)
HOLDS = 150


def killed_run() -> Recording:
    """Return a run in which all went well but for the spans that the killed workers held."""
    recording = good_run(KILLING)
    recording.killed = KILLING.kill_at
    for name, held in ((OURS, HOLDS), (BARE, 400)):
        contender = recording.contenders[name]
        contender.held = held
        contender.delivered[-1] = Delivered(KILLING.total, 1000 - held, 0)
        contender.log_records.held = 25
        contender.log_records.delivered[-1] = Delivered(KILLING.total, 180, 0)
        contender.counted, contender.counts_received = {7: 60, 8: 40}, {7: (45, 45), 8: (40, 40)}
    last = health(exported=1000 - HOLDS)
    recording.ours.beats[-1] = beat(KILLING.total, started=1000, health=last)
    recording.ours.changes = []
    return recording


def line(pid: int, started: int, told: dict[str, Any] | None, **settings: object) -> dict[str, Any]:
    """Return a line of a worker's meter."""
    return {
        "kind": "beat",
        "at": 101.0,
        "gap_began": 100.0,
        "gap": 0.0,
        "pid": pid,
        "started": started,
        "dropped": 3,
        "failed": 2,
        "health": told,
        "logs": {"started": started // 5, "dropped": None, "failed": None, "health": None},
        "counted": started // 10,
        **settings,
    }


def test_the_workers_are_killed_in_the_middle_of_the_fault() -> None:
    assert (PLAN.kill_at, KILLING.kill_at) == (None, 9.0)


def test_the_counts_of_a_second_worker_go_on_from_those_of_the_first() -> None:
    recording = Recording(KILLING, start=100.0)
    first = {**health(exported=50, failed=5, retained=20, in_flight=7), "received": 90, "spooled": 8}
    take(recording, OURS, line(1, 100, first))
    note_kill(recording, OURS)

    take(recording, OURS, line(2, 10, {**health(exported=17), "received": 9, "recovered": 8}))

    now = recording.ours.beats[-1]
    assert (now.started, now.dropped, now.failed) == (110, 6, 4)
    assert now.health is not None
    assert {name: now.health[name] for name in ("received", "exported", "retained", "recovered")} == {
        "received": 90 - 27 + 9,
        "exported": 67,
        "retained": 0,
        "recovered": 8,
    }
    assert recording.ours.held == 100 - 3 - (90 - 27)
    assert recording.ours.counted == {1: 10, 2: 1}
    logs = recording.ours.log_records
    assert ([beat.started for beat in logs.beats], logs.held) == ([20, 22], 20)


def test_a_bare_worker_holds_what_neither_arrived_nor_is_known_to_be_lost() -> None:
    recording = Recording(KILLING, start=100.0)
    take(recording, BARE, line(1, 100, None))
    recording.contenders[BARE].delivered = [Delivered(0.0, 40, 0)]

    note_kill(recording, BARE)

    assert recording.contenders[BARE].held == 100 - 40 - 3 - 2


@pytest.mark.parametrize("name", [BARE, OURS])
def test_a_worker_of_which_nothing_was_heard_holds_nothing(name: str) -> None:
    recording = Recording(KILLING)

    note_kill(recording, name)

    assert recording.contenders[name].held == 0


def test_a_sdk_that_does_not_count_its_queue_goes_on_not_counting() -> None:
    recording = Recording(KILLING, start=100.0)
    for pid in (1, 2):
        take(recording, BARE, line(pid, 10, None, dropped=None, failed=None))

    now = recording.contenders[BARE].beats[-1]

    assert (now.started, now.dropped, now.failed) == (20, None, None)


def test_what_a_worker_held_counts_as_lost() -> None:
    spans = item_figures(killed_run().ours)

    assert spans.losses[HELD] == HOLDS
    assert (spans.missing, spans.lost, spans.have_arrived) == (HOLDS, HOLDS, True)


def test_a_good_run_breaks_no_promise() -> None:
    verdict = promises(killed_run())

    assert [promise.text for promise in verdict if not promise.kept] == []
    measured = {promise.text: promise.measured for promise in verdict}
    assert measured["No span was lost but those of the last moments before the kill"] == (
        "850 of 1,000 delivered; 150 in the memory of the killed worker: 750 ms; bound 3.00 s"
    )
    assert "+ 150 in the memory of the killed worker" in measured["Every span has one named outcome"]


def one_lost(recording: Recording) -> None:
    recording.ours.delivered[-1] = Delivered(KILLING.total, 1000 - HOLDS - 1, 0)


def too_many_held(recording: Recording) -> None:
    recording.ours.held = 601
    recording.ours.delivered[-1] = Delivered(KILLING.total, 399, 0)


def too_many_log_records_lost(recording: Recording) -> None:
    recording.ours.log_records.delivered[-1] = Delivered(KILLING.total, 79, 0)


def too_long_not_counted(recording: Recording) -> None:
    recording.ours.counted = {7: 206, 8: 40}


def more_counted_than_there_was(recording: Recording) -> None:
    recording.ours.counts_received = {7: (61, 61), 8: (40, 40)}


def one_unanswered(recording: Recording) -> None:
    del recording.ours.latencies[recording.requests(OURS, 7.0, 8.0)[0]]


def one_error(recording: Recording) -> None:
    recording.ours.errors.add(recording.requests(OURS, 11.0, 12.0)[0])


@pytest.mark.parametrize(
    ("spoil", "broken"),
    [
        (one_lost, "No span was lost but those of the last moments before the kill"),
        (too_many_held, "No span was lost but those of the last moments before the kill"),
        (too_many_log_records_lost, "No log record was lost but those of these moments"),
        (too_long_not_counted, "The counter's sum arrived but for the last interval before the kill"),
        (more_counted_than_there_was, "The counter's sum arrived but for the last interval before the kill"),
        (one_unanswered, "Every request was answered but those in the killed worker"),
        (one_error, "Every request was answered but those in the killed worker"),
    ],
)
def test_each_spoiled_figure_breaks_its_promise(spoil: Callable[[Recording], None], broken: str) -> None:
    recording = killed_run()
    spoil(recording)

    assert broken in [promise.text for promise in promises(recording) if not promise.kept]


def test_requests_in_the_killed_worker_break_none() -> None:
    recording = killed_run()
    assert recording.killed is not None
    recording.ours.errors.add(recording.requests(OURS, recording.killed - 0.5, recording.killed)[0])

    assert all(promise.kept for promise in promises(recording))


def test_the_kill_is_an_event() -> None:
    assert "  9.0 s  both workers killed (SIGKILL)" in list(events(killed_run()))


@draws
def test_the_kill_is_drawn(tmp_path: Path) -> None:
    killed, drawn = killed_run(), []
    for recording in (killed, replace(killed, killed=None)):
        draw(recording, tmp_path / "demo.png")
        drawn.append((tmp_path / "demo.png").read_bytes())

    assert drawn[0] != drawn[1]


def shown(show: Callable[[Console], None]) -> str:
    console = Console(file=io.StringIO(), width=80)
    show(console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_introduction_says_what_will_happen() -> None:
    said = " ".join(shown(lambda console: introduce(console, KILLING)).split())

    assert "both killed by SIGKILL 5 s into the outage, and replaced by Gunicorn" in said
    assert "what still cannot be delivered after a second is kept in a directory" in said
    assert "directory" not in shown(lambda console: introduce(console, PLAN))


def test_the_report_fits_and_says_what_was_held() -> None:
    recording = killed_run()

    said = shown(lambda console: conclude(console, recording, promises(recording)))

    assert all(len(text.rstrip()) <= 80 for text in said.splitlines())
    words = " ".join(said.split())
    assert "The breaker-exporter lost 150 of 1,000 spans (15.0%): 150 in the memory of the killed" in words
    assert "The bare exporter lost 400 of 1,000 spans (40.0%):" in words
