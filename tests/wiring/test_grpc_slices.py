"""The gRPC exporter of the hooks: a batch in several calls, and what becomes of it when one fails."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult

from breaker_exporter import CircuitBreakerSpanExporter, ExportReport, Verdict
from breaker_exporter.otlp import _pacing
from breaker_exporter.otlp._send import grpc
from breaker_exporter.otlp._send.grpc import SlicingOTLPSpanExporter
from breaker_exporter.testing import Fault, FaultyCollector

from ..semantics._spans import spans
from ..semantics._waiting import until

pytestmark = pytest.mark.usefixtures("no_variables_from_outside")

SUCCESS, FAILURE = SpanExportResult.SUCCESS, SpanExportResult.FAILURE
Export = Callable[[int], SpanExportResult]


@pytest.fixture
def exporter(collector: FaultyCollector) -> Iterator[SlicingOTLPSpanExporter]:
    made = SlicingOTLPSpanExporter(collector.grpc_endpoint, timeout=1, insecure=True, spare=60)
    yield made
    made.shutdown()


@pytest.fixture
def scripted(exporter: SlicingOTLPSpanExporter, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[int]]:
    """Has the official exporter do as a function says, given the number of the call; the sizes it gets."""

    def script(export: Export) -> list[int]:
        sizes: list[int] = []

        def play(self: object, batch: Sequence[ReadableSpan]) -> SpanExportResult:
            sizes.append(len(batch))
            return export(len(sizes))

        monkeypatch.setattr(OTLPSpanExporter, "export", lambda *_: SUCCESS)
        exporter.export_and_report(spans(1))  # a first call, which shows how quick the backend is
        monkeypatch.setattr(OTLPSpanExporter, "export", play)
        return sizes

    return script


def test_all_spans_of_a_batch_arrive_once(
    collector: FaultyCollector, exporter: SlicingOTLPSpanExporter
) -> None:
    guarded = CircuitBreakerSpanExporter(exporter)
    assert guarded.export(spans(300)) is SUCCESS
    assert (len(collector.span_ids), collector.duplicates) == (300, 0)
    assert guarded.health().exported == 300
    guarded.shutdown()


def test_a_batch_is_several_calls(
    exporter: SlicingOTLPSpanExporter, scripted: Callable[[Export], list[int]]
) -> None:
    sizes = scripted(lambda _: SUCCESS)
    assert exporter.export_and_report(spans(150)) == ExportReport(Verdict.DELIVERED)
    assert sizes == [64, 64, 22]


def test_a_queue_that_presses_makes_it_fewer(
    exporter: SlicingOTLPSpanExporter, scripted: Callable[[Export], list[int]]
) -> None:
    """Not a queue that an outage has filled, of four batches: one that goes on pressing."""
    sizes = scripted(lambda _: SUCCESS)
    batch = spans(512)
    for _ in range(3):
        exporter.export_and_report(batch)
    assert sizes == [64] * 24
    until(lambda: exporter.export_and_report(batch) and sizes[-1] == 512)

    def is_calm_again() -> bool:
        time.sleep(0.02)  # nothing presses now
        exporter.export_and_report(batch)
        return sizes[-1] == 64

    until(is_calm_again)


def test_one_call_that_fails_is_the_last(
    exporter: SlicingOTLPSpanExporter, scripted: Callable[[Export], list[int]]
) -> None:
    sizes = scripted(lambda call: FAILURE if call == 2 else SUCCESS)
    guarded = CircuitBreakerSpanExporter(exporter)
    assert guarded.export(spans(150)) is FAILURE
    assert sizes == [64, 64]
    health = guarded.health()
    assert (health.exported, health.failed, health.last_error) == (64, 86, "returned FAILURE")
    guarded.shutdown()


def test_what_a_call_raises_loses_nothing_that_was_delivered(
    exporter: SlicingOTLPSpanExporter, scripted: Callable[[Export], list[int]]
) -> None:
    def fail(call: int) -> SpanExportResult:
        if call == 3:
            raise OSError("with a secret")
        return SUCCESS

    scripted(fail)
    report = exporter.export_and_report(spans(150))
    assert (report.verdict, report.delivered) == (Verdict.FAILED, 128)
    assert report.reason.startswith("raised OSError in ")


class Slow:
    """A clock, and a script whose calls take so many seconds of it, one after another, then none."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        self.seconds: list[float] = []
        clock: Any = SimpleNamespace(monotonic=lambda: self.now, sleep=lambda seconds: None)
        monkeypatch.setattr(grpc, "time", clock)
        monkeypatch.setattr(_pacing, "time", clock)

    def __call__(self, call: int) -> SpanExportResult:
        self.now += self.seconds.pop(0) if self.seconds else 0.0
        return SUCCESS


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Slow:
    return Slow(monkeypatch)


