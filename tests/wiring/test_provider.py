"""The process's tracer provider: asked for without making one, and made as the environment has it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from breaker_exporter import _zero_code, otlp
from breaker_exporter._base.environment import Environment
from breaker_exporter._wiring import logs
from breaker_exporter._wiring import provider as _provider
from breaker_exporter._wiring.set_provider import Global
from breaker_exporter.testing import FaultyCollector

from ._installed import write

PROVIDER = "OTEL_PYTHON_TRACER_PROVIDER"
RUN = """
import logging, sys
logging.basicConfig(format="%(levelname)s %(message)s", level=logging.WARNING)
{before}
from opentelemetry import trace
from breaker_exporter.telemetry import Telemetry
telemetry = Telemetry({arguments})
telemetry.prepare()
trace.get_tracer("tests").start_span("early").end()
telemetry.start()
trace.get_tracer("tests").start_span("sell").end()
print(trace.get_tracer_provider().__class__.__module__, telemetry.provider is trace.get_tracer_provider())
resource = getattr(trace.get_tracer_provider(), "resource", None)
print(resource and resource.attributes["service.name"])
telemetry.stop()
"""
PREPARED_LATE = "from opentelemetry import trace; trace.get_tracer('imported early')"


def run(
    collector: FaultyCollector, *, before: str = "", arguments: str = "", **environ: str
) -> tuple[list[str], list[str]]:
    """The output, and the lines logged at WARNING and above."""
    done = subprocess.run(
        [sys.executable, "-c", RUN.format(before=before, arguments=arguments)],
        env={**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.http_base, **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    logged = [line for line in done.stderr.splitlines() if line.startswith(("WARNING", "ERROR"))]
    return done.stdout.splitlines(), logged


@pytest.mark.parametrize("value", ["sdk_tracer_provider", "", " sdk_tracer_provider "])
def test_the_sdks_provider_named_by_a_variable_is_ours_to_make(
    collector: FaultyCollector, value: str
) -> None:
    printed, logged = run(collector, arguments="service_name='shop'", **{PROVIDER: value})

    assert printed == ["opentelemetry.sdk.trace True", "shop"]
    assert logged == []
    assert len(collector.span_ids) == 1


def test_a_provider_that_opentelemetry_made_from_the_variable_gets_the_exporters(
    collector: FaultyCollector,
) -> None:
    """As it does where the application asks for a tracer while it is imported."""
    printed, logged = run(
        collector, before=PREPARED_LATE, **{PROVIDER: "sdk_tracer_provider", "OTEL_SERVICE_NAME": "shop"}
    )

    assert printed == ["opentelemetry.sdk.trace True", "shop"]
    assert logged == []
    assert len(collector.span_ids) == 1


def test_a_resource_given_in_code_too_late_is_one_warning(collector: FaultyCollector) -> None:
    _, logged = run(
        collector,
        before=PREPARED_LATE,
        arguments="service_name='shop'",
        **{PROVIDER: "sdk_tracer_provider"},
    )

    (warning,) = logged
    assert "too late for service_name and resource_attributes" in warning
    assert len(collector.span_ids) == 1


def test_a_provider_with_a_processor_of_the_applications_is_left_as_it_is(collector: FaultyCollector) -> None:
    """A private attribute, guarded: the processors of a provider."""
    before = (
        "from opentelemetry import trace\n"
        "from opentelemetry.sdk.trace import TracerProvider\n"
        "from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor\n"
        "provider = TracerProvider()\n"
        "provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(out=sys.stderr)))\n"
        "trace.set_tracer_provider(provider)\n"
    )
    _, logged = run(collector, before=before, **{PROVIDER: "sdk_tracer_provider"})

    (warning,) = logged
    assert "a TracerProvider is set already, by the application" in warning
    assert collector.span_ids == set()


def test_without_the_private_attribute_a_provider_counts_as_the_applications() -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    assert _provider.GLOBAL._is_bare(provider)

    del provider._active_span_processor._span_processors
    assert not _provider.GLOBAL._is_bare(provider)
    del provider._active_span_processor
    assert not _provider.GLOBAL._is_bare(provider)


@pytest.mark.parametrize(
    ("known", "kind"), [(_provider.GLOBAL, TracerProvider), (logs.GLOBAL, LoggerProvider)]
)
def test_whoever_s_the_provider_is_that_the_variable_names_it_gets_the_exporters(
    known: Global, kind: type
) -> None:
    """A distribution has one of its own, which nobody has added to yet."""
    theirs = type("Theirs", (kind,), {})(shutdown_on_exit=False)
    there = replace(known, get=lambda: theirs)
    named, unnamed = Environment({known.variable: "theirs"}), Environment({})

    assert there.is_free(named)
    assert there.bare(named) is theirs
    assert not there.is_free(unnamed), "the application has set it"
    assert there.bare(unnamed) is None


@pytest.mark.parametrize("strict", ["0", "1"])
def test_a_provider_that_is_not_installed_is_a_mistake_with_its_variable_and_value(
    collector: FaultyCollector, strict: str
) -> None:
    """OpenTelemetry itself would raise a StopIteration wherever a tracer is asked for."""
    if strict == "1":
        with pytest.raises(subprocess.CalledProcessError) as raised:
            run(collector, **{PROVIDER: "sdk_provider", "BREAKER_EXPORTER_STRICT": "1"})
        last = raised.value.stderr.splitlines()[-1]
        assert f"TelemetryError: {PROVIDER} must name a tracer provider that can be made" in last
        return
    printed, logged = run(collector, **{PROVIDER: "sdk_provider"})

    assert printed[0] == "opentelemetry.sdk.trace True"
    (warning,) = [line for line in logged if line.startswith("WARNING")]
    assert f"{PROVIDER} must name a tracer provider that can be made" in warning
    assert "not 'sdk_provider': it is not installed" in warning
    assert len(collector.span_ids) == 1


def test_a_provider_that_is_none_of_the_sdks_is_left_alone_and_the_variable_is_named(
    collector: FaultyCollector,
) -> None:
    printed, logged = run(collector, **{PROVIDER: "default_tracer_provider"})

    assert printed == ["opentelemetry.trace False", "None"]
    (warning,) = logged
    assert f"a NoOpTracerProvider is set already, by {PROVIDER}=default_tracer_provider" in warning
    assert "application" not in warning


@pytest.mark.parametrize(("name", "told"), [("nonsense", 1), ("", 0), ("default_meter_provider", 0)])
def test_a_meter_provider_that_is_not_installed_costs_no_span(
    collector: FaultyCollector, name: str, told: int
) -> None:
    """A batch processor asks for it, and OpenTelemetry would raise a StopIteration."""
    _, logged = run(collector, OTEL_PYTHON_METER_PROVIDER=name)

    assert len(logged) == told
    assert all("OTEL_PYTHON_METER_PROVIDER must name an installed meter provider" in line for line in logged)
    assert len(collector.span_ids) == 1


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
@pytest.mark.parametrize(
    "asking",
    ["OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED", "BREAKER_EXPORTER_METRICS"],
)
def test_a_meter_provider_that_is_not_installed_costs_no_span_where_exports_are_counted(
    collector: FaultyCollector, asking: str, protocol: str
) -> None:
    _, logged = run(
        collector,
        OTEL_PYTHON_METER_PROVIDER="nonsense",
        OTEL_EXPORTER_OTLP_PROTOCOL=protocol,
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.grpc_endpoint if protocol == "grpc" else collector.http_base,
        **{asking: "true"},
    )

    assert len(logged) == 1
    assert len(collector.span_ids) == 1


SENTRY = """
import inspect
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from breaker_exporter.sentry import Sentry, connect_sentry
takes_meters = "meter_provider" in inspect.signature(TracerProvider).parameters
provider = TracerProvider(**({{"meter_provider": NoOpMeterProvider()}} if takes_meters else {{}}))
breaker = connect_sentry(provider, Sentry(dsn={dsn!r}, traces_sample_rate=1.0))
provider.get_tracer("tests").start_span("sell").end()
provider.shutdown()
"""


@pytest.mark.parametrize("way", ["connect_sentry", "hooks"])
def test_a_meter_provider_that_is_not_installed_costs_none_of_sentrys_spans(
    collector: FaultyCollector, way: str
) -> None:
    if way == "hooks":
        sentry = f"sentry=Sentry(dsn={collector.sentry_dsn!r})"
        before = "from breaker_exporter.sentry import Sentry"
        run(collector, before=before, arguments=sentry, OTEL_PYTHON_METER_PROVIDER="")
    else:
        subprocess.run(
            [sys.executable, "-c", SENTRY.format(dsn=collector.sentry_dsn)],
            env={**os.environ, "OTEL_PYTHON_METER_PROVIDER": ""},
            timeout=60,
            check=True,
        )

    assert collector.spans_received == (2 if way == "hooks" else 1)


@pytest.mark.parametrize("kind", ["HTTPSpanExporter", "GRPCSpanExporter", "CooperativeOTLPSpanExporter"])
def test_a_meter_provider_that_is_not_installed_costs_no_exporter(
    monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setenv("OTEL_PYTHON_METER_PROVIDER", "nonsense")
    monkeypatch.setenv("OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED", "true")
    monkeypatch.setenv("BREAKER_EXPORTER_METRICS", "true")
    exporter = getattr(otlp if kind.startswith("Cooperative") else _zero_code, kind)()
    if isinstance(exporter, _zero_code.HTTPSpanExporter | _zero_code.GRPCSpanExporter):
        exporter.make()
        assert exporter.breaker is not None
    exporter.shutdown()


LIMITS = """
span = provider.get_tracer("tests").start_span("sell")
for number in range(200):
    span.set_attribute(f"key {number}", "x" * 100)
    span.add_event("event")
