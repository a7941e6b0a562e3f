"""A given breaker whose storage raises, at any call: all spans are counted, and it recovers (P3, P5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pybreaker
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.trace.export import SpanExporter

from breaker_exporter import CircuitBreakerSpanExporter, CircuitState
from breaker_exporter._core.report import ExportReport, Verdict
from breaker_exporter.testing import ScriptedExporter, fail, succeed

from ._children import in_child
from ._exporters import FAILURE, SUCCESS, Gated
from ._spans import spans
from ._waiting import start, until
from .test_no_thread_to_be_had import no_new_threads

if TYPE_CHECKING:
    from collections.abc import Iterator

    from breaker_exporter.testing import ManualClock


class _Storage(pybreaker.CircuitMemoryStorage):
    """Raises where its script says so; each call takes one step of the script."""

    def __init__(self) -> None:
        super().__init__("closed")
        self.script: Iterator[bool] = iter(())

    def __getattribute__(self, name: str) -> Any:
        if name in ("state", "counter", "increment_counter", "reset_counter", "opened_at", "success_counter"):
            self._step()
        return super().__getattribute__(name)

    def __setattr__(self, name: str, value: object) -> None:
        if name in ("state", "opened_at"):
            self._step()
        super().__setattr__(name, value)

    def _step(self) -> None:
        if next(vars(self).get("script", iter(())), False):
            raise OSError("no storage")


def _guarded(inner: SpanExporter) -> tuple[_Storage, CircuitBreakerSpanExporter]:
    storage = _Storage()
    breaker = pybreaker.CircuitBreaker(fail_max=1, reset_timeout=0, state_storage=storage)
    return storage, CircuitBreakerSpanExporter(inner, breaker=breaker, export_timeout=60)


def _unsent(_: object) -> ExportReport:
    return ExportReport(Verdict.UNSENT)


def _rejected(_: object) -> ExportReport:
    return ExportReport(Verdict.REJECTED)


@settings(deadline=None, max_examples=60)
@given(
    scripts=st.lists(st.lists(st.booleans(), max_size=12), min_size=1, max_size=6),
    outcomes=st.lists(
        st.sampled_from([succeed, fail, _unsent, _rejected]),
        max_size=6,
    ),
)
def test_whatever_it_raises_it_recovers_and_all_are_accounted_for(
    scripts: list[list[bool]], outcomes: list[Any]
) -> None:
    storage, exporter = _guarded(ScriptedExporter(outcomes))
    for script in scripts:
        storage.script = iter(script)
        exporter.export(spans(2))
        exporter.force_flush(60_000)
    storage.script = iter(())

    answers = [exporter.export(spans(2)) for _ in range(len(outcomes) + 2)]

    assert answers[-1] is SUCCESS
    health = exporter.health()
    assert (health.state, health.in_flight) == (CircuitState.CLOSED, 0)
    assert health.received == 2 * (len(scripts) + len(answers))
    assert health.received == health.exported + health.failed + health.refused


@pytest.mark.parametrize("raising", range(1, 25))
def test_one_that_raises_from_some_call_on_wedges_nothing_when_it_is_back(raising: int) -> None:
    """P5: an outcome is settled, and the permit given back, in the same outage of the storage."""
    storage, exporter = _guarded(ScriptedExporter([fail, fail, succeed]))
    storage.script = iter([False] * raising + [True] * 1000)
    for _ in range(4):
        exporter.export(spans(1))
    storage.script = iter(())

    assert SUCCESS in [exporter.export(spans(1)) for _ in range(3)]

    health = exporter.health()
    assert (health.state, health.in_flight, health.received) == (CircuitState.CLOSED, 0, 7)


def test_state_and_health_are_as_last_seen_while_the_storage_is_gone() -> None:
    """P1: an endpoint that shows them must not fail."""
    storage, exporter = _guarded(ScriptedExporter([fail]))
    exporter.export(spans(2))
    before = exporter.health()

    storage.script = iter([True] * 1000)
    state, health = exporter.state, exporter.health()
    storage.script = iter(())

    assert state is before.state is health.state
    assert (health.received, health.failed, health.retry_in) == (2, 2, 0.0)
    assert exporter.health() == before


def test_what_is_delivered_is_a_success_though_the_storage_is_gone() -> None:
    """P3: the storage is about the circuit, not about the spans."""
    storage, exporter = _guarded(ScriptedExporter())

    def lose(_: object) -> object:
        storage.script = iter([True] * 1000)
        return SUCCESS

    storage, exporter = _guarded(ScriptedExporter(default=lose))
    assert exporter.export(spans(3)) is SUCCESS
    storage.script = iter(())
    assert (exporter.health().exported, exporter.health().in_flight) == (3, 0)


def test_a_caller_that_waits_while_the_storage_goes_is_answered() -> None:
    """P5, R2: the end of the call before it wakes it, and it sees for itself what the storage says."""
    inner = Gated()
    storage, exporter = _guarded(inner)
    first = start(lambda: exporter.export(spans(1)))
    inner.entered(1)
    second = start(lambda: exporter.export(spans(2)))
    until(lambda: exporter.health().in_flight == 3)

    storage.script = iter([True] * 1000)
    inner.let_all_out()

    assert first.result(timeout=20) is SUCCESS
    assert second.result(timeout=20) is FAILURE
    storage.script = iter(())
    assert (exporter.health().exported, exporter.health().failed, exporter.health().in_flight) == (1, 2, 0)


def test_a_forked_child_exports_when_the_storage_is_back() -> None:
    """R5: the fork itself does not use the storage."""
    storage, exporter = _guarded(ScriptedExporter())
    exporter.export(spans(1))

    def check() -> None:
        storage.script = iter([True] * 1000)
        assert exporter.export(spans(1)) is FAILURE
        storage.script = iter(())
        assert exporter.export(spans(1)) is SUCCESS

    in_child(check)


def test_a_probe_that_cannot_be_given_back_either_is_given_back_when_it_is_there_again(
    deadlines: ManualClock,
) -> None:
    """C3, P5: no thread for the call, and no storage for the permit."""
    inner = Gated(when_stuck=lambda: deadlines.advance(0.05))
    storage = _Storage()
    breaker = pybreaker.CircuitBreaker(fail_max=1, reset_timeout=0, state_storage=storage)
    exporter = CircuitBreakerSpanExporter(inner, breaker=breaker, export_timeout=0.05)
    batch = spans(1)
    assert exporter.export(batch) is FAILURE
    for steps in range(16):
        storage.script = iter([False] * steps + [True] * 1000)
        with no_new_threads():
            assert exporter.export(batch) is FAILURE
        storage.script = iter(())
    inner.let_all_out()
    until(lambda: exporter.export(batch) is SUCCESS)
    assert exporter.health().in_flight == 0
