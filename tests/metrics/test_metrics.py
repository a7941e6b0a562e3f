"""Health as metrics: every span in one of them, one series a state, gone with their exporter."""

from __future__ import annotations

import gc
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, NumberDataPoint

from breaker_exporter import CircuitBreakerSpanExporter, CircuitState, ExporterHealth, Retention
from breaker_exporter.instrumentation import observe
from breaker_exporter.testing import ManualClock, ScriptedExporter, fail, succeed

from ..semantics._deadlines import moved_by_hand
from ..semantics._processes import run_code
from ..semantics._spans import spans
from ..semantics._waiting import until

EXPORTED = "otel.sdk.exporter.span.exported"
DROP_REASON = "breaker_exporter.drop.reason"
STATE = "breaker_exporter.circuit.state"


@pytest.fixture
def reader() -> InMemoryMetricReader:
    return InMemoryMetricReader()


@pytest.fixture
def provider(reader: InMemoryMetricReader) -> Iterator[MeterProvider]:
    provider = MeterProvider([reader], shutdown_on_exit=False)
    yield provider
    provider.shutdown()


def points(reader: InMemoryMetricReader, name: str) -> list[NumberDataPoint]:
    data = reader.get_metrics_data()
    return [
        point
        for resource in (data.resource_metrics if data else ())
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == name
        for point in metric.data.data_points
        if isinstance(point, NumberDataPoint)
    ]


def by(reader: InMemoryMetricReader, name: str, attribute: str) -> dict[object, float]:
    """Sums by the values of an attribute."""
    sums: dict[object, float] = {}
    for point in points(reader, name):
        value = (point.attributes or {}).get(attribute)
        sums[value] = sums.get(value, 0) + point.value
    return sums


def guarded(name: str = "otlp") -> CircuitBreakerSpanExporter:
    inner = ScriptedExporter([succeed, fail, fail], default=succeed)
    return CircuitBreakerSpanExporter(
        inner, name=name, failure_threshold=2, cooldown=7.0, clock=ManualClock()
    )


def test_every_span_is_in_one_outcome(reader: InMemoryMetricReader, provider: MeterProvider) -> None:
    exporter = guarded()
    observe(exporter, provider)
    for count in (5, 3, 2, 4):
        exporter.export(spans(count))

    assert by(reader, EXPORTED, "error.type") == {None: 5, "_OTHER": 5, "circuit_open": 4, "dropped": 0}
    assert by(reader, "otel.sdk.exporter.span.inflight", "error.type") == {None: 0}


