"""Telemetry with logs and metrics: what it makes in a process, and what it leaves to the application."""

from __future__ import annotations

from contextvars import Context
from dataclasses import replace

import pytest
from opentelemetry._logs import LogRecord
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider

from breaker_exporter._base.environment import Environment
from breaker_exporter._concurrency.log_feedback import without_feedback
from breaker_exporter._wiring.instance_id import keep_given
from breaker_exporter._wiring.logs import GLOBAL
from breaker_exporter._wiring.pipeline import Pipeline
from breaker_exporter._wiring.switchable_log_processor import SwitchableLogProcessor
from breaker_exporter.testing import Fault, FaultyCollector

from .conftest import Run

ALL = {
    "OTEL_LOGS_EXPORTER": "otlp",
    "OTEL_METRICS_EXPORTER": "otlp",
    "OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED": "true",  # where there is only the SDK's handler
}
TAKES_READERS = hasattr(MeterProvider, "add_metric_reader")
"""From 1.43 on."""
SHOP = """
import logging, os, sys, time
from opentelemetry import _logs, metrics, trace
from breaker_exporter.telemetry import Telemetry

logging.getLogger("breaker_exporter").addHandler(logging.StreamHandler(sys.stdout))
log = logging.getLogger("shop")
log.setLevel(logging.INFO)
sold = metrics.get_meter("shop").create_counter("sold")
telemetry = Telemetry(service_name="shop")

def sell(number):
    with trace.get_tracer("shop").start_as_current_span("sell"):
        log.info("sold %d", number)
        sold.add(1)
"""


def sums(collector: FaultyCollector, name: str = "sold") -> dict[object, float]:
    """The latest sum of a counter of each process, by its ``service.instance.id``."""
    points = [point for point in collector.latest_data_points if point.metric == name]
    return {point.resource["service.instance.id"]: point.value or 0 for point in points}


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_all_three_arrive_and_a_stop_exports_what_is_left(
    run: Run, collector: FaultyCollector, protocol: str
) -> None:
    output = run(
        SHOP
        + """
telemetry.start()
print([exporter.health().name for exporter in telemetry.exporters])
sell(1)
telemetry.stop()
telemetry.start()
sell(2)
telemetry.stop()
sell(3)
""",
        **ALL,
        OTEL_EXPORTER_OTLP_PROTOCOL=protocol,
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.grpc_endpoint if protocol == "grpc" else collector.http_base,
        OTEL_RESOURCE_ATTRIBUTES="service.instance.id=till",
    )

    assert "['collector', 'collector logs', 'collector metrics']" in output
    assert "spans go to collector (" in output
    assert "log records go to collector logs (" in output
    assert "data points go to collector metrics (" in output
    assert f"OTLP by {protocol})" in output
    assert output.count("metrics of this process have the service.instance.id till-") == 1
    assert ("no data points are exported: this OpenTelemetry SDK" in output) is not TAKES_READERS
    assert collector.log_bodies == {"sold 1", "sold 2"}
    records = collector.latest_log_records
    assert {record.trace_id for record in records} == {span.trace_id for span in collector.latest_spans}
    assert {record.resource["service.instance.id"] for record in records} == {"till"}
    assert {span.resource["service.instance.id"] for span in collector.latest_spans} == {"till"}
    # A new start counts anew, from a new start time.
    assert [point.value for point in collector.latest_data_points] == [1, 1][: 1 + TAKES_READERS]
    (own,) = sums(collector)
    assert str(own).startswith("till-")
    assert {point.resource["service.name"] for point in collector.latest_data_points} == {"shop"}


def test_the_line_that_retention_is_off_names_what_is_lost(run: Run, collector: FaultyCollector) -> None:
    output = run(
        SHOP + "telemetry.start()\ntelemetry.stop()\n",
        **ALL,
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.http_base,
        BREAKER_EXPORTER_RETAIN_MEMORY="0",
    )

    lost = "spans, log records, data points" if TAKES_READERS else "spans, log records"
    assert f"its memory is 0 bytes: {lost} that a backend cannot take now are lost" in output


