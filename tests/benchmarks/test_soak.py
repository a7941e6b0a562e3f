"""The verdict of `make soak`: over all workers, killed ones among them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from benchmarks.faults import soak
from benchmarks.faults.disk.contents import Contents
from benchmarks.faults.disk.journal import Ended
from benchmarks.faults.other_signals import Received
from benchmarks.faults.soak_observations import Soak
from benchmarks.faults.soak_run import Blow
from breaker_exporter._harness.received import written_by
from breaker_exporter.testing import Fault

COUNTS = ("received", "exported", "failed", "refused", "dropped", "spooled", "recovered", "resent")


def line(pid: int, kind: str, *, started: int = 0, **counts: int) -> dict[str, Any]:
    """A worker's report."""
    health = {**dict.fromkeys(COUNTS, 0), "state": "closed", **counts}
    logs = {**health, "received": 8, "exported": 8}
    report = {"kind": kind, "pid": pid, "at": 100.0, "started": started, "health": health, "logs": logs}
    report |= {"log_records": 8, "counted": 4}
    return {**report, "resident": 1, "threads": 1, "descriptors": 1}


def held() -> Soak:
    """Worker 1 was killed and had kept a span on disk, which worker 2 has delivered beside its own."""
    seen = Soak(requests=1_000, answered=999)
    seen.record(line(1, "facts", started=3, received=2, exported=1, spooled=1))
    seen.record(line(2, "facts"))
    seen.killed = {1: 100.0}
    seen.record(line(2, "last", started=1, received=1, recovered=1, exported=2))
    seen.ended = {"a": Ended(1, 90.0), "b": Ended(1, 91.0), "c": Ended(1, 99.9), "d": Ended(2, 110.0)}
    seen.taken = frozenset({"a", "b", "d"})
    seen.others = Received(frozenset(written_by(2, 8)), 9, 0, {1: (2, 2), 2: (4, 4)})
    return seen


def test_a_run_that_kept_all_promises_has_none_broken() -> None:
    seen = held()

    assert (seen.broken(), seen.missing, seen.lost) == ([], {"c"}, set())


def lost(seen: Soak) -> None:
    seen.taken = frozenset({"a", "d"})


def on_disk(seen: Soak) -> None:
    seen.left = Contents(1, ("c",), 2)


def twice(seen: Soak) -> None:
    seen.duplicates = 1_025


def unanswered(seen: Soak) -> None:
    seen.answered = 948


def silent(seen: Soak) -> None:
    seen.record(line(3, "facts"))


def miscounted(seen: Soak) -> None:
    seen.record(line(2, "last", started=1, received=1, exported=2))


def log_record_lost(seen: Soak) -> None:
    seen.others = replace(seen.others, bodies=frozenset(written_by(2, 7)))


def sum_wrong(seen: Soak) -> None:
    seen.others = replace(seen.others, counted={2: (4, 3)})


def raised(seen: Soak) -> None:
    seen.output = 'File "/lib/breaker_exporter/_core.py"'


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (
            lost,
            ["3 spans count as exported, and the collector took 2", "1 spans were lost, and 0 count as lost"],
        ),
        (on_disk, ["1 spans still lie on disk", "2 files are damaged"]),
        (twice, ["1025 spans were delivered twice"]),
        (unanswered, ["52 of 1000 requests were not answered"]),
        (silent, ["worker 3 wrote no last report"]),
        (
            miscounted,
            ["worker 2: received + recovered is not exported + failed + refused + dropped + spooled"],
        ),
        (log_record_lost, ["1 log records were lost, and 0 count as lost"]),
        (sum_wrong, ["the sums of 1 workers are wrong"]),
        (raised, ["an error of this package is in the output"]),
    ],
)
def test_each_broken_promise_is_named(break_it: Callable[[Soak], None], words: list[str]) -> None:
    seen = held()
    break_it(seen)

    assert seen.broken() == words


def test_what_counts_as_lost_is_lost() -> None:
    seen = held()
    lost(seen)
    seen.record(line(2, "last", started=1, received=1, recovered=1, exported=1, failed=1))

    assert seen.broken() == []
    assert seen.counted_lost == {"failed": 1, "refused": 0, "dropped": 0, "dropped by the SDK's queue": 0}


def test_workers_that_have_ended_or_were_killed_are_not_struck_again() -> None:
    seen = held()
    seen.record(line(3, "facts"))
    assert seen.alive == [3]

    seen.note_killed([3])

    assert seen.alive == []


def test_a_line_without_an_exporter_says_nothing() -> None:
    seen = Soak()

    seen.record({**line(1, "facts"), "health": None})

    assert seen.workers == {}


def test_only_faults_are_drawn_after_which_all_can_be_delivered() -> None:
    assert Fault.PARTIAL_SUCCESS not in {step.fault for step in soak.STEPS}
    assert not {400, 413} & {step.settings.get("status") for step in soak.STEPS}


def test_what_still_lies_on_disk_is_not_lost() -> None:
    seen = held()
    seen.taken = frozenset({"a", "d"})
    seen.left = Contents(1, ("b",), 0)

    assert (seen.missing, seen.lost) == ({"b", "c"}, set())
    assert "1 spans still lie on disk" in seen.broken()


def test_a_kill_of_a_gunicorn_is_one() -> None:
    seen = Soak()
    seen.blows.update({Blow.KILL.value: 3, Blow.KILL_ALL.value: 2, Blow.STOP.value: 7})

    assert soak.kills_of(seen) == 5


def test_a_run_with_a_hundred_kills_takes_thirteen_minutes() -> None:
    assert soak.minutes_for(0) == 10
    assert round(soak.minutes_for(100)) == 13


@pytest.mark.parametrize("arguments", [["--kills", "some"], ["--kills", "-1"], ["--minutes", "0"]])
def test_what_makes_no_run_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        soak.main(arguments)

    assert "not '" in capsys.readouterr().err
