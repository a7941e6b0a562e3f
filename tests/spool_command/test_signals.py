"""``--send`` with three signals: each by its own exporter, none kept back by another, metrics in order."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from breaker_exporter._spool.stamp import Stamp
from breaker_exporter._spool_command.interruption import Interruption
from breaker_exporter.otlp import CooperativeOTLPMetricExporter
from breaker_exporter.testing import Fault, FaultyCollector, Signal

from .._signals import data_points
from ..spool._files import no_rest
from ._kept import ITEMS, keep, run

if TYPE_CHECKING:
    from collections.abc import Iterator

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def of_logs() -> Iterator[FaultyCollector]:
    """Another collector, for log records."""
    with FaultyCollector() as collector:
        yield collector


def keep_all(directory: Path) -> None:
    for signal in ("spans", "logs", "metrics"):
        keep(directory, signal=signal)


def keep_numbered(directory: Path, batches: int) -> None:
    """Keep batches of metrics, each with one data point more than the one before."""
    spool = keep(directory, 0, signal="metrics")
    encoder = CooperativeOTLPMetricExporter("http://127.0.0.1:9/v1/metrics")
    spool.open()
    for number in range(1, batches + 1):
        payload = encoder.encode_batch(data_points(number)).packed(no_rest)
        spool.write(encoder.dump_payload(payload), number, Stamp.now())
    spool.close()


def sizes(backend: FaultyCollector) -> list[int]:
    """The numbers of data points in what was received, in order: each batch begins with number 0."""
    numbers = [point.attributes["number"] for point in backend.latest_data_points]
    begins = [at for at, number in enumerate(numbers) if number == 0]
    return [end - begin for begin, end in zip(begins, [*begins[1:], len(numbers)], strict=True)]


def mend_after(backend: FaultyCollector, monkeypatch: pytest.MonkeyPatch, batches: int) -> None:
    """Have the backend mended once so many batches were tried."""
    tried: list[float] = []

    def sleep(interruption: Interruption, seconds: float) -> None:
        tried.append(seconds)
        if len(tried) == batches:
            backend.fault = Fault.NONE

    monkeypatch.setattr(Interruption, "sleep", sleep)


def test_all_three_arrive_and_nothing_is_left(
    capsys: Capture, directory: Path, backend: FaultyCollector
) -> None:
    keep_all(directory)

    ran = run(capsys, directory, "--send")

    assert (ran.status, ran.err) == (0, "")
    assert ran.out.splitlines() == [
        f"12 spans delivered to {backend.http_base}",
        f"12 log records delivered to {backend.http_base}",
        f"12 data points delivered to {backend.http_base}",
        f"nothing lies in {directory}",
    ]
    counts = backend.counts()
    assert (counts.spans, counts.log_records, counts.data_points) == (12, 12, 12)


def test_each_goes_by_the_exporter_that_the_environment_has_for_it(
    capsys: Capture,
    directory: Path,
    backend: FaultyCollector,
    of_logs: FaultyCollector,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keep_all(directory)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", of_logs.http_endpoint_of(Signal.LOGS))
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", of_logs.grpc_endpoint)
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "console, otlp_proto_grpc")

    ran = run(capsys, directory, "--send")

    assert (ran.status, ran.err) == (0, "")
    assert f"12 log records delivered to {of_logs.http_base}\n" in ran.out
    assert f"12 data points delivered to {of_logs.grpc_endpoint.replace('http', 'grpc')}\n" in ran.out
    assert (backend.counts().spans, backend.counts().log_records) == (12, 0)
    assert (of_logs.counts().log_records, of_logs.counts().data_points) == (12, 12)


@pytest.mark.parametrize("action", ["--send", "--delete"])
def test_one_signal_may_be_chosen(
    capsys: Capture, directory: Path, backend: FaultyCollector, action: str
) -> None:
    keep_all(directory)

    assert run(capsys, directory, action, "--signal", "logs").status == 0
    assert [row["signal"] for row in run(capsys, directory, "--json").rows] == ["metrics", "spans"]
    assert backend.counts().spans == 0


def test_the_name_of_an_exporter_is_that_of_its_three_signals(
    capsys: Capture, directory: Path, backend: FaultyCollector
) -> None:
    keep_all(directory)
    keep(directory, exporter="billing")
    keep(directory, exporter="billing logs", signal="logs")

    refused = run(capsys, directory, "--send")
    assert refused.status == 2
    assert refused.err.startswith("what the exporters billing, collector have kept may be meant for")
    assert run(capsys, directory, "--send", "--exporter", "collector logs").status == 0
    assert (backend.counts().spans, backend.counts().log_records) == (0, 12)
    assert run(capsys, directory, "--send", "--exporter", "collector").status == 0
    assert (backend.counts().spans, backend.counts().data_points) == (12, 12)
    rows = run(capsys, directory, "--json").rows
    assert [row["exporter"] for row in rows] == ["billing logs", "billing"]


def test_a_signal_without_an_otlp_exporter_keeps_all_here_until_one_is_chosen(
    capsys: Capture, directory: Path, backend: FaultyCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_all(directory)
    monkeypatch.setenv("OTEL_LOGS_EXPORTER", "none")

    ran = run(capsys, directory, "--send")

    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith("OTEL_LOGS_EXPORTER must name one of otlp, ")
    assert ran.err.endswith("not none; to send another signal alone, choose it with --signal\n")
    assert backend.counts().requests == 0
    assert run(capsys, directory, "--send", "--signal", "metrics").status == 0
    assert backend.counts().data_points == 12


def test_a_signal_that_the_backend_refuses_keeps_no_other_back(
    capsys: Capture, directory: Path, backend: FaultyCollector
) -> None:
    keep_all(directory)
    backend.set_fault(Fault.STATUS, status=404, signal=Signal.LOGS)

    ran = run(capsys, directory, "--send")

    assert ran.status == 1
    assert "0 log records delivered" in ran.out
    assert "log records: the backend takes nothing with these settings (HTTP 404" in ran.out
    assert "12 data points delivered" in ran.out
    counts = backend.counts()
    assert (counts.spans, counts.log_records, counts.data_points, counts.requests) == (12, 0, 12, 7)
    backend.fault = Fault.NONE
    assert run(capsys, directory, "--send").status == 0
    assert backend.counts().log_records == 12


def test_a_backend_that_gives_spans_no_answer_is_asked_once_for_each_other_signal(
    capsys: Capture, directory: Path, backend: FaultyCollector
) -> None:
    keep_all(directory)
    backend.fault = Fault.UNAVAILABLE

    ran = run(capsys, directory, "--send")

    assert ran.status == 1
    assert "spans: the backend has failed 3 times in a row (HTTP 503" in ran.out
    assert "log records: the backend has failed 4 times in a row (HTTP 503" in ran.out
    assert "data points: the backend has failed 5 times in a row (HTTP 503" in ran.out
    assert backend.counts().requests == 5
    backend.fault = Fault.NONE
    assert run(capsys, directory, "--send").status == 0
    counts = backend.counts()
    assert (counts.spans, counts.log_records, counts.data_points) == (12, 12, 12)


def test_metrics_keep_their_order_when_one_fails(
    capsys: Capture, directory: Path, backend: FaultyCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """K3: a backend refuses what is older than what it has."""
    keep_numbered(directory, 4)
    backend.fault = Fault.UNAVAILABLE
    mend_after(backend, monkeypatch, 2)

    assert run(capsys, directory, "--send").status == 0
    assert sizes(backend) == [1, 2, 3, 4]


def test_metrics_that_a_backend_answers_to_with_an_error_of_their_own_keep_no_others_back(
    capsys: Capture, directory: Path, backend: FaultyCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_numbered(directory, 4)
    backend.set_fault(Fault.STATUS, status=500)
    mend_after(backend, monkeypatch, 1)

    assert run(capsys, directory, "--send").status == 0
    assert sizes(backend) == [2, 3, 4, 1]


def test_a_signal_of_a_later_version_is_left(
    capsys: Capture, directory: Path, backend: FaultyCollector
) -> None:
    keep(directory, signal="profiles")
    keep(directory)

    ran = run(capsys, directory, "--send")

    assert ran.status == 1
    assert "12 profiles of shop/checkout are left: this version cannot send them\n" in ran.out
    assert backend.counts().spans == 3 * ITEMS


def test_a_spool_that_cannot_be_used_keeps_no_other_signal_back(
    capsys: Capture, directory: Path, backend: FaultyCollector
) -> None:
    keep(directory, signal="logs")
    spool = keep(directory)
    Path(spool.path).chmod(0o707)

    ran = run(capsys, directory, "--send")

    assert ran.status == 2
    assert "others may enter it (mode 0707)" in ran.err
    assert "12 log records delivered" in ran.out
    assert backend.counts().spans == 0
