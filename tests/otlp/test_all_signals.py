"""What holds for the exporters of all signals by both protocols; the rest is shown with spans alone."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from inspect import Parameter, signature
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from breaker_exporter import ExportReport, Retention, Verdict
from breaker_exporter._core.report import Cause
from breaker_exporter.otlp._payload import EncodedPayload
from breaker_exporter.testing import Fault, FaultyCollector

from ..semantics._waiting import until
from ._exporters import KINDS, Kind

pytestmark = [
    pytest.mark.usefixtures("no_variables_from_outside"),
    pytest.mark.parametrize("kind", KINDS, ids=str),
]

DELIVERED = ExportReport(Verdict.DELIVERED)

MakeKind = Callable[..., Any]


@pytest.fixture
def make(collector: FaultyCollector, kind: Kind) -> Iterator[MakeKind]:
    """Makes exporters to the collector, or to another endpoint, that are shut down at the end."""
    made: list[Any] = []

    def make(endpoint: str | None = None, **settings: Any) -> Any:
        made.append(kind.make(endpoint or kind.endpoint(collector), **settings))
        return made[-1]

    yield make
    for exporter in made:
        exporter.shutdown()


def no_rest() -> None:
    pass


def test_what_it_exports_arrives(collector: FaultyCollector, make: MakeKind, kind: Kind) -> None:
    exporter = make()

    assert exporter.export(kind.batch(3)) is kind.results.SUCCESS
    assert kind.taken(collector) == 3
    assert exporter.force_flush() is True
    assert exporter.export_and_report(kind.batch(0)) == DELIVERED
    assert collector.counts().requests == 1


@pytest.mark.parametrize(
    ("fault", "settings", "expected"),
    [
        (Fault.STATUS, {"status": 503, "retry_after": 7}, (Verdict.FAILED, Cause.BUSY, 7)),
        (Fault.STATUS, {"status": 400}, (Verdict.REJECTED, Cause.ANSWERED, None)),
        (Fault.STATUS, {"status": 404}, (Verdict.MISCONFIGURED, Cause.ANSWERED, None)),
    ],
)
def test_an_answer_means_the_same_for_each_signal(
    collector: FaultyCollector,
    make: MakeKind,
    kind: Kind,
    fault: Fault,
    settings: dict[str, Any],
    expected: tuple[Verdict, Cause, float | None],
) -> None:
    """O2."""
    collector.set_fault(fault, **settings)
    exporter = make()

    report = exporter.export_and_report(kind.batch(2))

    assert (report.verdict, report.cause, report.retry_after) == expected
    assert exporter.export(kind.batch(2)) is kind.results.FAILURE


def test_rejected_items_are_counted(collector: FaultyCollector, make: MakeKind, kind: Kind) -> None:
    """P3."""
    collector.set_fault(Fault.PARTIAL_SUCCESS, rejected=2)

    report = make().export_and_report(kind.batch(5))

    assert (report.verdict, report.delivered) == (Verdict.DELIVERED, 3)
    assert report.reason.startswith(f"the collector rejected 2 {kind.signal.unit}")
    assert kind.taken(collector) == 3


def test_a_batch_is_cut_to_what_the_peer_takes(
    collector: FaultyCollector, make: MakeKind, kind: Kind
) -> None:
    """O3: by its own limit, and by that of the collector (413)."""
    assert make(max_request_size=600).export_and_report(kind.batch(20)) == DELIVERED
    assert kind.taken(collector) == 20
    assert collector.counts().requests > 1

    collector.clear()
    collector.set_fault(Fault.TOO_LARGE, limit=600)
    assert make().export_and_report(kind.batch(20)) == DELIVERED
    assert kind.taken(collector) == 20


@pytest.mark.parametrize("limit", [0, -1])
def test_with_no_limit_of_its_own_a_batch_is_one_request(
    collector: FaultyCollector, make: MakeKind, kind: Kind, limit: int
) -> None:
    """O3. One below 0 is none, as with OpenTelemetry's exporters; that holds for kept batches too."""
    exporter, batch = make(max_request_size=limit), kind.batch(20)

    assert exporter.export_and_report(batch) == DELIVERED
    parts = [exporter.encode_batch(batch) for _ in range(2)]
    joined = exporter.join_payloads(parts, no_rest)
    loaded = exporter.load_payload(exporter.dump_payload(joined), no_rest)

    assert (kind.taken(collector), collector.counts().requests) == (20, 1)
    assert [len(payload.requests) for payload in (*parts, joined, loaded)] == [1] * 4


def test_what_it_encodes_is_kept_joined_and_sent_by_another_process(
    collector: FaultyCollector, make: MakeKind, kind: Kind
) -> None:
    """K5, K7."""
    exporter = make()
    parts = [exporter.encode_batch(kind.batch(count)) for count in (2, 3)]

    whole = exporter.join_payloads(parts, no_rest)
    stored = exporter.dump_payload(whole)
    exporter.release_payload(whole)
    loaded: EncodedPayload = make().load_payload(stored, no_rest)

    assert exporter.signal == kind.signal.name
    assert (whole.items, loaded.items) == (5, 5)
    collector.set_fault(Fault.STATUS, status=503)
    assert exporter.send_payload(loaded).left == loaded
    collector.set_fault(Fault.NONE)
    assert exporter.send_payload(loaded).report == DELIVERED
    assert collector.counts().requests == 2


