"""A bad DSN or sentry-sdk is one WARNING without secrets; where strict, an error."""

from __future__ import annotations

import importlib.abc
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
import sentry_sdk
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import NoOpTracerProvider
from sentry_sdk.integrations import DidNotEnable
from sentry_sdk.transport import Transport

from breaker_exporter._base.environment import Environment
from breaker_exporter.sentry import Sentry, SentryMode, connect_sentry
from breaker_exporter.sentry._settings_in_force import settings_in_force
from breaker_exporter.telemetry import Telemetry, TelemetryError
from breaker_exporter.testing import FaultyCollector

from ._sentry import FEW, arrived, connect, fail_in_a_span, init_as_the_application, linked, warnings

CANARY = "canary5ecret"
MALFORMED = [
    CANARY,
    f"{CANARY}@o0.ingest.sentry.io/1",
    f"https://{CANARY}@",
    f"https://{CANARY}@o0.ingest.sentry.io",
    f"https://{CANARY}@o0.ingest.sentry.io/",
    f"https://{CANARY}@o0.ingest.sentry.io/project",
    f"https://{CANARY}@o0.ingest.sentry.io:port/1",
    f"https://{CANARY}:{CANARY}@o0.ingest.sentry.io",
    f"https://{CANARY}@[o0.ingest.sentry.io/1",
    f"ftp://{CANARY}@o0.ingest.sentry.io/1",
    f"https://{CANARY}\N{SNOWMAN}@o0.ingest.sentry.io/1",
    f"https:/{CANARY}@o0.ingest.sentry.io/1",
    f'"https://{CANARY}@o0.ingest.sentry.io/1"',
    f"https://o0.ingest.sentry.io/1?{CANARY}",
]


@pytest.mark.parametrize("dsn", MALFORMED)
def test_a_malformed_dsn_is_one_warning_that_hides_the_key(
    provider: TracerProvider, caplog: pytest.LogCaptureFixture, dsn: str
) -> None:
    assert connect(provider, dsn=dsn, **FEW) is None

    (line,) = warnings(caplog)
    assert "DSN" in line
    assert CANARY not in caplog.text
    assert "\n" not in line
    assert sentry_sdk.get_client().dsn is None


@pytest.mark.parametrize("dsn", MALFORMED)
def test_where_strict_a_malformed_dsn_is_an_error_that_hides_the_key(
    provider: TracerProvider, monkeypatch: pytest.MonkeyPatch, dsn: str
) -> None:
    monkeypatch.setenv("BREAKER_EXPORTER_STRICT", "1")
    monkeypatch.setenv("SENTRY_DSN", dsn)
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")

    with pytest.raises(TelemetryError, match="DSN") as by_call:
        connect(provider, **FEW)
    with pytest.raises(TelemetryError, match="DSN") as by_telemetry:
        Telemetry(provider=provider).start()

    for caught in (by_call, by_telemetry):
        assert CANARY not in str(caught.value)
        assert "\n" not in str(caught.value)
        assert caught.value.__cause__ is None


def test_a_telemetry_that_could_not_start_leaves_no_threads(
    collector: FaultyCollector, provider: TracerProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BREAKER_EXPORTER_STRICT", "1")
    telemetry = Telemetry(provider=provider, endpoint=collector.http_base, sentry=Sentry(dsn="nonsense"))
    before = threading.enumerate()

    with pytest.raises(TelemetryError):
        telemetry.start()
    telemetry.stop()

    left = [thread.name for thread in threading.enumerate() if thread not in before]
    assert [name for name in left if "Otel" in name] == []


def missing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "sentry_sdk"]:
        monkeypatch.setitem(sys.modules, name, None)


def too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sentry_sdk.consts.VERSION", "2.47.9")


