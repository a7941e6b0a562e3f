"""Random schedules of an exporter that keeps on disk, and of the next process's, which finds what is left.

When something is written, read or sent is the exporter's business here. What is checked holds at any time:
the sums, the memory, no call with what had an end. At the end the files are gone, and each item was accepted
once where nobody was killed in a call.
"""

from __future__ import annotations

import json
import random
import shutil
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from breaker_exporter import CircuitBreakerSpanExporter, Retention
from breaker_exporter._concurrency import disk_job
from breaker_exporter._core import choice, cooldown, custody_end, disk_backlog, disk_health, disk_replay
from breaker_exporter._core.report import Cause, Verdict
from breaker_exporter._spool import bound
from breaker_exporter._spool.spool import Full, Spool

from ..retention._answers import FOR_ENCODER, held_back
from ..retention._backend import Answer, EncodedIds, EncodingExporter, ids_of
from ..retention._running import SHORT, SIZES, Watching
from ..semantics._children import in_child
from ..semantics._spans import spans
from ..semantics._waiting import PATIENCE, until
from ._storing import files, sum_agrees

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opentelemetry.sdk.trace import ReadableSpan

    from breaker_exporter import CircuitTransition, ExporterHealth

_TIMEOUT = 0.4
"""Seconds."""
_SHORT = {
    **SHORT,
    (choice, "_ASK_DISK_AGAIN"): 0.005,
    (custody_end, "_WRITTEN_WITHIN"): 5.0,
    (disk_backlog, "_WRITE_AFTER"): 0.01,
    (disk_backlog, "_LOOK_AGAIN"): 0.002,
    (disk_replay, "_ASK_AGAIN"): 0.005,
    (disk_health, "_RETRY_AFTER"): 0.005,
    (disk_health, "_WRITE_AFTER"): 0.005,
    (bound, "FRESH"): 0.02,
}
"""Seconds of the product, as short as schedules need them."""
_FAULTS: list[type[Exception] | None] = [None, None, Full, OSError]


class StoringIds(EncodingExporter):
    """Writes the ids of a batch as JSON."""

    signal = "spans"

    encode_batch = EncodingExporter.encode_batch
    send_payload = EncodingExporter.send_payload
    drop_payload = EncodingExporter.drop_payload

    def join_payloads(self, payloads: Sequence[EncodedIds], rest: Callable[[], None]) -> EncodedIds:
        rest()
        return EncodedIds(tuple(name for each in payloads for name in each.ids), is_packed=True)

    def dump_payload(self, payload: EncodedIds) -> bytes:
        return json.dumps(payload.ids).encode()

    def release_payload(self, payload: EncodedIds) -> None:
        pass

    def load_payload(self, data: bytes, rest: Callable[[], None]) -> EncodedIds:
        rest()
        return EncodedIds(tuple(json.loads(data)), is_packed=True)


