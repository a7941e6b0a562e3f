"""One circuit for all signals of a backend (L7): which signals share one, and what that means."""

from __future__ import annotations

import pytest

from breaker_exporter._base.environment import Environment
from breaker_exporter._wiring.exporter_names import listed
from breaker_exporter._wiring.settings import Arguments
from breaker_exporter._wiring.shared_circuits import Circuits
from breaker_exporter.otlp._signals import SIGNALS
from breaker_exporter.testing import Fault, FaultyCollector, Signal

from .conftest import Run
from .test_three_signals import ALL, SHOP

HTTP = "OTEL_EXPORTER_OTLP_ENDPOINT"
LOGS = "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"


@pytest.mark.parametrize(
    ("variables", "names"),
    [
        ({}, ["collector of traces, logs, metrics"] * 3),
        ({HTTP: "http://one:4318/base"}, ["collector of traces, logs, metrics"] * 3),
        (
            {LOGS: "http://other:4318/v1/logs"},
            ["collector of traces, metrics", None, "collector of traces, metrics"],
        ),
        ({HTTP: "https://one", LOGS: "https://ONE:443/v1/logs"}, ["collector of traces, logs, metrics"] * 3),
        (
            {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", HTTP: "grpc://one:99999", LOGS: "grpc://one:9999"},
            ["collector of traces, metrics", None, "collector of traces, metrics"],
        ),
        (
            {"OTEL_LOGS_EXPORTER": "console"},
            ["collector of traces, metrics", None, "collector of traces, metrics"],
        ),
        (
            {"OTEL_EXPORTER_OTLP_LOGS_PROTOCOL": "grpc"},
            ["collector of traces, metrics", None, "collector of traces, metrics"],
        ),
        (
            {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", HTTP: "one:4317"},
            ["collector of traces, logs, metrics"] * 3,
        ),
        (
            {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", HTTP: "ipv6:[::1]:4317", LOGS: "http://[::1]:4317"},
            ["collector of traces, metrics", None, "collector of traces, metrics"],
        ),
    ],
)
def test_signals_of_the_same_scheme_host_and_port_share_one(
    variables: dict[str, str], names: list[str | None]
) -> None:
    environment = Environment({**ALL, **variables})
    arguments = Arguments()
    defaults = arguments.defaults(environment)
    signals = [arguments.settings(environment, defaults, signal) for signal in SIGNALS]

    circuits = Circuits(signals, environment)
    shared = [
        circuits.of(settings.protocol, settings, environment)
        if "otlp" in listed(environment, settings.signal)
        else None
        for settings in signals
    ]

    assert [None if circuit is None else circuit.name for circuit in shared] == names
    assert len({id(circuit) for circuit in shared if circuit is not None}) == 1


STATES = (
    SHOP
    + """
transitions = []
telemetry = Telemetry(service_name="shop", failure_threshold=2, listeners=[transitions.append])
telemetry.start()
"""
)


def test_what_one_signal_finds_out_all_of_them_know(run: Run, collector: FaultyCollector) -> None:
    collector.fault = Fault.REFUSE
    output = run(
        STATES
        + """
deadline = time.monotonic() + 20
while not transitions and time.monotonic() < deadline:
    trace.get_tracer("shop").start_span("sell").end()
    trace.get_tracer_provider().force_flush(2_000)
print([exporter.state.value for exporter in telemetry.exporters])
print([(transition.name, transition.new.value) for transition in transitions])
telemetry.stop(1.0)
""",
        **ALL,
    )

    assert "['open', 'open', 'open']" in output
    assert "[('collector of traces, logs, metrics', 'open')]" in output


def test_a_signal_that_the_backend_refuses_stops_no_other(run: Run, collector: FaultyCollector) -> None:
    collector.set_fault(Fault.STATUS, status=404, signal=Signal.LOGS)
    output = run(
        STATES
        + """
deadline = time.monotonic() + 20
while not transitions and time.monotonic() < deadline:
    sell(1)
    time.sleep(0.02)
print([exporter.state.value for exporter in telemetry.exporters])
print([(transition.name, transition.new.value) for transition in transitions])
telemetry.stop(1.0)
""",
        **ALL,
        OTEL_BLRP_SCHEDULE_DELAY="20",
    )

    assert "['closed', 'open', 'closed']" in output
    assert "[('collector logs', 'open')]" in output
    assert collector.counts().log_records == 0
    assert collector.counts().spans > 0
    assert collector.counts().data_points == 1


def test_a_service_of_spans_alone_has_one_circuit_by_its_old_name(
    run: Run, collector: FaultyCollector
) -> None:
    collector.fault = Fault.REFUSE
    output = run(
        STATES
        + """
while not transitions:
    trace.get_tracer("shop").start_span("sell").end()
    trace.get_tracer_provider().force_flush(2_000)
print([(transition.name, transition.new.value) for transition in transitions])
telemetry.stop(1.0)
"""
    )

    assert "[('collector', 'open')]" in output