def without_otlp(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sentry_sdk.consts.VERSION", "3.1.0")
    monkeypatch.setitem(sys.modules, "sentry_sdk.integrations.otlp", None)


def without_span_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sentry_sdk.consts.VERSION", "3.1.0")
    monkeypatch.setitem(sys.modules, "sentry_sdk.integrations.opentelemetry", None)


def not_enabled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "sentry_sdk.integrations.otlp")
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)


BROKEN = pytest.mark.parametrize(
    ("mode", "broken", "words"),
    [
        (SentryMode.OTLP, missing, ["sentry-sdk is missing", 'pip install "breaker-exporter[sentry]"']),
        (SentryMode.SPAN_PROCESSOR, missing, ["sentry-sdk is missing"]),
        (SentryMode.OTLP, too_old, ["mode otlp", "needs sentry-sdk 2.48", "2.47.9 is installed"]),
        (SentryMode.SPAN_PROCESSOR, too_old, ["mode span_processor", "2.48", "2.47.9 is installed"]),
        (SentryMode.OTLP, without_otlp, ["mode otlp", "2.48", "3.1.0 is installed"]),
        (SentryMode.SPAN_PROCESSOR, without_span_processor, ["span_processor", "2.48", "3.1.0 is installed"]),
        (
            SentryMode.OTLP,
            not_enabled,
            [
                "needs opentelemetry-exporter-otlp-proto-http",
                'pip install "breaker-exporter[sentry]"',
            ],
        ),
    ],
)


@BROKEN
def test_a_sentry_sdk_that_cannot_be_used_is_one_warning_that_says_which_can(
    sentry: FaultyCollector,
    provider: TracerProvider,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    mode: SentryMode,
    broken: Any,
    words: list[str],
) -> None:
    with monkeypatch.context() as patched:
        broken(patched)
        assert connect(provider, dsn=sentry.sentry_dsn, mode=mode, **FEW) is None

    (line,) = warnings(caplog)
    assert [word for word in words if word not in line] == []
    assert sentry_sdk.get_client().dsn is None


