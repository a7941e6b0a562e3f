"""K6: one budget for all that share it; what goes when it is full; what is too old."""

from __future__ import annotations

import gc
import logging
import threading
import weakref
from typing import TYPE_CHECKING, Literal

import pytest

from breaker_exporter import CircuitBreakerSpanExporter, CircuitState, Retention
from breaker_exporter._core import retention
from breaker_exporter._core.backlog import Backlog
from breaker_exporter._core.budget import Budget
from breaker_exporter._core.retention_settings import Keep

from ..semantics._exporters import FAILURE, SUCCESS
from ..semantics._waiting import Gate, start, until
from ._retaining import DELIVERED, UNREACHABLE, Encoded, Encoding, batch, sum_agrees

if TYPE_CHECKING:
    from collections.abc import Callable

    from breaker_exporter.testing import ManualClock

    Make = Callable[..., CircuitBreakerSpanExporter]


class _Unpacked(Encoding):
    """A hundred bytes a span, always."""

    def encode_batch(self, batch: object) -> object:  # type: ignore[override]
        return _Stays(super().encode_batch(batch).names)  # type: ignore[arg-type]


class _Stays:
    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        self.items = len(names)
        self.size = 100 * len(names)

    def packed(self, rest: object) -> _Stays:
        return self


def _outage(
    make: Make, retention: Retention, **arguments: object
) -> tuple[_Unpacked, CircuitBreakerSpanExporter]:
    inner = _Unpacked(default=UNREACHABLE)
    exporter = make(inner, failure_threshold=1, retention=retention, **arguments)
    return inner, exporter


@pytest.mark.parametrize(
    ("keep", "left"), [("newest", ["2", "3", "4"]), ("oldest", ["0", "1", "2"])], ids=["newest", "oldest"]
)
def test_where_not_all_fit_keep_says_what_stays(
    make: Make,
    clock: ManualClock,
    moved: ManualClock,
    keep: Literal["newest", "oldest"],
    left: list[str],
) -> None:
    inner, exporter = _outage(make, Retention(memory=350, keep=keep), clock=clock)

    answers = [exporter.export(batch(str(number))) for number in range(5)]

    health = exporter.health()
    assert (health.retained, health.dropped, health.retained_bytes) == (3, 2, 300)
    assert answers == [SUCCESS] * 5 if keep == "newest" else [SUCCESS] * 3 + [FAILURE] * 2
    inner.default = DELIVERED
    clock.advance(60)
    until(lambda: moved.advance(1) or exporter.health().exported == 3)  # type: ignore[func-returns-value]
    assert sorted(inner.accepted) == left


def test_the_sizes_are_those_of_batches_of_any_size(make: Make) -> None:
    _, exporter = _outage(make, Retention(memory=1000))
    for count in (1, 5, 3, 9, 2):
        exporter.export(batch("x", count))

    health = exporter.health()
    assert health.retained_bytes == 100 * health.retained <= 1000
    assert health.retained + health.dropped == 20
    assert health.retained == 2, "the nine are gone, oldest first: 9 + 2 do not fit"


def test_exporters_that_share_a_retention_share_its_memory(make: Make) -> None:
    retention = Retention(memory=1000)
    _, many = _outage(make, retention, name="many")
    _, few = _outage(make, retention, name="few")
    for number in range(8):
        many.export(batch(f"many-{number}"))
    few.export(batch("few-0", 2))
    assert (many.health().dropped, few.health().dropped) == (0, 0)

    few.export(batch("few-1"))

    assert (many.health().dropped, few.health().dropped) == (1, 0), "from the one that holds most"
    assert many.health().retained_bytes + few.health().retained_bytes == 1000