span.add_event("last", {f"key {number}": "x" for number in range(150)})
longest = max(map(len, span.attributes.values()))
found = f"{len(span.attributes)} {len(span.events)} {len(span.events[-1].attributes)} {longest}"
"""


def limits_of_ours(environ: dict[str, str]) -> str:
    code = (
        "from opentelemetry import trace\n"
        "from breaker_exporter.telemetry import Telemetry\n"
        "Telemetry().prepare()\n"
        f"provider = trace.get_tracer_provider()\n{LIMITS}\nprint(found)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.strip()


def limits_of_opentelemetry() -> str:
    names: dict[str, Any] = {"provider": TracerProvider(resource=Resource({}), shutdown_on_exit=False)}
    exec(LIMITS, names)
    return str(names["found"])


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, "128 128 128 100"),
        ({"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": ""}, "200 128 128 100"),
        ({"OTEL_SPAN_EVENT_COUNT_LIMIT": " "}, "128 201 128 100"),
        ({"OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT": ""}, "128 128 150 100"),
        ({"OTEL_ATTRIBUTE_COUNT_LIMIT": ""}, "128 128 128 100"),
        ({"OTEL_ATTRIBUTE_COUNT_LIMIT": "7"}, "7 128 7 100"),
        ({"OTEL_SPAN_EVENT_COUNT_LIMIT": "5"}, "128 5 128 100"),
        ({"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "9"}, "128 128 128 9"),
        (
            {"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "9", "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT": ""},
            "128 128 128 100",
        ),
    ],
)
def test_span_limits_mean_what_they_mean_to_opentelemetry(
    environ: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert limits_of_ours(environ) == expected
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert limits_of_opentelemetry() == expected


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "-1"}, "128 128 128 100"),
        ({"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "few", "OTEL_ATTRIBUTE_COUNT_LIMIT": "7"}, "7 128 7 100"),
        ({"OTEL_ATTRIBUTE_COUNT_LIMIT": "few"}, "128 128 128 100"),
        ({"OTEL_SPAN_EVENT_COUNT_LIMIT": "few", "OTEL_ATTRIBUTE_COUNT_LIMIT": "7"}, "7 128 7 100"),
        ({"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "few"}, "128 128 128 100"),
        (
            {"OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT": "few", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "9"},
            "128 128 128 9",
        ),
    ],
)
def test_a_bad_limit_is_the_default(environ: dict[str, str], expected: str) -> None:
    """OpenTelemetry raises on it, on one of them when it is imported."""
    assert limits_of_ours(environ) == expected


SAMPLER = """
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON
def make(argument):
    return {"off": ALWAYS_OFF, "on": ALWAYS_ON, "none": None}[argument]