@pytest.mark.parametrize(
    ("seconds", "sizes", "delivered"),
    [(29, [64, 64, 64, 58], 250), (31, [64, 186], 250), (61, [64], 64)],
)
def test_a_backend_that_turns_slow_gets_what_is_left_in_one_call_or_not_at_all(
    exporter: SlicingOTLPSpanExporter,
    scripted: Callable[[Export], list[int]],
    slow: Slow,
    seconds: float,
    sizes: list[int],
    delivered: int,
) -> None:
    """The first call takes so many of the 60 seconds that there are to spare."""
    seen = scripted(slow)
    slow.seconds = [seconds]

    report = exporter.export_and_report(spans(250))

    assert (seen, report.accepted_of(250)) == (sizes, delivered)
    assert report.reason == ("" if delivered == 250 else "too slow to send all of a batch")


def test_a_backend_that_is_slow_gets_whole_batches(
    exporter: SlicingOTLPSpanExporter, scripted: Callable[[Export], list[int]], slow: Slow
) -> None:
    """In slices it would lose what a whole batch does not: until it is quick again."""
    seen = scripted(slow)
    batch = spans(250)
    slow.seconds = [0, 0, 0, 40, 40, 40, 0]
    for _ in range(5):
        slow.now += 1  # nothing presses
        assert exporter.export_and_report(batch).accepted_of(250) == 250
    assert seen == [64, 64, 64, 58, 250, 250, 250, 64, 64, 64, 58]


def test_the_first_batch_is_one_call(exporter: SlicingOTLPSpanExporter, slow: Slow) -> None:
    """Nobody knows yet how quick the backend is."""
    exporter.export_and_report(spans(250))
    assert exporter._call_took == 0


def test_a_blackhole_costs_one_timeout(collector: FaultyCollector, exporter: SlicingOTLPSpanExporter) -> None:
    collector.fault = Fault.BLACKHOLE
    report = exporter.export_and_report(spans(300))
    assert (report.verdict, report.delivered) == (Verdict.FAILED, 0)


def test_what_the_collector_rejects_is_failed(
    collector: FaultyCollector, exporter: SlicingOTLPSpanExporter
) -> None:
    """By a private door of the official exporter: where this fails, another version has another one."""
    collector.set_fault(Fault.PARTIAL_SUCCESS, rejected=3)  # of each call
    guarded = CircuitBreakerSpanExporter(exporter)

    assert guarded.export(spans(300)) is SUCCESS

    health = guarded.health()
    assert health.exported == len(collector.span_ids) < 300
    assert health.failed == 300 - health.exported
    assert exporter.export_and_report(spans(5)) == ExportReport(
        Verdict.DELIVERED,
        2,
        "the collector rejected 3 spans: 3 spans rejected by the fault of this collector",
    )


def test_without_that_door_all_counts_as_taken(
    collector: FaultyCollector, exporter: SlicingOTLPSpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OTLPSpanExporter, "export", lambda *_: SUCCESS)
    monkeypatch.setattr(exporter, "_listening", None)

    assert exporter.export_and_report(spans(5)) == ExportReport(Verdict.DELIVERED)


GOAWAY = bytes.fromhex("000000040000000000000008070000000000000000000000000b")
"""SETTINGS without any, and GOAWAY with ENHANCE_YOUR_CALM (RFC 9113, 6.5 and 6.8)."""


@contextlib.contextmanager
def sending_away() -> Iterator[str]:
    """A server that tells each connection to go away: its endpoint."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    accepted, _ = listener.accept()
                    with accepted, contextlib.suppress(OSError):  # it may be gone already
                        accepted.sendall(GOAWAY)

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def processor_time(make: Callable[[str], OTLPSpanExporter]) -> float:
    """Seconds that two exports to a server which sends away take of the processor."""
    with sending_away() as endpoint:
        exporter = make(endpoint)
        began = time.process_time()
        assert [exporter.export(spans(1)) for _ in range(2)] == [FAILURE, FAILURE]
        took = time.process_time() - began
        exporter.shutdown()
    return took


def test_a_server_that_sends_away_is_not_stormed() -> None:
    """gRPC by itself connects again as fast as it can, and the garbage of that holds the hub later."""
    official = processor_time(lambda at: OTLPSpanExporter(at, timeout=1, insecure=True))
    ours = processor_time(lambda at: SlicingOTLPSpanExporter(at, timeout=1, insecure=True, spare=1))

    assert ours < official / 2


@pytest.mark.parametrize(
    ("endpoint", "destination"),
    [
        ("http://collector:4317", "grpc://collector:4317"),
        ("http://collector:4317/path?key=s3cret", "grpc://collector:4317"),
        ("collector:4317", "grpc://collector:4317"),
        ("[::1]:4317", "grpc://[::1]:4317"),
        ("collector:otlp", "grpc://collector:otlp"),
        ("unix:///run/collector.sock", "grpc:///run/collector.sock"),
        ("unix:/run/collector.sock", "grpc:///run/collector.sock"),
    ],
)
def test_its_destination_is_host_and_port_without_a_secret(endpoint: str, destination: str) -> None:
    """G1. By a private door of the official exporter: where this fails, another version has another one."""
    made = SlicingOTLPSpanExporter(endpoint, insecure=True, spare=1)
    assert made.destination == destination
    made.shutdown()