def test_what_is_in_a_call_counts_too(make: Make) -> None:
    retention = Retention(memory=1000)
    inner, calling = _outage(make, retention)
    _, keeping = _outage(make, retention)
    for _ in range(9):
        keeping.export(batch("kept"))
    gate = threading.Event()
    inner.default = lambda _: gate.wait(20) and DELIVERED

    caller = start(lambda: calling.export(batch("in a call", 4)))
    until(lambda: inner.sent)

    assert keeping.health().retained == 6
    gate.set()
    assert caller.result(20) is SUCCESS
    keeping.export(batch("kept", 4))
    assert keeping.health().retained == 10


def test_two_that_evict_from_one_another_all_the_time_keep_their_sums(make: Make) -> None:
    retention = Retention(memory=2000)
    exporters = [_outage(make, retention, cooldown=0.001)[1] for _ in range(2)]
    given = [batch("x", count) for count in range(1, 8)]
    stop = threading.Event()
    wrong: list[object] = []

    def look() -> None:
        while not stop.is_set():
            for health in [exporter.health() for exporter in exporters]:
                if not sum_agrees(health) or min(health.in_flight, health.retained) < 0:
                    wrong.append(health)

    def hammer(exporter: CircuitBreakerSpanExporter) -> None:
        for number in range(60):
            exporter.export(given[number % 7])

    looking = start(look)
    callers = [start(lambda one=exporter: hammer(one)) for exporter in exporters * 2]  # type: ignore[misc]
    for caller in callers:
        caller.result(20)
    stop.set()
    looking.result(20)
    assert wrong == []
    for exporter in exporters:
        until(lambda one=exporter: one.health().in_flight == 0)  # type: ignore[misc]
    assert sum(exporter.health().retained_bytes for exporter in exporters) <= 2000
    received = 2 * sum(1 + number % 7 for number in range(60))
    assert [exporter.health().received for exporter in exporters] == [received] * 2


def test_a_dropped_exporter_gives_its_memory_back() -> None:
    retention = Retention(memory=1000)
    exporter = CircuitBreakerSpanExporter(_Unpacked(), retention=retention)
    exporter.export(batch("x"))
    alive = weakref.ref(exporter._guarded.guard.custody)

    del exporter
    gc.collect()

    assert alive() is None
    assert retention.budget.used == 0


def test_a_shutdown_gives_the_memory_back(make: Make) -> None:
    retention = Retention(memory=1000)
    _, exporter = _outage(make, retention)
    exporter.export(batch("x", 5))
    assert retention.budget.used == 500

    exporter.shutdown(100)

    assert retention.budget.used == 0


def test_what_is_too_old_is_dropped(make: Make, clock: ManualClock, moved: ManualClock) -> None:
    _, exporter = _outage(make, Retention(max_age=100.0), clock=clock)
    exporter.export(batch("old", 2))
    moved.advance(60)
    exporter.export(batch("younger", 3))
    assert exporter.health().dropped == 0

    moved.advance(41)
    until(lambda: exporter.health().dropped == 2)
    assert exporter.health().retained == 3
    moved.advance(60)
    until(lambda: exporter.health().dropped == 5)
    assert (exporter.health().retained_bytes, exporter.health().oldest_at) == (0, None)


def _warnings(caplog: pytest.LogCaptureFixture, last: str = "") -> list[str]:
    """What was said since this was asked last, without the name; `last` is waited for."""
    until(lambda: last in caplog.text)
    found = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    caplog.clear()
    return [text.partition(": ")[2] for text in found]