def test_without_their_variables_there_are_spans_alone_and_nothing_more_is_loaded(
    run: Run, collector: FaultyCollector
) -> None:
    run(
        SHOP
        + """
telemetry.start()
sell(1)
telemetry.stop()
for name in ("opentelemetry.sdk._logs", "opentelemetry.sdk.metrics", "opentelemetry.instrumentation"):
    assert name not in sys.modules, name
assert not logging.root.handlers
"""
    )

    counts = collector.counts()
    assert (counts.spans, counts.log_records, counts.data_points) == (1, 0, 0)


@pytest.mark.parametrize(
    ("variables", "warning", "received"),
    [
        ({"OTEL_LOGS_EXPORTER": "jaeger"}, "OTEL_LOGS_EXPORTER must be none, or a list of otlp", (1, 0, 1)),
        ({"OTEL_METRICS_EXPORTER": "zipkin,otlp"}, "OTEL_METRICS_EXPORTER must be none, or a", (1, 1, 1)),
        ({"OTEL_LOGS_EXPORTER": "otlp,none"}, "", (1, 0, 1)),
        ({"OTEL_TRACES_EXPORTER": "none"}, "", (0, 1, 1)),
        ({"OTEL_BLRP_MAX_QUEUE_SIZE": "many"}, "OTEL_BLRP_MAX_QUEUE_SIZE must be", (1, 1, 1)),
        ({"OTEL_BLRP_MAX_QUEUE_SIZE": "5"}, "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE (512) must not be", (1, 1, 1)),
        ({"OTEL_METRIC_EXPORT_INTERVAL": "0"}, "OTEL_METRIC_EXPORT_INTERVAL must be", (1, 1, 1)),
        ({"OTEL_METRICS_EXEMPLAR_FILTER": "some"}, "OTEL_METRICS_EXEMPLAR_FILTER must be one of", (1, 1, 1)),
        ({"OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT": "-1"}, "OTEL_LOGRECORD_ATTRIBUTE_COUNT", (1, 1, 1)),
        ({"OTEL_PYTHON_METER_PROVIDER": "sdk_meter_provider"}, "", (1, 1, int(TAKES_READERS))),
        ({"OTEL_PYTHON_LOGGER_PROVIDER": "sdk_logger_provider"}, "", (1, 1, 1)),
        ({"OTEL_PYTHON_LOGGER_PROVIDER": "theirs"}, "OTEL_PYTHON_LOGGER_PROVIDER must name", (1, 1, 1)),
        ({"OTEL_EXPORTER_OTLP_LOGS_TIMEOUT": "20"}, "OTLP_LOGS_TIMEOUT is 20 s; cut", (1, 1, 1)),
        ({"OTEL_EXPORTER_OTLP_TIMEOUT": "20"}, "OTEL_EXPORTER_OTLP_TIMEOUT is 20 s; cut", (1, 1, 1)),
        ({"OTEL_SDK_DISABLED": "true"}, "", (0, 0, 0)),
    ],
)
def test_a_bad_variable_is_one_warning_and_the_rest_flows(
    run: Run,
    collector: FaultyCollector,
    variables: dict[str, str],
    warning: str,
    received: tuple[int, int, int],
) -> None:
    output = run(
        SHOP.replace("INFO", "WARNING").replace("log.info", "log.warning")
        + ("_logs.get_logger('shop')\n" if "sdk_logger_provider" in variables.values() else "")
        + "telemetry.start()\nsell(1)\ntelemetry.stop()\n",
        **{**ALL, **variables},
    )

    levels = [line for line in output.splitlines() if " must " in line or " is 20 s" in line]
    assert len(levels) == (1 if warning else 0), output
    assert warning in output
    counts = collector.counts()
    assert (counts.spans, counts.log_records, counts.data_points) == received


def test_one_signal_that_cannot_be_started_keeps_no_other_from_it(
    run: Run, collector: FaultyCollector
) -> None:
    """The SDK raises on a variable that it reads as it stands, with the blank behind it."""
    output = run(
        SHOP + "telemetry.start()\nsell(1)\ntelemetry.stop()\n",
        **ALL,
        OTEL_METRICS_EXEMPLAR_FILTER="always_on ",
    )

    assert "no data points are exported: ValueError" in output
    counts = collector.counts()
    assert (counts.spans, counts.log_records, counts.data_points) == (1, 1, 0)