class DiskMachine(RuleBasedStateMachine):
    """One backend, one directory, and one process after the other."""

    few_schedules = 15

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.directory = Path(tempfile.mkdtemp())
        self.held: list[Answer] = []
        self.ended: list[ExporterHealth] = []
        self.overruns = self.received = self.before = self.left_by_children = 0
        self.fault: type[Exception] | None = None

    @initialize(threshold=st.integers(1, 3), limit=st.sampled_from([30_000, 10_000_000]))
    def begin(self, threshold: int, limit: int) -> None:
        for (module, name), seconds in _SHORT.items():
            self.patch.setattr(module, name, seconds)
        # Hypothesis warns of whoever asks the common one while it draws.
        self.patch.setattr(cooldown, "random", random.Random(0))
        self.patch.setattr(disk_job, "LIMIT", 60.0)
        for method in ("write", "read", "remove"):
            self.patch.setattr(Spool, method, self.failing(getattr(Spool, method)))
        self.threshold, self.limit = threshold, limit
        self.backend = Watching()
        self.exporter = self.next_process()

    def failing(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def method(*arguments: Any, **keywords: Any) -> Any:
            if self.fault is not None and (self.fault is OSError or real.__name__ == "write"):
                raise self.fault("as told")
            return real(*arguments, **keywords)

        return method

    def next_process(self) -> CircuitBreakerSpanExporter:
        exporter = CircuitBreakerSpanExporter(
            StoringIds(self.backend),
            name="one",
            failure_threshold=self.threshold,
            cooldown=0.004,
            max_cooldown=0.016,
            export_timeout=_TIMEOUT,
            listeners=[self.listen],
            retention=Retention(memory=self.limit, directory=self.directory),
        )
        exporter._look_on_disk(spans(1)[0].resource)
        return exporter

    def listen(self, change: CircuitTransition) -> None:
        self.overruns += "gave no answer" in change.reason

    @rule(data=st.data())
    def answers_come(self, data: st.DataObject) -> None:
        drawn: list[Answer] = data.draw(st.lists(FOR_ENCODER, max_size=6))
        self.backend.script = [replace(answer, retry_after=None) for answer in drawn]

    @rule(cause=st.sampled_from(Cause))
    def an_outage_begins(self, cause: Cause) -> None:
        self.backend.default = Answer(Verdict.FAILED, cause)

    @rule()
    def the_outage_ends(self) -> None:
        self.backend.default = Answer()

    @rule(fault=st.sampled_from(_FAULTS))
    def the_disk_changes(self, fault: type[Exception] | None) -> None:
        self.fault = fault

    @rule(size=SIZES)
    def export(self, size: int) -> None:
        self.take(spans(size))

    @rule(sizes=st.lists(SIZES, min_size=3, max_size=12))
    def export_many(self, sizes: list[int]) -> None:
        for size in sizes:
            self.take(spans(size))

    @rule(size=SIZES)
    def export_poison(self, size: int) -> None:
        given = spans(size)
        self.backend.poison.update(ids_of(given))
        self.take(given)

    @precondition(lambda self: len(self.held) < 2)
    @rule(data=st.data())
    def hold_a_call(self, data: st.DataObject) -> None:
        """Its batch is written while it is out."""
        self.held.append(replace(data.draw(held_back(0, FOR_ENCODER)), retry_after=None))
        self.backend.script.insert(0, self.held[-1])

    @precondition(lambda self: self.held)
    @rule()
    def let_a_call_end(self) -> None:
        self.held.pop(0).gate.open()

    @rule(milliseconds=st.integers(1, 20))
    def time_passes(self, milliseconds: int) -> None:
        time.sleep(milliseconds / 1000)

    @rule()
    def all_is_settled(self) -> None:
        """P5, P8: backend and disk are back, and nothing has to come for that."""
        self.recover()
        self.wait_until_settled()
        assert self.exporter.force_flush(timeout_millis=5_000)
        self.check_counts()

    @precondition(lambda self: self.received > 10)
    @rule()
    def fork(self) -> None:
        """K11."""
        in_child(self.check_child)
        if left := int((self.directory / "left_by_child").read_text()):
            self.left_by_children += left
            # Who has nothing of its own on disk looks there when it starts.
            self.exporter._look_on_disk(spans(1)[0].resource)

    @precondition(lambda self: self.received > 10 * (1 + len(self.ended)))
    @rule()
    def the_process_ends_and_another_begins(self) -> None:
        """K10."""
        had_fault = self.fault is not None
        while self.held:
            self.held.pop().gate.open()
        self.exporter.shutdown(timeout_millis=5_000)
        until(lambda: self.exporter.health().in_flight == 0)
        health = self.exporter.health()
        assert health.retained == 0
        assert health.dropped_by_reason["shutdown"] == 0 or had_fault, health
        assert sum_agrees(health)
        self.ended.append(health)
        self.exporter = self.next_process()

    @invariant()
    def the_sums_agree(self) -> None:
        if not hasattr(self, "exporter"):
            return
        health = self.exporter.health()
        assert sum_agrees(health), health
        assert health.received == self.received - sum(each.received for each in self.ended)
        assert health.retained_bytes <= max(self.limit, 1 << 20)
        if self.is_exact():
            assert self.backend.faults == []

    def take(self, given: tuple[ReadableSpan, ...]) -> None:
        self.received += len(given)
        self.exporter.export(given)

    def is_exact(self) -> bool:
        """No call was given up, and the disk did what it was told."""
        return self.overruns == 0 and self.fault is None and not self.ended

    def recover(self) -> None:
        self.fault = None
        self.backend.script, self.backend.default = [], Answer()
        while self.held:
            self.held.pop().gate.open()

    def wait_until_settled(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while not self.is_settled():
            assert time.monotonic() < deadline, (self.exporter.health(), files(self.directory))
            time.sleep(0.001)

    def is_settled(self) -> bool:
        health = self.exporter.health()
        return not (health.retained or health.in_flight or files(self.directory))

    def check_counts(self) -> None:
        """Each item has one end, in one of the processes; a child leaves some to them, or takes some."""
        until(lambda: sum(self.ends().values()) == self.received + self.left_by_children, within=5)
        sent = Counter(self.backend.accepted)
        assert self.ends()["exported"] <= len(sent)

    def ends(self) -> Counter[str]:
        ends: Counter[str] = Counter()
        for health in [*self.ended, self.exporter.health()]:
            for name in ("exported", "failed", "refused", "dropped"):
                ends[name] += getattr(health, name)
        return ends

    def check_child(self) -> None:
        self.recover()
        health = self.exporter.health()
        assert (health.received, health.retained, health.recovered, health.spooled) == (0, 0, 0, 0)
        self.backend.is_free = True
        self.exporter.export(spans(3))
        self.exporter.shutdown(timeout_millis=5_000)
        health = self.exporter.health()
        # Its parent is at the same files, and where the parent was stopped it takes nothing in.
        assert sum_agrees(health), health
        assert health.dropped == 0
        assert health.exported + health.spooled + health.refused >= 3
        (self.directory / "left_by_child").write_text(str(health.spooled - health.recovered))

    def teardown(self) -> None:
        if hasattr(self, "exporter"):
            self.recover()
            self.backend.is_free = True
            self.exporter.shutdown(timeout_millis=2_000)
        self.patch.undo()
        shutil.rmtree(self.directory)