def test_what_had_to_go_is_said_once_an_outage_and_counted_at_its_end(
    make: Make, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """K6."""
    inner, exporter = _outage(make, Retention(memory=250), clock=clock, cooldown=500)
    for _ in range(3):
        exporter.export(batch("x"))
    began = _warnings(caplog, "dropped")
    for _ in range(4):
        exporter.export(batch("x"))
        clock.advance(61)
        exporter.health()
    assert _warnings(caplog) == []
    inner.default = DELIVERED
    clock.advance(500)
    exporter.force_flush(20_000)
    ended = _warnings(caplog, "backlog of")
    inner.default = UNREACHABLE
    for _ in range(3):
        exporter.export(batch("x"))

    full = (
        "1 span dropped: the memory for what is kept is full (250 bytes), and the oldest go; raise "
        "BREAKER_EXPORTER_RETAIN_MEMORY to keep more; the line at the end of this outage counts all of them"
    )
    assert began[1:] == [full]
    assert ended[0] == (
        "circuit closed after 744.0 s; 1 span kept, replaying them; 5 lost in this outage, 5 of them dropped"
    )
    assert ended[1:] == ["backlog of 1 span: 1 delivered, 0 lost"]
    assert _warnings(caplog, "dropped")[1:] == [full]


def test_the_end_of_a_replay_says_how_many_had_to_go_meanwhile(
    make: Make, clock: ManualClock, moved: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    inner, exporter = _outage(make, Retention(memory=350), clock=clock)
    for _ in range(3):
        exporter.export(batch("kept"))
    inner.default = DELIVERED
    clock.advance(60)
    until(lambda: exporter.health().exported == 1)
    gate = Gate()
    inner.default = lambda _: gate.wait() and DELIVERED
    caller = start(lambda: exporter.export(batch("live", 2)))
    until(lambda: len(inner.sent) == 3)
    assert exporter.health().dropped == 1

    gate.open()
    inner.default = DELIVERED
    assert caller.result(20) is SUCCESS
    until(lambda: moved.advance(1) or not exporter.health().retained)  # type: ignore[func-returns-value]

    said = _warnings(caplog, "backlog of")
    assert "backlog of 2 spans: 1 delivered, 1 lost, 1 of them dropped" in said
    assert any(text.startswith("1 span lost: the memory") and "opens no circuit" in text for text in said)


@pytest.mark.parametrize(
    ("keep", "limit", "said"),
    [
        ("newest", None, "the oldest go; raise BREAKER_EXPORTER_RETAIN_MEMORY to keep more"),
        ("oldest", 1 << 40, "the newest go; raise BREAKER_EXPORTER_RETAIN_MEMORY to keep more"),
        ("newest", 64 * 200, "the oldest go; the cgroup allows no more"),
    ],
)
def test_the_line_says_which_go_and_what_to_do(
    monkeypatch: pytest.MonkeyPatch, keep: Literal["newest", "oldest"], limit: int | None, said: str
) -> None:
    monkeypatch.setattr(retention, "memory_limit", lambda: limit)

    assert Retention(memory=250, keep=keep).full().endswith(said)


def test_loss_of_another_kind_does_not_claim_to_open_no_circuit_where_it_is_open(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    inner, exporter = _outage(make, Retention())
    exporter.export(batch("x"))

    def throw() -> None:
        raise ValueError("no such attribute")

    inner.when_encoding = throw
    exporter.export(batch("x", 3))

    (said,) = _warnings(caplog, "ValueError")[1:]
    assert said.startswith("3 spans lost: raised ValueError")
    assert said.endswith("; a line a minute follows while it lasts")
    assert "circuit" not in said


def test_what_had_to_go_for_its_age_is_said_without_waiting_for_an_export(
    make: Make, clock: ManualClock, moved: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    _, exporter = _outage(make, Retention(max_age=100.0), clock=clock)
    exporter.export(batch("old", 2))

    moved.advance(101)

    until(lambda: "not delivered within 100 s" in caplog.text)
    assert exporter.state is CircuitState.OPEN


def test_a_batch_that_comes_after_the_end_is_not_taken_in() -> None:
    """A thread may have asked whether it may export just before the end."""
    backlog = Backlog(Budget(1000, Keep.NEWEST), lambda parcel: None)
    assert backlog.take_in(Encoded(("a",)), 0.0, 0.0, 0) is not None

    waiting, in_call = backlog.take_all()

    assert (len(waiting), len(in_call), backlog.size) == (0, 1, 0)
    assert backlog.take_in(Encoded(("b",)), 0.0, 0.0, 0) is None
    assert backlog.size == 0
