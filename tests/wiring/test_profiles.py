"""A profile sets what nobody has set otherwise; any explicit setting wins over it."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from breaker_exporter.telemetry import Profile, Telemetry, TelemetryError
from breaker_exporter.testing import FaultyCollector

from ..semantics._waiting import until

OURS = logging.getLogger("breaker_exporter")


@pytest.fixture
def level() -> Iterator[None]:
    before = OURS.level
    yield
    OURS.setLevel(before)


PARENT_OFF = """
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags
from breaker_exporter.telemetry import Profile, Telemetry
telemetry = Telemetry({arguments})
telemetry.prepare()
parent = trace.set_span_in_context(NonRecordingSpan(SpanContext(1, 1, True, TraceFlags(0))))
tracer = trace.get_tracer("tests")
print(*(tracer.start_span("sell", context).is_recording() for context in (None, parent)))
"""


@pytest.mark.parametrize(
    ("arguments", "environ", "root_and_child_of_unsampled"),
    [
        ("", {}, "True False"),
        ("profile=Profile.PRODUCTION", {}, "True False"),
        ("profile=Profile.DEVELOPMENT", {}, "True True"),
        ("", {"BREAKER_EXPORTER_PROFILE": "Development"}, "True True"),
        ("profile=Profile.PRODUCTION", {"BREAKER_EXPORTER_PROFILE": "development"}, "True False"),
        ("profile=Profile.DEVELOPMENT", {"OTEL_TRACES_SAMPLER": "parentbased_always_off"}, "False False"),
        ("profile=Profile.DEVELOPMENT", {"OTEL_TRACES_SAMPLER": "nonsense"}, "True True"),
        ("profile=Profile.DEVELOPMENT", {"OTEL_TRACES_SAMPLER": ""}, "True True"),
    ],
)
def test_a_profile_says_what_is_sampled_unless_the_sampler_is_named(
    arguments: str, environ: dict[str, str], root_and_child_of_unsampled: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PARENT_OFF.format(arguments=arguments)],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.strip() == root_and_child_of_unsampled


@pytest.mark.parametrize(
    ("profile", "expected"), [(Profile.DEVELOPMENT, logging.DEBUG), (Profile.PRODUCTION, logging.INFO)]
)
def test_a_profile_says_what_is_logged_until_telemetry_stops(
    level: None, provider: TracerProvider, profile: Profile, expected: int
) -> None:
    OURS.setLevel(logging.NOTSET)
    telemetry = Telemetry(provider=provider, profile=profile)
    telemetry.start()
    assert OURS.level == expected
    telemetry.stop()
    assert OURS.level == logging.NOTSET


def test_a_level_that_was_set_before_stays(level: None, provider: TracerProvider) -> None:
    OURS.setLevel(logging.WARNING)
    telemetry = Telemetry(provider=provider, profile=Profile.DEVELOPMENT)
    telemetry.start()
    assert OURS.level == logging.WARNING
    telemetry.stop()

    OURS.setLevel(logging.NOTSET)
    telemetry.start()
    OURS.setLevel(logging.ERROR)
    telemetry.stop()
    assert OURS.level == logging.ERROR


@pytest.mark.parametrize("delay", ["", "60000"])
def test_development_exports_soon_unless_the_delay_is_set(
    collector: FaultyCollector, monkeypatch: pytest.MonkeyPatch, delay: str
) -> None:
    """Of two spans that end at the same time the one in development is there first."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.http_base)
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", delay)
    ids = {}
    started = []
    for profile in (Profile.DEVELOPMENT, Profile.PRODUCTION):
        provider = TracerProvider(resource=Resource({}), shutdown_on_exit=False)
        telemetry = Telemetry(provider=provider, profile=profile)
        telemetry.start()
        with provider.get_tracer("tests").start_as_current_span("sell") as span:
            ids[profile] = f"{span.get_span_context().span_id:016x}"
        started.append((telemetry, provider))

    if delay:
        assert collector.span_ids == set()
    else:
        until(lambda: ids[Profile.DEVELOPMENT] in collector.span_ids)
        assert ids[Profile.PRODUCTION] not in collector.span_ids
    for telemetry, provider in started:
        telemetry.stop()
        provider.shutdown()
    assert collector.span_ids == set(ids.values())


def test_a_bad_profile_is_one_warning_and_production(
    provider: TracerProvider, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("BREAKER_EXPORTER_PROFILE", "staging")
    telemetry = Telemetry(provider=provider)
    telemetry.start()
    telemetry.stop()

    (warning,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert warning == (
        "BREAKER_EXPORTER_PROFILE must be one of development, production, not 'staging'; "
        "taken as unset (default: production)"
    )
    monkeypatch.setenv("BREAKER_EXPORTER_STRICT", "1")
    with pytest.raises(TelemetryError, match="BREAKER_EXPORTER_PROFILE"):
        Telemetry(provider=provider).start()


def test_a_profile_in_code_that_is_no_profile_is_refused() -> None:
    with pytest.raises(TypeError, match="profile must be a Profile, not 'development'"):
        Telemetry(profile="development")  # type: ignore[arg-type]


def test_a_bad_value_is_told_with_the_default_of_the_profile(
    provider: TracerProvider, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "soon")
    telemetry = Telemetry(provider=provider, profile=Profile.DEVELOPMENT)
    telemetry.start()
    telemetry.stop()

    (warning,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert warning.endswith("taken as unset (default: 500)")