def test_behind_a_circuit_breaker_an_outage_is_kept_on_disk_and_delivered(
    collector: FaultyCollector, make: MakeKind, kind: Kind, tmp_path: Path
) -> None:
    """P8."""
    collector.fault = Fault.UNAVAILABLE
    breaker = kind.breaker(
        make(),
        failure_threshold=1,
        cooldown=0.05,
        max_cooldown=0.05,
        retention=Retention(directory=str(tmp_path), memory=1 << 20),
    )

    assert breaker.export(kind.batch(3)) is kind.results.SUCCESS
    until(lambda: breaker.health().spooled == 3)
    collector.fault = Fault.NONE
    until(lambda: kind.taken(collector) == 3)

    until(lambda: breaker.health().exported == 3)
    breaker.shutdown()
    assert breaker.health().recovered == 3


def test_alone_it_says_once_that_it_fails(
    collector: FaultyCollector, make: MakeKind, kind: Kind, caplog: pytest.LogCaptureFixture
) -> None:
    collector.fault = Fault.UNAVAILABLE
    exporter = make()

    assert [exporter.export(kind.batch(2)) for _ in range(2)] == [kind.results.FAILURE] * 2

    (line,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert line.startswith(f"{exporter.destination}: 2 {kind.signal.unit} not exported: ")


def test_what_is_no_batch_has_failed_and_is_told_once(
    make: MakeKind, kind: Kind, caplog: pytest.LogCaptureFixture
) -> None:
    exporter = make()

    assert [exporter.export(7) for _ in range(2)] == [kind.results.FAILURE] * 2

    assert exporter.export_and_report(7).verdict is Verdict.FAILED
    (line,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert line.startswith(f"{exporter.destination}: 0 {kind.signal.unit} not exported: raised ")


def test_after_its_shutdown_it_exports_nothing(
    collector: FaultyCollector, make: MakeKind, kind: Kind
) -> None:
    exporter = make()
    exporter.shutdown()

    assert exporter.export(kind.batch(1)) is kind.results.FAILURE
    assert collector.counts().requests == 0


def test_its_variables_are_those_of_its_signal(
    collector: FaultyCollector, make: MakeKind, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    """O4."""
    for word in ("TRACES", "LOGS", "METRICS"):
        monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{word}_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{kind.signal.word}_ENDPOINT", kind.endpoint(collector))
    exporter = kind.make()

    assert exporter.export_and_report(kind.batch(1)) == DELIVERED
    exporter.shutdown()


def test_it_counts_itself_by_the_names_of_its_signal(
    make: MakeKind, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the official exporter does, where it counts itself."""
    monkeypatch.setenv("OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED", "true")
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    make(meter_provider=provider).export(kind.batch(3))

    data: Any = reader.get_metrics_data()
    provider.shutdown()
    found = {
        metric.name: (metric.unit, point.attributes["otel.component.type"], getattr(point, "value", None))
        for metric in data.resource_metrics[0].scope_metrics[0].metrics
        for point in metric.data.data_points
    }
    component = f"otlp_{kind.protocol}_{kind.signal.component}_exporter"
    names = import_module("opentelemetry.semconv._incubating.metrics.otel_metrics")
    counted = kind.signal.counted.upper()
    unit = f"{{{kind.signal.unit.removesuffix('s').replace(' ', '_')}}}"
    assert found == {
        getattr(names, f"OTEL_SDK_EXPORTER_{counted}_INFLIGHT"): (unit, component, 0),
        getattr(names, f"OTEL_SDK_EXPORTER_{counted}_EXPORTED"): (unit, component, 3),
        names.OTEL_SDK_EXPORTER_OPERATION_DURATION: ("s", component, None),
    }
    components = import_module("opentelemetry.semconv._incubating.attributes.otel_attributes")
    assert component in {one.value for one in components.OtelComponentTypeValues}


def test_it_takes_what_the_official_exporter_takes(kind: Kind) -> None:
    """O4: the same arguments, in the same order where they have one."""
    module = {"spans": "trace_exporter", "logs": "_log_exporter", "metrics": "metric_exporter"}
    name = {"spans": "OTLPSpanExporter", "logs": "OTLPLogExporter", "metrics": "OTLPMetricExporter"}
    official = getattr(
        import_module(f"opentelemetry.exporter.otlp.proto.{kind.protocol}.{module[kind.signal.name]}"),
        name[kind.signal.name],
    )
    theirs, ours = (
        {
            argument: parameter.kind is Parameter.KEYWORD_ONLY
            for argument, parameter in signature(one).parameters.items()
            if not argument.startswith("_") and argument != "retryable_error_codes"
        }
        for one in (official, kind.make)
    )
    assert theirs.items() <= ours.items()
    positional = [argument for argument, is_keyword in theirs.items() if not is_keyword]
    assert [argument for argument in ours if argument in positional] == positional


def test_its_import_loads_no_other_signal(kind: Kind) -> None:
    """A service that sends traces alone pays for nothing else."""
    loaded = {
        "spans": "opentelemetry.sdk.trace.export",
        "logs": "opentelemetry.sdk._logs.export",
        "metrics": "breaker_exporter.otlp._metric_exporter",
    }
    others = [module for name, module in loaded.items() if name != kind.signal.name]
    program = (
        "import sys\n"
        f"from breaker_exporter.otlp import {kind.make.__name__}\n"
        f"print([one for one in {others!r} if one in sys.modules])\n"
        f"print({loaded[kind.signal.name]!r} in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert ran.stdout == "[]\nTrue\n"