@BROKEN
def test_where_strict_a_sentry_sdk_that_cannot_be_used_is_an_error(
    sentry: FaultyCollector,
    provider: TracerProvider,
    monkeypatch: pytest.MonkeyPatch,
    mode: SentryMode,
    broken: Any,
    words: list[str],
) -> None:
    monkeypatch.setenv("BREAKER_EXPORTER_STRICT", "1")
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    telemetry = Telemetry(provider=provider, sentry=Sentry(dsn=sentry.sentry_dsn, mode=mode))

    with monkeypatch.context() as patched:
        broken(patched)
        with pytest.raises(TelemetryError) as by_call:
            connect(provider, dsn=sentry.sentry_dsn, mode=mode, **FEW)
        with pytest.raises(TelemetryError) as by_telemetry:
            telemetry.start()

    for caught in (by_call, by_telemetry):
        assert [word for word in words if word not in str(caught.value)] == []


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"dsn": 7}, TypeError, "dsn must be a string, not int"),
        ({"mode": "otlp"}, TypeError, "mode must be a SentryMode, not 'otlp'"),
        ({"release": 7}, TypeError, "release must be a string"),
        ({"release": " "}, ValueError, "release must not be empty"),
        ({"environment": 7}, TypeError, "environment must be a string"),
        ({"environment": ""}, ValueError, "environment must not be empty"),
        ({"traces_sample_rate": "1"}, TypeError, "traces_sample_rate must be a number from 0 to 1"),
        ({"traces_sample_rate": True}, TypeError, "traces_sample_rate must be a number from 0 to 1"),
        ({"traces_sample_rate": -0.1}, ValueError, "traces_sample_rate must be a number from 0 to 1"),
        ({"traces_sample_rate": 1.1}, ValueError, "traces_sample_rate must be a number from 0 to 1"),
        ({"traces_sample_rate": float("nan")}, ValueError, "traces_sample_rate must be a number from 0"),
        ({"report_transitions": 1}, TypeError, "report_transitions must be True or False"),
        ({"options": [("a", 1)]}, TypeError, "options must be a mapping"),
        ({"options": {"instrumenter": "otel"}}, ValueError, "options must not have instrumenter"),
        ({"options": {"dsn": "", "release": ""}}, ValueError, "options must not have dsn, release"),
    ],
)
def test_the_settings_are_checked_when_they_are_made(
    arguments: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        Sentry(**arguments)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"dsn": b"https://key@host/1"}, TypeError),
        ({"mode": "otlp"}, TypeError),
        ({"traces_sample_rate": 2}, ValueError),
        ({"traces_sample_rate": "1"}, TypeError),
        ({"report_transitions": "yes"}, TypeError),
        ({"report_transitions": 1}, TypeError),
        ({"instrumenter": "otel"}, ValueError),
    ],
)
def test_bad_settings_of_connect_sentry_raise(
    provider: TracerProvider, arguments: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        connect(provider, **arguments)


@pytest.mark.parametrize("wrong", [None, NoOpTracerProvider(), TracerProvider])
def test_a_provider_that_is_none_of_the_sdks_is_refused(sentry: FaultyCollector, wrong: Any) -> None:
    with pytest.raises(TypeError, match="provider must be an opentelemetry"):
        connect(wrong, dsn=sentry.sentry_dsn)
    init_as_the_application(sentry.sentry_dsn)
    with pytest.raises(TypeError, match="provider must be an opentelemetry"):
        connect(wrong)


@pytest.mark.parametrize("wrong", ["https://key@host/1", SentryMode.OTLP, Sentry, {}])
def test_settings_that_are_no_sentry_object_are_refused(provider: TracerProvider, wrong: Any) -> None:
    for take in (lambda: Telemetry(sentry=wrong), lambda: connect_sentry(provider, wrong)):
        with pytest.raises(TypeError, match="sentry must be a Sentry, such as") as caught:
            take()
        assert "key@" not in str(caught.value)


def test_the_key_is_in_no_representation() -> None:
    given = Sentry(dsn=f"https://{CANARY}@o0.ingest.sentry.io/1", options={"http_proxy": CANARY})

    assert repr(given) == "Sentry(dsn='https://***@o0.ingest.sentry.io/1', options={'http_proxy': ...})"
    assert repr(Sentry(dsn=CANARY)) == "Sentry(dsn='***')"
    assert CANARY not in repr(settings_in_force(given, Environment({}), None))


def test_a_representation_has_what_was_given_and_no_more() -> None:
    given = Sentry(mode=SentryMode.OTLP, traces_sample_rate=0.0, report_transitions=True)

    assert repr(Sentry()) == "Sentry()"
    assert repr(given) == (
        "Sentry(mode=<SentryMode.OTLP: 'otlp'>, traces_sample_rate=0.0, report_transitions=True)"
    )


class Failing(importlib.abc.MetaPathFinder):
    """Makes the import of a module fail as it is told."""

    def __init__(self, name: str, error: Exception) -> None:
        self._name = name
        self._error = error

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> None:
        if fullname == self._name:
            raise self._error


def fail_to_import(monkeypatch: pytest.MonkeyPatch, name: str, error: Exception) -> None:
    monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(sys, "meta_path", [Failing(name, error), *sys.meta_path])


def no_option(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    return {"no_such_option": CANARY}


def no_value(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    return {"integrations": 5}


def no_transport(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    class Refusing(Transport):
        def __init__(self, options: Any) -> None:
            raise RuntimeError(f"no transport for {CANARY}")

        def capture_envelope(self, envelope: Any) -> None: ...

    return {"transport": Refusing, "server_name": CANARY}


def broken_package(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    fail_to_import(monkeypatch, "sentry_sdk.consts", RuntimeError(CANARY))
    return {}


def package_without_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    fail_to_import(
        monkeypatch, "sentry_sdk.consts", ModuleNotFoundError("No module named 'certifi'", name="certifi")
    )
    return {}


def no_exporter(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    for module in ("breaker_exporter.otlp._http_spans", "breaker_exporter.sentry._exporter"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    fail_to_import(monkeypatch, "breaker_exporter.otlp._http_spans", ImportError("no module for OTLP"))
    return {}


def no_propagator(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.delattr("sentry_sdk.integrations.otlp.SentryOTLPPropagator")
    return {}


def no_ignoring(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.delattr("sentry_sdk.integrations.logging.ignore_logger")
    return {}


def not_enabled_by_sentry(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    fail_to_import(monkeypatch, "sentry_sdk.integrations.otlp", DidNotEnable(CANARY))
    return {}


FAILURES = pytest.mark.parametrize(
    ("failing", "words"),
    [
        (no_option, ["Sentry is off: sentry_sdk.init does not take", "TypeError: Unknown option 'no_such"]),
        (no_value, ["Sentry is off: sentry_sdk.init does not take", "TypeError: 'int' object is not iter"]),
        (
            no_transport,
            ["Sentry is off: sentry_sdk.init does", "RuntimeError: no transport for ***"],
        ),
        (broken_package, ["sentry-sdk is installed, and cannot be imported (RuntimeError", "pip install"]),
        (
            package_without_what_it_needs,
            ["is installed, and cannot be", "No module named 'certifi'", "pip"],
        ),
        (no_exporter, ["Sentry gets errors, and no spans: ImportError: ", "no module for OTLP"]),
        (no_ignoring, ["no spans go to Sentry: AttributeError"]),
        (not_enabled_by_sentry, ["Sentry is off: the mode otlp is not enabled by sentry-sdk", "pip install"]),
        (no_propagator, ["Sentry gets errors, and no spans: ImportError"]),
    ],
)


@FAILURES
def test_whatever_fails_is_one_warning_and_nothing_is_raised(
    sentry: FaultyCollector,
    provider: TracerProvider,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    failing: Callable[[pytest.MonkeyPatch], dict[str, Any]],
    words: list[str],
) -> None:
    """P6: a mistake in telemetry settings never keeps a service down."""
    with monkeypatch.context() as patched:
        assert connect(provider, dsn=sentry.sentry_dsn, **{**FEW, **failing(patched)}) is None

    (line,) = warnings(caplog)
    assert [word for word in words if word not in line] == []
    assert CANARY not in line


@FAILURES
def test_where_strict_whatever_fails_is_an_error(
    sentry: FaultyCollector,
    provider: TracerProvider,
    monkeypatch: pytest.MonkeyPatch,
    failing: Callable[[pytest.MonkeyPatch], dict[str, Any]],
    words: list[str],
) -> None:
    monkeypatch.setenv("BREAKER_EXPORTER_STRICT", "1")
    with monkeypatch.context() as patched, pytest.raises(TelemetryError) as caught:
        connect(provider, dsn=sentry.sentry_dsn, **{**FEW, **failing(patched)})

    assert [word for word in words if word not in str(caught.value)] == []
    assert caught.value.__cause__ is None


def test_an_exporter_that_cannot_be_made_costs_no_errors(
    sentry: FaultyCollector, provider: TracerProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        connect(provider, dsn=sentry.sentry_dsn, **{**FEW, **no_exporter(patched)})

    span = fail_in_a_span(provider)

    assert [linked(event) for event in arrived(sentry)] == [span]


def test_where_the_application_has_a_client_the_warning_does_not_call_sentry_off(
    sentry: FaultyCollector,
    provider: TracerProvider,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    init_as_the_application(sentry.sentry_dsn)
    monkeypatch.setattr("sentry_sdk.consts.VERSION", "2.47.9")

    assert connect(provider) is None

    (line,) = warnings(caplog)
    assert line.startswith("no spans go to Sentry: the mode otlp needs sentry-sdk 2.48")
    assert 'pip install "sentry-sdk>=2.48,<3"' in line
