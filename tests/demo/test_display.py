"""The display of a run, while it lasts and afterwards, and its picture."""

from __future__ import annotations

import io
import struct
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from breaker_exporter._demo.plan import BARE, OURS, Plan, Protocol
from breaker_exporter._demo.plot import draw
from breaker_exporter._demo.recording import Change, Delivered, Recording
from breaker_exporter._demo.report import conclude, introduce
from breaker_exporter._demo.screen import Screen, events
from breaker_exporter._demo.verdict import promises

from ._marks import draws
from ._recordings import PLAN, good_run


class Shown:
    """A console, and what it shows."""

    def __init__(self, *, terminal: bool = False, width: int = 110, height: int = 50) -> None:
        self._file = io.StringIO()
        self.console = Console(
            file=self._file,
            width=width,
            height=height,
            force_terminal=terminal,
            force_interactive=terminal,
            color_system=None,
        )

    @property
    def text(self) -> str:
        return self._file.getvalue()

    @property
    def lines(self) -> list[str]:
        """With one blank between any two words."""
        return [" ".join(line.split()) for line in self.text.splitlines()]


def at(moment: float) -> Recording:
    """A good run as it stood then."""
    recording = good_run()
    recording.now, recording.told_to_stop = moment, None
    for name, contender in recording.contenders.items():
        answered = {
            index: latency
            for index, latency in contender.latencies.items()
            if recording.due(name, index) + latency <= moment
        }
        contender.latencies = answered
        contender.changes = [change for change in contender.changes if change.at <= moment]
        for items in (contender, contender.log_records):
            items.stopped = False
            items.beats = [beat for beat in items.beats if beat.at <= moment]
            items.delivered = [told for told in items.delivered if told.at <= moment]
    return recording


def test_without_a_terminal_events_and_figures_are_plain_lines() -> None:
    shown = Shown()
    with Screen(shown.console) as screen:
        for moment in (0.1, 0.2, 2.1, 9.5, 14.1):
            screen.watch(at(moment))

    assert "\x1b" not in shown.text
    assert shown.lines[0] == "0.0 s collectors: healthy"
    assert shown.lines.count("4.0 s collectors: blackhole") == 1
    assert shown.lines.count("9.0 s circuit: closed to open (returned FAILURE)") == 1
    (late,) = [line for line in shown.lines if line.startswith("14.1 s breaker-exporter")]
    assert late == (
        "14.1 s breaker-exporter p50 4.0 ms, p99 4.0 ms, max 4.0 ms, hub gap 0.0 ms, circuit open, "
        "probe in 2 s; spans: 600 started, 400 delivered, 0 delayed, 0 lost; log records: 20 started, "
        "20 delivered, 0 delayed, 0 lost"
    )
    (bare,) = [line for line in shown.lines if line.startswith("9.5 s bare exporter")]
    assert "hub gap 5.30 s" in bare
    assert "circuit" not in bare
    assert not [line for line in shown.lines if line.startswith("0.2 s")]


def test_plain_lines_end_with_the_run() -> None:
    shown = Shown()
    with Screen(shown.console) as screen:
        screen.watch(good_run())

    assert shown.lines[-1] == "24.0 s both services told to stop (SIGTERM)"


def test_a_terminal_shows_a_live_table() -> None:
    shown = Shown(terminal=True)
    with Screen(shown.console) as screen:
        screen.watch(Recording(PLAN))
        screen.watch(at(9.5))

    assert any(line.endswith("10 of 24 s") for line in shown.lines)
    for row in (
        "requests of this phase: p50 2.75 s 4.0 ms",
        "max 5.50 s 4.0 ms",
        "waiting for an answer 110 0",
        "largest hub gap of this phase 5.30 s 20 ms",
        "spans / log records started 200 / 20 200 / 20",
        "delivered 100 / 20 100 / 20",
        "delayed, over 10 s late 0 / 0 0 / 0",
        "lost 0 / 0 0 / 0",
        "9.0 s circuit: closed to open (returned FAILURE)",
    ):
        assert row in shown.lines


def test_events_are_shown_in_order() -> None:
    told = [" ".join(event.split()[:4]) for event in events(good_run())]

    assert told == [
        *("0.0 s collectors: healthy", "4.0 s collectors: blackhole", "9.0 s circuit: closed"),
        *("14.0 s collectors: healthy", "15.0 s circuit: open", "15.0 s circuit: half-open"),
        "24.0 s both services",
    ]
    assert list(events(Recording(PLAN))) == []