"""
IDS = """
from opentelemetry.sdk.trace.id_generator import IdGenerator
class Seven(IdGenerator):
    def generate_span_id(self): return 7
    def generate_trace_id(self): return 7
def make():
    return Seven()
def other():
    return object()
def broken():
    raise KeyError("no ids today")
"""
NUMBERED = """
import logging
logging.basicConfig(format="%(message)s", level=logging.WARNING)
from opentelemetry import trace
from breaker_exporter.telemetry import Telemetry
Telemetry().prepare()
print(trace.get_tracer("tests").start_span("sell").get_span_context().trace_id == 7)
"""


@pytest.mark.parametrize(
    ("name", "expected", "told"),
    [
        ("seven", "True", ""),
        ("random", "False", ""),
        ("", "False", ""),
        ("other", "False", "OTEL_PYTHON_ID_GENERATOR='other' cannot be used: it gives no IdGenerator"),
        ("broken", "False", "OTEL_PYTHON_ID_GENERATOR='broken' cannot be used: KeyError"),
        ("nobody", "False", "OTEL_PYTHON_ID_GENERATOR='nobody' cannot be used: it is not installed"),
    ],
)
def test_ids_are_made_by_the_generator_that_is_named(
    tmp_path: Path, name: str, expected: str, told: str
) -> None:
    """X-Ray's users set it; OpenTelemetry's configuration reads it, its provider does not."""
    functions = {"seven": "make", "other": "other", "broken": "broken"}
    write(tmp_path, "ids", "opentelemetry_id_generator", functions, IDS)
    done = subprocess.run(
        [sys.executable, "-c", NUMBERED],
        env={**os.environ, "PYTHONPATH": str(tmp_path), "OTEL_PYTHON_ID_GENERATOR": name},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.strip() == expected
    assert told in done.stderr
    assert bool(told) == bool(done.stderr)


SAMPLED = """
import logging
logging.basicConfig(format="%(message)s", level=logging.WARNING)
from opentelemetry import trace
from breaker_exporter.telemetry import Telemetry
Telemetry().prepare()
print(trace.get_tracer("tests").start_span("sell").is_recording())
"""


@pytest.mark.parametrize(
    ("name", "argument", "expected", "told"),
    [
        ("theirs", "off", "False", ""),
        ("theirs", "on", "True", ""),
        ("theirs", "oops", "True", "OTEL_TRACES_SAMPLER='theirs' cannot be used: KeyError"),
        ("theirs", "none", "True", "OTEL_TRACES_SAMPLER='theirs' cannot be used: it gives no Sampler"),
        ("always_off", "", "False", ""),
        ("parentbased_always_off", "", "False", ""),
        ("parentbased_always_on", "", "True", ""),
        ("Always_On", "", "True", ""),
        ("traceidratio", "0", "False", ""),
        ("parentbased_traceidratio", "0", "False", ""),
        ("parentbased_traceidratio", "", "True", ""),
    ],
)
def test_a_sampler_is_the_one_that_is_named(
    tmp_path: Path, name: str, argument: str, expected: str, told: str
) -> None:
    write(tmp_path, "samplers", "opentelemetry_traces_sampler", {"theirs": "make"}, SAMPLER)
    done = subprocess.run(
        [sys.executable, "-c", SAMPLED],
        env={
            **os.environ,
            "PYTHONPATH": str(tmp_path),
            "OTEL_TRACES_SAMPLER": name,
            "OTEL_TRACES_SAMPLER_ARG": argument,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.strip() == expected
    assert told in done.stderr
    assert bool(told) == bool(done.stderr)
