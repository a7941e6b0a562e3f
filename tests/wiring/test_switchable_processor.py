"""The switchable processor: its pipelines change, and are shut down side by side under one deadline."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from breaker_exporter import CircuitBreakerSpanExporter
from breaker_exporter._wiring.pipeline import Pipeline
from breaker_exporter._wiring.switchable_processor import SwitchableProcessor
from breaker_exporter.testing import ScriptedExporter, fail, hang, succeed

from ..semantics._spans import spans
from ..semantics._waiting import PATIENCE, until


def pipeline(inner: ScriptedExporter) -> Pipeline:
    exporter = CircuitBreakerSpanExporter(inner, export_timeout=60)
    return Pipeline(BatchSpanProcessor(exporter), exporter)


@pytest.fixture
def switchable() -> SwitchableProcessor:
    return SwitchableProcessor()


@pytest.fixture
def provider(switchable: SwitchableProcessor) -> TracerProvider:
    provider = TracerProvider(resource=Resource({}), shutdown_on_exit=False)
    provider.add_span_processor(switchable)
    return provider


@pytest.fixture
def stuck() -> Iterator[ScriptedExporter]:
    inner = ScriptedExporter(default=hang, on_shutdown=hang)
    yield inner
    inner.release()


def sell(provider: TracerProvider) -> None:
    provider.get_tracer("tests").start_span("sell").end()


def test_a_stuck_exporter_does_not_use_up_the_time_of_a_healthy_one(
    switchable: SwitchableProcessor, provider: TracerProvider, stuck: ScriptedExporter
) -> None:
    """S6."""
    healthy = ScriptedExporter()
    switchable.switch_to((pipeline(stuck), pipeline(healthy)), shutdown_timeout=2.0)
    sell(provider)

    started = time.monotonic()
    provider.shutdown()

    assert time.monotonic() - started < PATIENCE
    assert len(healthy.spans) == 1
    assert healthy.shutdown_calls == 1


def test_losses_are_logged_though_a_processor_does_not_end_in_time(
    switchable: SwitchableProcessor, caplog: pytest.LogCaptureFixture
) -> None:
    """G2: the exporter's own shutdown, which the processor calls last, comes too late or never."""
    ended = threading.Event()

    class Stuck(SpanProcessor):
        def shutdown(self) -> None:
            ended.wait(PATIENCE)

    exporter = CircuitBreakerSpanExporter(ScriptedExporter(default=fail), name="otlp")
    exporter.export(spans(3))
    switchable.switch_to((Pipeline(Stuck(), exporter), Pipeline(Stuck(), None)), shutdown_timeout=30.0)

    switchable.close(0.1)
    said = caplog.text
    ended.set()
    exporter.shutdown()

    assert "otlp: stopped: 0 spans exported, 3 lost since this process began: 3 failed" in said
    assert caplog.text.count("stopped") == 1


def test_two_stuck_exporters_share_one_deadline(
    switchable: SwitchableProcessor, provider: TracerProvider
) -> None:
    """S6."""
    inners = [ScriptedExporter(default=hang, on_shutdown=hang) for _ in range(40)]
    switchable.switch_to(tuple(pipeline(inner) for inner in inners), shutdown_timeout=30.0)
    sell(provider)

    started = time.monotonic()
    switchable.close(1.0)  # one after the other: 40 s

    assert time.monotonic() - started < PATIENCE
    for inner in inners:
        inner.release()


def test_it_waits_for_other_calls_beside_it_no_longer_than_its_time(
    switchable: SwitchableProcessor, stuck: ScriptedExporter
) -> None:
    called: list[float] = []

    started = time.monotonic()
    switchable.close(0.2, [lambda left: stuck.shutdown(), called.append])

    assert time.monotonic() - started < PATIENCE
    until(lambda: called)
    assert 0 <= called[0] <= 0.2


def test_a_call_that_fails_while_shutting_down_is_logged_only(
    switchable: SwitchableProcessor, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(left: float) -> None:
        raise RuntimeError("token s3cret is wrong")

    switchable.close(5.0, [fails])

    (record,) = caplog.records
    assert "RuntimeError" in record.getMessage()
    assert "s3cret" not in record.getMessage()


def test_where_no_thread_can_start_the_pipelines_are_still_shut_down(
    switchable: SwitchableProcessor, provider: TracerProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R4: so it is at interpreter exit, from Python 3.12 on."""
    inner = ScriptedExporter()
    switchable.switch_to((pipeline(inner),), shutdown_timeout=5.0)
    sell(provider)

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    with monkeypatch.context() as at_exit:
        at_exit.setattr(threading.Thread, "start", refuse)
        provider.shutdown()

    assert len(inner.spans) == 1


@pytest.fixture
def no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """As at interpreter exit, from Python 3.12 on."""

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", refuse)


def test_where_no_thread_can_start_a_stuck_exporter_leaves_a_healthy_one_its_time(
    switchable: SwitchableProcessor, provider: TracerProvider, request: pytest.FixtureRequest
) -> None:
    """R4, S6."""
    stuck, healthy = ScriptedExporter([succeed], default=hang), ScriptedExporter()
    switchable.switch_to((pipeline(stuck), pipeline(healthy)), shutdown_timeout=2.0)
    sell(provider)
    switchable.force_flush()  # the threads that exports run on are there now
    sell(provider)
    request.getfixturevalue("no_threads")

    started = time.monotonic()
    provider.shutdown()

    assert time.monotonic() - started < 10
    assert len(healthy.spans) == 2
    stuck.release()


def test_a_flush_flushes_all_pipelines(switchable: SwitchableProcessor, provider: TracerProvider) -> None:
    inners = [ScriptedExporter(), ScriptedExporter()]
    switchable.switch_to(tuple(pipeline(inner) for inner in inners), shutdown_timeout=5.0)
    sell(provider)

    assert switchable.force_flush()

    assert [len(inner.spans) for inner in inners] == [1, 1]
    switchable.close(5.0)
    assert switchable.force_flush()


def test_it_works_without_pipelines(switchable: SwitchableProcessor, provider: TracerProvider) -> None:
    sell(provider)
    switchable.shutdown()
    provider.shutdown()