@pytest.mark.parametrize(
    ("protocol", "name"),
    [("grpc", "gRPC"), ("http", "HTTP")],
)
def test_the_introduction_names_the_exporters_that_run(protocol: Protocol, name: str) -> None:
    shown = Shown()
    introduce(shown.console, Plan(protocol))

    said = " ".join(shown.text.split())
    assert f"50 requests/s each, 10 spans, 2 log records and a count a request, OTLP over {name}." in said
    assert f"The official exporters of spans, log records and metrics for {name}, as in" in said
    assert f"Ours of breaker_exporter.otlp for {name}, each behind a circuit" in said
    assert "default settings: up to 16 MiB of what cannot be delivered is kept" in said
    assert "healthy 6 s, blackhole 20 s, healthy again 45 s; then until all has arrived" in said


def test_the_introduction_names_settings_other_than_the_defaults() -> None:
    shown = Shown()
    introduce(shown.console, Plan(environment={BARE: {}, OURS: {"BREAKER_EXPORTER_COOLDOWN": "3"}}))

    assert "BREAKER_EXPORTER_COOLDOWN=3" in shown.text
    assert "16 MiB" not in shown.text


def test_the_report_shows_both_services_and_each_promise() -> None:
    recording = good_run()
    shown = Shown()
    conclude(shown.console, recording, promises(recording))

    for row in (
        "blackhole, 10 s",
        "largest hub gap 9.00 s 20 ms",
        "answered within 1 s 200 of 200 200 of 200",
        "spans started 1,000 1,000",
        "delivered 900 1,000",
        "delayed, over 10 s late 0 0",
        "lost 100 0",
        "log records started 200 200",
        "delivered 150 200",
        "lost 50 0",
        "counter's sum received 90 of 100 100 of 100",
        "SIGTERM to the end 800 ms 800 ms",
        "The bare exporter blocked its worker for 9.00 s.",
        "The bare exporter lost 100 of 1,000 spans (10.0%): 70 failed, 30 dropped by the SDK's queue.",
        "The breaker-exporter delivered every span.",
        "The bare exporter lost 50 of 200 log records (25.0%): 30 failed, 20 dropped by the SDK's queue.",
        "The breaker-exporter delivered every log record.",
        "ok Every request was answered 480 of 480",
        "ok The circuit opened 5.00 s into the fault",
    ):
        assert row in shown.lines
    assert "broken" not in shown.text
    assert "too busy" not in shown.text


def test_the_report_says_what_went_wrong() -> None:
    recording = good_run()
    recording.ours.changes.clear()
    recording.contenders[BARE].stopped_after = None
    recording.contenders[OURS].delivered.pop()
    recording.contenders[OURS].delivered.append(Delivered(24.0, 400, 0))
    recording.load_late = 0.3
    shown = Shown()
    conclude(shown.console, recording, promises(recording))

    assert "broken The circuit opened never" in shown.lines
    assert "SIGTERM to the end killed 800 ms" in shown.lines
    assert "The load itself was late by up to 300 ms" in shown.text
    assert "The breaker-exporter lost 600 of 1,000 spans (60.0%)." in shown.lines


def test_the_report_claims_nothing_that_was_not_measured() -> None:
    recording = good_run()
    bare = recording.contenders[BARE]
    bare.beats = [replace(beat, gap=0.02, failed=0, dropped=0) for beat in bare.beats]
    bare.delivered = [Delivered(13.9, 0, 0), Delivered(15.0, 0, 0), Delivered(24.0, 1000, 0)]
    shown = Shown()
    conclude(shown.console, recording, promises(recording))

    assert "blocked" not in shown.text
    assert "The bare exporter delivered every span, at least 200 of them more than 10 s late." in shown.lines


@pytest.mark.parametrize("moment", [9.5, 24.0, 40.0])
def test_a_small_terminal_shows_all_of_it(moment: float) -> None:
    shown = Shown(terminal=True, width=80, height=24)
    recording = at(moment)
    recording.ours.changes += [Change(moment - 0.1, "open", "half-open", "a reason " * 20)] * 4
    with Screen(shown.console) as screen:
        screen.watch(recording)
        frame = shown.text.split("\n")

    assert any("lost" in line for line in frame)
    assert "a reason" in frame[-1]
    assert len(frame) <= 24


def test_the_report_says_when_a_figure_is_derived() -> None:
    recording = good_run()
    for contender in recording.contenders.values():
        contender.beats = [replace(beat, dropped=None) for beat in contender.beats]
    shown = Shown()
    conclude(shown.console, recording, promises(recording))

    assert "does not count what its queue drops" in shown.text


@draws
@pytest.mark.parametrize("told", ["all of it", "next to nothing"])
def test_a_recording_is_drawn_as_a_picture(tmp_path: Path, told: str) -> None:
    path = tmp_path / "picture"
    recording = good_run() if told == "all of it" else Recording(PLAN, told_to_stop=0.0)
    if told == "all of it":
        del recording.ours.latencies[recording.requests(OURS, 5.0, 6.0)[0]]
        recording.told_to_stop = PLAN.total + 5.0  # what was kept took as long to arrive

    draw(recording, path)

    picture = path.read_bytes()
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", picture[16:24]) == (1210, 990)