def test_exporters_of_others_are_guarded_and_a_reader_is_used_as_it_is(
    run: Run, collector: FaultyCollector
) -> None:
    pytest.importorskip("opentelemetry.exporter.prometheus")
    output = run(
        SHOP
        + """
import urllib.request, prometheus_client
telemetry.start()
print([exporter.health().name for exporter in telemetry.exporters])
sell(1)
print(prometheus_client.generate_latest().decode())
telemetry.stop()
""",
        **{**ALL, "OTEL_LOGS_EXPORTER": "console", "OTEL_METRICS_EXPORTER": "console,prometheus"},
        OTEL_TRACES_EXPORTER="none",
        OTEL_EXPORTER_PROMETHEUS_PORT="0",
    )

    assert "['console logs', 'console metrics']" in output
    assert "sold_total" in output
    assert '"body": "sold 1"' in output
    assert '"name": "sold"' in output
    assert collector.counts().requests == 0


def test_providers_of_the_application_are_left_as_they_are(run: Run, collector: FaultyCollector) -> None:
    output = run(
        SHOP
        + """
from opentelemetry import _logs
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.metrics import MeterProvider
theirs = LoggerProvider(), MeterProvider()
_logs.set_logger_provider(theirs[0])
metrics.set_meter_provider(theirs[1])
telemetry.start()
sell(1)
telemetry.stop()
assert (_logs.get_logger_provider(), metrics.get_meter_provider()) == theirs
assert not logging.root.handlers
""",
        **ALL,
    )

    assert "a LoggerProvider is set already" in output
    assert "CircuitBreakerLogRecordExporter(OTLPLogExporter()" in output
    assert "a MeterProvider is set already" in output
    assert "CircuitBreakerMetricExporter(OTLPMetricExporter()" in output
    counts = collector.counts()
    assert (counts.spans, counts.log_records, counts.data_points) == (1, 0, 0)


def test_a_second_telemetry_of_the_process_exports_no_logs_and_metrics(
    run: Run, collector: FaultyCollector
) -> None:
    output = run(
        SHOP
        + """
telemetry.start()
other = Telemetry(provider=telemetry.provider)
other.start()
sell(1)
other.stop()
telemetry.stop()
""",
        **ALL,
    )

    assert "another Telemetry of this process exports its log records; this one does not" in output
    assert "another Telemetry of this process exports its data points; this one does not" in output
    assert collector.counts().log_records == 1
    assert collector.counts().data_points == 1


@pytest.mark.parametrize(
    ("before", "variables", "said", "records"),
    [
        ("instrument()", {}, "", 1),
        ("", {"OTEL_PYTHON_LOG_AUTO_INSTRUMENTATION": "false"}, "", 0),
        ("", {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "flask, logging"}, "", 0),
        ("", {"OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED": "true"}, "", 1),
        ("hide()", {}, "Install opentelemetry-instrumentation-logging", 0),
        ("hide()", {"OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED": "true"}, "", 1),
        ("instrument(enable_log_auto_instrumentation=False)", {}, "", 0),
    ],
)
def test_records_of_pythons_logging_are_exported_once_or_as_the_environment_says(
    run: Run,
    collector: FaultyCollector,
    before: str,
    variables: dict[str, str],
    said: str,
    records: int,
) -> None:
    pytest.importorskip("opentelemetry.instrumentation.logging.handler")
    output = run(
        SHOP
        + f"""
def hide():
    sys.modules["opentelemetry.instrumentation.logging"] = None

def instrument(**how):
    from opentelemetry.instrumentation.logging import LoggingInstrumentor
    LoggingInstrumentor().instrument(**how)

{before}
telemetry.start()
telemetry.stop()
telemetry.start()
log.info("once")
telemetry.stop()
""",
        OTEL_LOGS_EXPORTER="otlp",
        **variables,
    )

    assert output.count("records of Python's logging are not exported") == bool(said)
    assert said in output
    assert [record.body for record in collector.latest_log_records] == ["once"] * records


def test_our_own_warnings_are_read_though_opentelemetry_has_the_only_handler(
    run: Run, collector: FaultyCollector
) -> None:
    output = run(
        SHOP.replace('logging.getLogger("breaker_exporter").addHandler', "(lambda handler: None)")
        + """
telemetry.start()
sell(1)
telemetry.stop()
""",
        **ALL,
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1",
    )

    assert "stopped: 0 spans exported, 1 lost" in output
    assert "stopped: 0 log records exported, 1 lost" in output