def test_what_is_kept_is_in_flight_and_delayed_until_it_is_given_up(
    reader: InMemoryMetricReader, provider: MeterProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SDK conventions: a span is in flight through all its attempts, and counted once."""
    exporter = CircuitBreakerSpanExporter(
        ScriptedExporter(default=fail), failure_threshold=1, clock=ManualClock(), retention=Retention()
    )
    observe(exporter, provider)
    assert by(reader, "breaker_exporter.backlog.age", "error.type") == {None: 0}
    exporter.export(spans(5))
    exporter.export(spans(2))
    health = exporter.health()
    came = health.oldest_at or 0.0

    monkeypatch.setattr(time, "time", lambda: came + 42.5)
    assert by(reader, EXPORTED, "error.type") == {None: 0, "_OTHER": 0, "circuit_open": 0, "dropped": 0}
    assert by(reader, "otel.sdk.exporter.span.inflight", "error.type") == {None: 7}
    assert by(reader, "breaker_exporter.backlog.items", "error.type") == {None: 7}
    assert by(reader, "breaker_exporter.backlog.bytes", "error.type") == {None: health.retained_bytes}
    assert by(reader, "breaker_exporter.backlog.age", "error.type") == {None: pytest.approx(42.5)}

    monkeypatch.setattr(time, "time", lambda: came - 3600)  # set back meanwhile
    assert by(reader, "breaker_exporter.backlog.age", "error.type") == {None: 0}

    exporter.shutdown()
    assert by(reader, EXPORTED, "error.type") == {None: 0, "_OTHER": 0, "circuit_open": 0, "dropped": 7}
    assert by(reader, "otel.sdk.exporter.span.inflight", "error.type") == {None: 0}
    assert by(reader, "breaker_exporter.backlog.items", "error.type") == {None: 0}


@pytest.fixture
def deadlines() -> Iterator[ManualClock]:
    with moved_by_hand() as deadlines:
        yield deadlines


def test_what_is_given_up_has_its_reason(
    reader: InMemoryMetricReader, provider: MeterProvider, deadlines: ManualClock
) -> None:
    room = Retention(memory=5 * 4096, max_age=10.0)  # of five spans
    exporter = CircuitBreakerSpanExporter(
        ScriptedExporter(default=fail), failure_threshold=1, clock=ManualClock(), retention=room
    )
    observe(exporter, provider)
    none: dict[object, float] = {"evicted": 0, "expired": 0, "shutdown": 0}
    assert exporter.health().dropped_by_reason == none
    assert by(reader, EXPORTED, DROP_REASON) == {None: 0, **none}

    exporter.export(spans(2))
    exporter.export(spans(4))
    deadlines.advance(11)
    exporter.export(spans(1))  # wakes the sender
    until(lambda: exporter.health().retained == 1)
    exporter.shutdown()

    expected: dict[object, float] = {"evicted": 2, "expired": 4, "shutdown": 1}
    health = exporter.health()
    assert (health.dropped, health.dropped_by_reason) == (7, expected)
    assert by(reader, EXPORTED, DROP_REASON) == {None: 0, **expected}
    assert json.loads(json.dumps(asdict(health)))["dropped_by_reason"] == expected
    assert hash(health)


def test_the_circuit_is_in_one_state(reader: InMemoryMetricReader, provider: MeterProvider) -> None:
    exporter = guarded()
    observe(exporter, provider)
    assert by(reader, STATE, STATE) == {state.value: state is CircuitState.CLOSED for state in CircuitState}

    for _ in range(3):
        exporter.export(spans(1))

    assert by(reader, STATE, STATE) == {state.value: state is CircuitState.OPEN for state in CircuitState}
    assert by(reader, "breaker_exporter.circuit.transitions", STATE) == {"open": 1}
    assert by(reader, "breaker_exporter.circuit.cooldown", "error.type") == {None: 7.0}
    assert by(reader, "breaker_exporter.calls.hung", "error.type") == {None: 0}


def test_each_exporter_and_process_has_series_of_its_own(
    reader: InMemoryMetricReader, provider: MeterProvider
) -> None:
    both = [guarded("collector"), guarded("sentry")]
    for exporter in (*both, both[0]):
        observe(exporter, provider)

    found = points(reader, "otel.sdk.exporter.span.inflight")

    assert sorted(str((point.attributes or {})["otel.component.name"]) for point in found) == [
        "collector",
        "sentry",
    ]
    assert {(point.attributes or {})["process.pid"] for point in found} == {os.getpid()}
    assert {(point.attributes or {})["otel.component.type"] for point in found} == {
        "breaker_exporter.CircuitBreakerSpanExporter"
    }


def test_a_collected_exporter_has_no_series_any_more(
    reader: InMemoryMetricReader, provider: MeterProvider
) -> None:
    exporter = guarded()
    observe(exporter, provider)
    assert points(reader, EXPORTED)

    exporter.shutdown()
    del exporter
    gc.collect()

    assert points(reader, EXPORTED) == []


def test_a_forked_child_counts_from_zero_under_its_own_pid(
    reader: InMemoryMetricReader, provider: MeterProvider
) -> None:
    exporter = guarded()
    observe(exporter, provider)
    exporter.export(spans(5))
    assert by(reader, EXPORTED, "error.type")[None] == 5

    if (child := os.fork()) == 0:
        found = [((point.attributes or {})["process.pid"], point.value) for point in points(reader, EXPORTED)]
        os._exit(found != [(os.getpid(), 0)] * 6)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


class Unreadable(CircuitBreakerSpanExporter):
    """An exporter of the application's whose health cannot be read, from when it is said so."""

    is_broken = False

    def health(self) -> ExporterHealth:
        if self.is_broken:
            raise ConnectionError("no health")
        return super().health()


def test_an_exporter_whose_health_raises_is_left_out_with_one_warning(
    reader: InMemoryMetricReader, provider: MeterProvider, caplog: pytest.LogCaptureFixture
) -> None:
    broken, sound = Unreadable(ScriptedExporter([]), name="theirs"), guarded()
    for exporter in (broken, sound):
        observe(exporter, provider)
    assert set(by(reader, STATE, "otel.component.name")) == {"theirs", "otlp"}

    broken.is_broken = True
    assert {name for _ in range(2) for name in by(reader, STATE, "otel.component.name")} == {"otlp"}

    (record,) = caplog.records
    assert (record.name, record.levelname) == ("breaker_exporter", "WARNING")
    assert "'theirs'" in record.getMessage()
    broken.is_broken = False
    assert set(by(reader, STATE, "otel.component.name")) == {"theirs", "otlp"}


SET_BETWEEN = """
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from breaker_exporter import CircuitBreakerSpanExporter, ExporterHealth
from breaker_exporter.instrumentation import observe
from breaker_exporter.testing import ScriptedExporter

exporters = [CircuitBreakerSpanExporter(ScriptedExporter([]), name=name) for name in ("before", "after")]
observe(exporters[0])
reader = InMemoryMetricReader()
metrics.set_meter_provider(MeterProvider([reader]))
observe(exporters[1])
observe(exporters[0], metrics.get_meter_provider())
print({name: reader.get_metrics_data().to_json().count(f'"otel.component.name": "{name}"')
       for name in ("before", "after")})
"""


def test_the_global_provider_may_be_set_before_or_after_observing() -> None:
    """6 outcomes, 3 states, 7 more, each once."""
    assert run_code(SET_BETWEEN).strip() == "{'before': 16, 'after': 16}"


BY_THE_ENVIRONMENT = """
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from breaker_exporter.telemetry import Telemetry

reader = InMemoryMetricReader()
metrics.set_meter_provider(MeterProvider([reader]))
telemetry = Telemetry()
telemetry.start()
data = reader.get_metrics_data()
print(data is not None and "otel.sdk.exporter.span.exported" in data.to_json())
telemetry.stop()
"""


@pytest.mark.parametrize(("value", "is_there"), [("1", True), ("0", False)])
def test_a_variable_switches_metrics_on(monkeypatch: pytest.MonkeyPatch, value: str, is_there: bool) -> None:
    monkeypatch.setenv("BREAKER_EXPORTER_METRICS", value)
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "console")

    assert run_code(BY_THE_ENVIRONMENT).strip() == str(is_there)


def test_only_our_exporters_can_be_observed(provider: MeterProvider) -> None:
    with pytest.raises(TypeError, match=r"exporter must be a CircuitBreakerSpanExporter, .* not 'otlp'"):
        observe("otlp", provider)  # type: ignore[arg-type]


def test_the_global_provider_is_the_default() -> None:
    observe(guarded())
