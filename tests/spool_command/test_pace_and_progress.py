"""The pace, the patience and the progress of sending, without a backend."""

from __future__ import annotations

import io
import time

import pytest

from breaker_exporter import ExportReport, Verdict
from breaker_exporter._spool_command import patience, progress
from breaker_exporter._spool_command.leasing import GivenUp
from breaker_exporter._spool_command.pace import Pace
from breaker_exporter._spool_command.patience import Patience
from breaker_exporter._spool_command.progress import Progress

DELIVERED = ExportReport(Verdict.DELIVERED)
FAILED = ExportReport(Verdict.FAILED, reason="HTTP 503")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_pace_is_kept_over_all_batches() -> None:
    pace, now = Pace(100.0), time.monotonic()

    assert pace.after(50, now) == pytest.approx(0.5, abs=0.1)
    assert pace.after(50, now) == pytest.approx(1.0, abs=0.1)


def test_a_slow_answer_is_a_part_of_the_pace() -> None:
    assert Pace(100.0).after(50, time.monotonic() - 0.3) == pytest.approx(0.2, abs=0.1)


def test_others_get_the_lease_however_slow_the_backend_is() -> None:
    assert Pace(1e6).after(50, time.monotonic() - 2.0) == pytest.approx(0.5, abs=0.1)


def test_pauses_grow_with_failures_in_a_row_and_begin_anew_with_success(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(patience, "_PAUSE", 1.0)
    patient = Patience()

    assert patient.pause_after(FAILED, is_left=True, accepted=0) == 1.0
    assert patient.pause_after(FAILED, is_left=True, accepted=0) == 2.0
    assert patient.pause_after(DELIVERED, is_left=False, accepted=5) == 0.0
    assert patient.pause_after(FAILED, is_left=True, accepted=0) == 1.0
    assert patient.pause_after(FAILED, is_left=True, accepted=3) == 1.0  # a part was accepted
    assert patient.pause_after(FAILED, is_left=True, accepted=0) == 2.0
    with pytest.raises(GivenUp, match=r"^the backend has failed 3 times in a row \(HTTP 503\)$"):
        patient.pause_after(FAILED, is_left=True, accepted=0)


def test_the_backend_may_ask_for_a_pause() -> None:
    asking = ExportReport(Verdict.FAILED, reason="HTTP 429", retry_after=7.0)

    assert Patience().pause_after(asking, is_left=True, accepted=0) == 7.0


def test_a_bar_is_drawn_anew_and_is_gone_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_EVERY", 0.0)
    terminal = Terminal()

    with Progress(terminal, "spans", 1_000) as shown:
        shown.add(0)
        shown.add(500)
        shown.add(1_500)

    _, none, half, more, gone, end = terminal.getvalue().split("\r")
    assert none.startswith("[........................]   0%  0 of 1,000 spans, 0/s")
    assert half.startswith("[############............]  50%  500 of 1,000 spans, ")
    assert more.startswith("[########################] 100%  2,000 of 2,000 spans, ")
    assert more.rstrip().endswith("/s, 0 s left")
    assert gone.strip() == end == ""


def test_elsewhere_there_is_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = io.StringIO()
    with Progress(plain, "spans", 0) as shown:
        shown.add(0)
        monkeypatch.setattr(progress, "_LINE_EVERY", 0.0)
        shown.add(0)

    assert plain.getvalue() == "100%  0 of 0 spans, 0/s\n"