def test_workers_of_a_parent_that_made_its_instruments_count_each_for_itself(
    run: Run, collector: FaultyCollector
) -> None:
    """L5, L6: preload, and what is made in the parent before the fork."""
    output = run(
        SHOP
        + """
telemetry.prepare()
sold.add(100)
log.info("before the fork")
for worker in range(2):
    if not os.fork():
        telemetry.start()
        for number in range(worker + 1):
            sell(number)
        telemetry.stop()
        os._exit(0)
for _ in range(2):
    assert os.wait()[1] == 0
""",
        **ALL,
        OTEL_RESOURCE_ATTRIBUTES="service.instance.id=till",
    )

    assert sorted(sums(collector).values()) == [1, 2]
    assert all(str(own).startswith("till-") for own in sums(collector))
    assert output.count("metrics of this process have the service.instance.id till-") == 2
    assert collector.log_bodies == {"sold 0", "sold 1"}
    assert collector.counts().log_records == 3
    resources = [record.resource for record in collector.latest_log_records]
    resources += [span.resource for span in collector.latest_spans]
    assert {resource["service.instance.id"] for resource in resources} == {"till"}


def test_without_an_id_each_worker_gets_its_own(run: Run, collector: FaultyCollector) -> None:
    """L6."""
    output = run(
        SHOP
        + """
telemetry.prepare()
for worker in range(2):
    if not os.fork():
        telemetry.start()
        sell(1)
        telemetry.stop()
        os._exit(0)
for _ in range(2):
    assert os.wait()[1] == 0
""",
        **ALL,
    )

    assert sorted(sums(collector).values()) == [1, 1]
    assert "service.instance.id" not in output


def test_a_child_of_a_process_that_exports_starts_logs_and_gets_advice_for_metrics(
    run: Run, collector: FaultyCollector
) -> None:
    """L5: it would go on from its parent's sums."""
    output = run(
        SHOP
        + """
telemetry.start()
sell(1)
if not os.fork():
    time.sleep(0.3)
    telemetry.start()
    sell(2)
    telemetry.stop()
    os._exit(0)
assert os.wait()[1] == 0
telemetry.stop()
""",
        **ALL,
        OTEL_METRIC_EXPORT_INTERVAL="100",
    )

    assert "no data points are exported: this process was forked from one that exports its own" in output
    assert collector.log_bodies == {"sold 1", "sold 2"}
    assert {point.value for point in collector.latest_data_points} == {1}
    assert len(sums(collector)) == 1


@pytest.mark.parametrize("fault", [Fault.BLACKHOLE, Fault.REFUSE, Fault.DRIP])
def test_all_signals_stop_side_by_side_under_one_deadline(
    run: Run, collector: FaultyCollector, fault: Fault
) -> None:
    """S6; a callback that hangs in the last collection keeps nobody either."""
    collector.fault = fault
    output = run(
        SHOP
        + """
def hang(options):
    time.sleep(600)
    return []

telemetry.start()
sell(1)
metrics.get_meter("shop").create_observable_gauge("stuck", [hang])
began = time.monotonic()
telemetry.stop(1.0)
assert time.monotonic() - began < 6
""",
        **ALL,
    )

    assert output.count("stopped: 0") == 3


def test_health_of_all_exporters_is_reported_by_their_conventional_names(
    run: Run, collector: FaultyCollector
) -> None:
    run(
        SHOP
        + """
telemetry.start()
sell(1)
metrics.get_meter_provider().force_flush()
for exporter in telemetry.exporters[:2]:
    assert exporter.force_flush()
telemetry.stop()
""",
        **ALL,
        BREAKER_EXPORTER_METRICS="1",
        OTEL_BSP_SCHEDULE_DELAY="10",
        OTEL_BLRP_SCHEDULE_DELAY="10",
    )

    names = {point.metric for point in collector.latest_data_points}
    assert {f"otel.sdk.exporter.{each}.exported" for each in ("span", "log", "metric_data_point")} <= names
    assert {f"otel.sdk.exporter.{each}.inflight" for each in ("span", "log", "metric_data_point")} <= names
    states = [point for point in collector.latest_data_points if point.metric.endswith("circuit.state")]
    assert {point.attributes["otel.component.name"] for point in states} == {
        "collector",
        "collector logs",
        "collector metrics",
    }


def test_an_id_given_in_code_is_suffixed_too(run: Run, collector: FaultyCollector) -> None:
    """L6."""
    run(
        SHOP
        + """
telemetry = Telemetry(resource_attributes={"service.instance.id": "till"})
telemetry.start()
sell(1)
telemetry.stop()
""",
        **ALL,
    )

    (own,) = sums(collector)
    assert str(own).startswith("till-")
    assert collector.latest_spans[0].resource["service.instance.id"] == "till"


def test_a_mistake_in_one_signal_is_fatal_where_strict_and_leaves_nothing_behind(
    run: Run, collector: FaultyCollector
) -> None:
    output = run(
        SHOP
        + """
from breaker_exporter.telemetry import TelemetryError
for _ in range(2):
    try:
        telemetry.start()
    except TelemetryError as error:
        print("raised", error)
assert telemetry.exporters == ()
os.environ["OTEL_METRICS_EXPORTER"] = "otlp"
telemetry.start()
sell(1)
telemetry.stop()
""",
        **{**ALL, "OTEL_METRICS_EXPORTER": "jaeger"},
        BREAKER_EXPORTER_STRICT="1",
    )

    assert output.count("raised OTEL_METRICS_EXPORTER must be none, or a list of otlp") == 2
    counts = collector.counts()
    assert (counts.spans, counts.log_records, counts.data_points) == (1, 1, 1)
    assert counts.duplicates == 0


def test_signals_that_opentelemetry_instrument_exports_by_our_exporters_are_left_to_them(
    run: Run, collector: FaultyCollector
) -> None:
    output = run(
        SHOP
        + """
from breaker_exporter._zero_code import HTTPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
early = HTTPSpanExporter()
metrics.set_meter_provider(MeterProvider())
telemetry.start()
telemetry.stop()
""",
        OTEL_METRICS_EXPORTER="otlp",
    )

    assert "data points go to the exporter that OTEL_METRICS_EXPORTER named to opentelemetry-instr" in output
    assert "is set already" not in output


def test_a_provider_that_does_nothing_is_the_applications_too(run: Run, collector: FaultyCollector) -> None:
    output = run(
        SHOP
        + "metrics.set_meter_provider(metrics.NoOpMeterProvider())\ntelemetry.start()\ntelemetry.stop()\n",
        OTEL_METRICS_EXPORTER="otlp",
    )

    assert "a NoOpMeterProvider is set already" in output


@pytest.mark.parametrize("hidden", ["_multi_log_record_processor", "_log_record_processors"])
def test_a_provider_whose_parts_are_unknown_counts_as_the_applications(hidden: str) -> None:
    """P4: the attributes are private."""
    provider = LoggerProvider(shutdown_on_exit=False)
    found = replace(GLOBAL, get=lambda: provider)
    environment = Environment({"OTEL_PYTHON_LOGGER_PROVIDER": "sdk_logger_provider"})
    assert found.bare(environment) is provider

    owner = provider if hidden.startswith("_multi") else provider._multi_log_record_processor
    delattr(owner, hidden)

    assert found.bare(environment) is None


def test_a_provider_that_replaces_no_id_in_a_child_keeps_the_one_given() -> None:
    """P4: before SDK 1.44."""
    keep_given(object(), "till")


def test_what_is_emitted_in_the_midst_of_an_export_of_ours_is_not_exported() -> None:
    """L3: not by OpenTelemetry's API either."""
    exporter = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
    switch = SwitchableLogProcessor()
    switch.switch_to((Pipeline(SimpleLogRecordProcessor(exporter), None),), 1.0)
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(switch)
    logger = provider.get_logger("tests")

    logger.emit(LogRecord(body="the application's"))
    Context().run(without_feedback(lambda: logger.emit(LogRecord(body="the exporter's"))))

    assert [record.log_record.body for record in exporter.get_finished_logs()] == ["the application's"]
    assert switch.pipelines
    switch.shutdown()
    assert not switch.pipelines
