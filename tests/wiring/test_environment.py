"""The meaning of variables, of bad ones too, and how they go together with arguments."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from breaker_exporter import CircuitBreakerSpanExporter
from breaker_exporter._all_settings import OURS
from breaker_exporter._base import environment as _env
from breaker_exporter._base.environment import Environment, TelemetryError
from breaker_exporter._base.redaction import secrets_of_environment
from breaker_exporter._wiring import batch_settings, exporter_names, provider_variables
from breaker_exporter._wiring.profiles import PROFILES, Profile
from breaker_exporter._wiring.settings import Arguments, Settings
from breaker_exporter._wiring.switches import GC_FREEZE, SDK_DISABLED
from breaker_exporter.otlp import CooperativeOTLPSpanExporter
from breaker_exporter.otlp import _environment as variables
from breaker_exporter.otlp._signals import TRACES
from breaker_exporter.testing import ScriptedExporter


def settings(environ: dict[str, str], **arguments: object) -> Settings:
    given, environment = Arguments(**arguments), Environment(environ)  # type: ignore[arg-type]
    environment.check_names(OURS)
    return given.settings(environment, given.defaults(environment))


def everything(environ: dict[str, str], protocol: str = "http/protobuf") -> Environment:
    """An environment of which everything was read."""
    environment = Environment(environ)
    environment.check_names(OURS)
    Arguments().settings(environment, PROFILES[Profile.PRODUCTION])
    environment.in_force(SDK_DISABLED)
    provider_variables.check_provider(environment, PROFILES[Profile.PRODUCTION].sampler)
    variables.check(environment, protocol, TRACES)  # type: ignore[arg-type]
    return environment


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    assert all(record.levelno <= logging.WARNING for record in caplog.records)
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def test_nothing_set_gives_the_defaults(caplog: pytest.LogCaptureFixture) -> None:
    found = settings({})

    assert (found.timeout, found.export_timeout, found.shutdown_timeout) == (5.0, 7.0, 5.0)
    assert (found.failure_threshold, found.cooldown, found.max_cooldown) == (3, 15.0, 60.0)
    assert (found.protocol, found.endpoint, found.headers) == ("http/protobuf", None, None)
    assert (found.switch_interval, Environment({}).in_force(GC_FREEZE)) == (0.0003, True)
    everything({})
    assert warnings(caplog) == []


def test_each_variable_sets_its_setting(caplog: pytest.LogCaptureFixture) -> None:
    found = settings(
        {
            "BREAKER_EXPORTER_FAILURE_THRESHOLD": "5",
            "BREAKER_EXPORTER_COOLDOWN": "2.5",
            "BREAKER_EXPORTER_MAX_COOLDOWN": " 20 ",
            "BREAKER_EXPORTER_EXPORT_TIMEOUT": "12",
            "BREAKER_EXPORTER_SHUTDOWN_TIMEOUT": "3",
            "BREAKER_EXPORTER_SWITCH_INTERVAL": "0.001",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "8",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        }
    )
    assert found.switch_interval == 0.001
    assert not Environment({"BREAKER_EXPORTER_GC_FREEZE": "0"}).in_force(GC_FREEZE)

    assert (found.failure_threshold, found.cooldown, found.max_cooldown) == (5, 2.5, 20.0)
    assert (found.timeout, found.export_timeout, found.shutdown_timeout) == (8.0, 12.0, 3.0)
    assert found.protocol == "grpc"
    assert warnings(caplog) == []


def test_the_variable_for_traces_wins_over_the_one_for_all_signals() -> None:
    found = settings(
        {
            "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "3",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "8",
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        }
    )

    assert (found.timeout, found.protocol) == (3.0, "grpc")


def test_an_argument_wins_over_its_variable_even_over_a_bad_one(caplog: pytest.LogCaptureFixture) -> None:
    found = settings({"BREAKER_EXPORTER_COOLDOWN": "soon"}, cooldown=2.0)

    assert found.cooldown == 2.0
    assert warnings(caplog) == []


BAD = {
    "BREAKER_EXPORTER_FAILURE_THRESHOLD": ["0", "-1", "2.5", "many", "nan"],
    "BREAKER_EXPORTER_COOLDOWN": ["0", "-3", "nan", "inf", "soon", "1e400"],
    "BREAKER_EXPORTER_MAX_COOLDOWN": ["0", "14", "never"],
    "BREAKER_EXPORTER_EXPORT_TIMEOUT": ["0", "5", "4.9", "long"],
    "BREAKER_EXPORTER_SHUTDOWN_TIMEOUT": ["0", "-1", "quick"],
    "BREAKER_EXPORTER_STRICT": ["perhaps"],
    "OTEL_SDK_DISABLED": ["1", "yes"],
    "OTEL_EXPORTER_OTLP_TIMEOUT": ["0", "10s"],
    "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": ["-1"],
    "OTEL_EXPORTER_OTLP_PROTOCOL": ["http/json", "carrier pigeon"],
    "OTEL_EXPORTER_OTLP_ENDPOINT": ["collector:4318", "http://", "http://collector:port", "localhost"],
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": ["/v1/traces"],
    "OTEL_EXPORTER_OTLP_COMPRESSION": ["zip"],
    "OTEL_EXPORTER_OTLP_CERTIFICATE": ["/no/such/file.pem"],
    "OTEL_EXPORTER_OTLP_CLIENT_KEY": ["/no/such/key.pem"],
    "OTEL_BSP_MAX_QUEUE_SIZE": ["0", "all", "100"],
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": ["0", "2049", "half"],
    "OTEL_BSP_SCHEDULE_DELAY": ["0", "soon"],
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": ["-1", "few"],
    "OTEL_TRACES_SAMPLER": ["sometimes"],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in BAD.items() for value in values]
)
def test_a_bad_value_is_one_warning_with_variable_and_value_and_counts_as_unset(
    caplog: pytest.LogCaptureFixture, name: str, value: str
) -> None:
    environ = {name: value}
    everything(environ)

    (warning,) = warnings(caplog)
    assert name in warning
    assert value in warning or str(float(value)) in warning or float(value) == float("inf")
    assert "must" in warning
    assert settings({name: value}) == settings({})


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, values[0]) for name, values in BAD.items() if name != "BREAKER_EXPORTER_STRICT"],
)
def test_strict_makes_a_bad_value_an_error_in_one_line(
    caplog: pytest.LogCaptureFixture, name: str, value: str
) -> None:
    with pytest.raises(TelemetryError, match=name) as raised:
        everything({name: value, "BREAKER_EXPORTER_STRICT": "1"})

    assert "\n" not in str(raised.value)
    assert warnings(caplog) == []


@pytest.mark.parametrize("word", ["1", "true", "True", "yes", "on"])
def test_strict_has_the_usual_words(word: str) -> None:
    assert Environment({"BREAKER_EXPORTER_STRICT": word}).strict


@pytest.mark.parametrize("word", ["", "0", "false", "no", "off"])
def test_and_the_usual_words_against_it(word: str) -> None:
    assert not Environment({"BREAKER_EXPORTER_STRICT": word}).strict


@pytest.mark.parametrize("word", ["true", "TRUE", " true "])
def test_the_sdk_is_disabled_by_the_word_true(word: str) -> None:
    assert Environment({"OTEL_SDK_DISABLED": word}).in_force(SDK_DISABLED)


@pytest.mark.parametrize(
    ("otlp", "export", "expected"),
    [
        ("3", None, (3.0, 5.0)),
        ("13", None, (13.0, 15.0)),
        ("10", "10.5", (10.0, 10.5)),
        ("40", "60", (40.0, 60.0)),
        (None, "5.1", (5.0, 5.1)),
    ],
)
def test_the_export_timeout_lies_above_the_otlp_timeout(
    caplog: pytest.LogCaptureFixture, otlp: str | None, export: str | None, expected: tuple[float, float]
) -> None:
    environ = {"OTEL_EXPORTER_OTLP_TIMEOUT": otlp or "", "BREAKER_EXPORTER_EXPORT_TIMEOUT": export or ""}
    found = settings(environ)

    assert (found.timeout, found.export_timeout) == expected
    assert warnings(caplog) == []


def test_a_longer_otlp_timeout_is_cut_with_a_warning_strict_or_not(caplog: pytest.LogCaptureFixture) -> None:
    found = settings({"OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "30", "BREAKER_EXPORTER_STRICT": "1"})

    assert (found.timeout, found.export_timeout) == (13.0, 15.0)
    (warning,) = warnings(caplog)
    assert "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT is 30 s" in warning
    assert "13 s" in warning
    assert "milliseconds" not in warning


def test_a_timeout_given_in_code_is_cut_too(caplog: pytest.LogCaptureFixture) -> None:
    assert settings({}, timeout=20.0).timeout == 13.0
    assert "timeout is 20 s" in warnings(caplog)[0]


TIMES = {
    "timeout": ("OTEL_EXPORTER_OTLP_TIMEOUT", 5000.0, 50.0),
    "export_timeout": ("BREAKER_EXPORTER_EXPORT_TIMEOUT", 7000.0, 60.0),
    "shutdown_timeout": ("BREAKER_EXPORTER_SHUTDOWN_TIMEOUT", 5000.0, 30.0),
    "cooldown": ("BREAKER_EXPORTER_COOLDOWN", 15000.0, 600.0),
    "max_cooldown": ("BREAKER_EXPORTER_MAX_COOLDOWN", 60000.0, 3600.0),
}


@pytest.mark.parametrize("setting", TIMES)
@pytest.mark.parametrize("way", ["argument", "variable"])
def test_a_number_that_looks_like_milliseconds_is_one_warning_in_code_and_in_a_variable(
    caplog: pytest.LogCaptureFixture, setting: str, way: str
) -> None:
    variable, long, fine = TIMES[setting]
    name = variable if way == "variable" else setting
    others = {"BREAKER_EXPORTER_EXPORT_TIMEOUT": "60"} if setting == "timeout" else {}
    for value, expected in ((long, 1), (fine, 0)):
        caplog.clear()
        if way == "variable":
            settings({**others, variable: str(value)})
        else:
            given = Arguments(**{setting: value})  # type: ignore[arg-type]
            given.check(lambda names: any(name in others for name in names))
            given.settings(Environment(dict(others)), PROFILES[Profile.PRODUCTION])

        found = [text for text in warnings(caplog) if "looks like milliseconds" in text]
        assert len(found) == expected
        assert all(f"{name} is {value:g} s" in text for text in found)


def test_a_constructor_tells_it_too_and_what_was_told_once_is_not_told_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    CircuitBreakerSpanExporter(ScriptedExporter(), cooldown=15000, max_cooldown=60000, export_timeout=7000)
    CooperativeOTLPSpanExporter(timeout=5000)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "5000")
    CooperativeOTLPSpanExporter()
    found = warnings(caplog)
    assert len(found) == 5
    assert all("looks like milliseconds" in text for text in found)

    caplog.clear()
    told = settings({}, cooldown=15000.0, max_cooldown=60000.0)
    CircuitBreakerSpanExporter(ScriptedExporter(), cooldown=told.cooldown, max_cooldown=told.max_cooldown)
    assert warnings(caplog) == []


def test_a_long_otlp_timeout_below_its_export_timeout_is_kept_and_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    found = settings({"OTEL_EXPORTER_OTLP_TIMEOUT": "70"}, export_timeout=80.0)

    assert (found.timeout, found.export_timeout) == (70.0, 80.0)
    (warning,) = warnings(caplog)
    assert "OTEL_EXPORTER_OTLP_TIMEOUT is 70 s, which looks like milliseconds" in warning


def test_an_export_timeout_from_the_code_that_the_environment_undercuts_fails_open(
    caplog: pytest.LogCaptureFixture,
) -> None:
    found = settings({"OTEL_EXPORTER_OTLP_TIMEOUT": "9"}, export_timeout=8.0)

    assert (found.timeout, found.export_timeout) == (9.0, 11.0)
    (warning,) = warnings(caplog)
    assert "export_timeout must be above the OTLP timeout (9 s), not 8" in warning


@pytest.mark.parametrize(
    ("environ", "arguments", "expected"),
    [
        ({"BREAKER_EXPORTER_COOLDOWN": "90"}, {}, (90.0, 90.0)),
        ({}, {"cooldown": 90.0}, (90.0, 90.0)),
        ({"BREAKER_EXPORTER_COOLDOWN": "30", "BREAKER_EXPORTER_MAX_COOLDOWN": "30"}, {}, (30.0, 30.0)),
    ],
)
def test_the_longest_cooldown_is_never_below_the_first(
    caplog: pytest.LogCaptureFixture,
    environ: dict[str, str],
    arguments: dict[str, float],
    expected: tuple[float, float],
) -> None:
    """C11: raised where it is a default."""
    found = settings(environ, **arguments)

    assert (found.cooldown, found.max_cooldown) == expected
    assert warnings(caplog) == []


def test_a_max_cooldown_below_a_cooldown_from_elsewhere_fails_open(caplog: pytest.LogCaptureFixture) -> None:
    found = settings({"BREAKER_EXPORTER_COOLDOWN": "40"}, max_cooldown=30.0)

    assert (found.cooldown, found.max_cooldown) == (40.0, 60.0)
    (warning,) = warnings(caplog)
    assert "max_cooldown must not be below the cooldown (40 s), not 30" in warning


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        ("http://collector:4318", "http://collector:4318/v1/traces"),
        ("http://collector:4318/", "http://collector:4318/v1/traces"),
        ("https://vendor.example/otlp", "https://vendor.example/otlp/v1/traces"),
        ("http://collector:4318/v1/traces", "http://collector:4318/v1/traces"),
        ("https://vendor.example/v1/traces/?key=1", "https://vendor.example/v1/traces?key=1"),
    ],
)
def test_an_http_endpoint_in_code_is_a_base_url(endpoint: str, expected: str) -> None:
    assert settings({}, endpoint=endpoint).endpoint == expected


@pytest.mark.parametrize("endpoint", ["http://collector:4317", "collector:4317", "unix:///run/otel.sock"])
def test_a_grpc_endpoint_in_code_stays_as_it_is(endpoint: str) -> None:
    assert settings({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, endpoint=endpoint).endpoint == endpoint


def test_a_grpc_endpoint_under_a_protocol_that_turns_out_bad_is_left_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    found = settings({"OTEL_EXPORTER_OTLP_PROTOCOL": "grcp"}, endpoint="collector:4317")

    assert (found.protocol, found.endpoint) == ("http/protobuf", None)
    protocol, endpoint = warnings(caplog)
    assert "OTEL_EXPORTER_OTLP_PROTOCOL" in protocol
    assert "endpoint must be a URL" in endpoint


def test_a_bad_url_is_shown_without_its_credentials_and_query(caplog: pytest.LogCaptureFixture) -> None:
    everything({"OTEL_EXPORTER_OTLP_ENDPOINT": "htp://me:s3cret@collector:4318/?token=s3cret"})

    (warning,) = warnings(caplog)
    assert "htp://***@collector:4318/?***" in warning
    assert "s3cret" not in warning


def test_grpc_compression_knows_no_deflate(caplog: pytest.LogCaptureFixture) -> None:
    everything({"OTEL_EXPORTER_OTLP_COMPRESSION": "deflate"}, protocol="grpc")

    (warning,) = warnings(caplog)
    assert "OTEL_EXPORTER_OTLP_COMPRESSION must be one of none, gzip" in warning


def test_batches_larger_than_the_queue_take_both_sizes_back(caplog: pytest.LogCaptureFixture) -> None:
    environ = {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "300", "OTEL_BSP_MAX_QUEUE_SIZE": "200"}
    environment = everything(environ)

    (warning,) = warnings(caplog)
    assert "OTEL_BSP_MAX_EXPORT_BATCH_SIZE (300) must not be above OTEL_BSP_MAX_QUEUE_SIZE (200)" in warning
    assert batch_settings.batching(environment, 5000) == (2048, 512, 5000, 30000)


@pytest.mark.parametrize("value", ["1.5", "-0.1", "half", "nan"])
def test_a_sampling_ratio_lies_between_0_and_1(caplog: pytest.LogCaptureFixture, value: str) -> None:
    everything({"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": value})

    (warning,) = warnings(caplog)
    assert "OTEL_TRACES_SAMPLER_ARG must be a number from 0 to 1" in warning


def test_the_argument_of_a_sampler_without_ratio_is_nobodys_business(
    caplog: pytest.LogCaptureFixture,
) -> None:
    everything({"OTEL_TRACES_SAMPLER": "always_on", "OTEL_TRACES_SAMPLER_ARG": "half"})

    assert warnings(caplog) == []


@pytest.mark.parametrize(
    ("value", "names"),
    [("", ("otlp",)), ("console, otlp,console", ("console", "otlp")), ("none", ("none",)), (",", ())],
)
def test_exporters_are_a_list_of_names(value: str, names: tuple[str, ...]) -> None:
    assert exporter_names.listed(Environment({"OTEL_TRACES_EXPORTER": value})) == names


def test_what_no_argument_can_replace_is_taken_away_for_a_moment_and_comes_back() -> None:
    environ = {"OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "soon", "OTEL_SERVICE_NAME": "shop"}
    before = dict(environ)
    environment = Environment(environ)

    with environment.hidden(["OTEL_EXPORTER_OTLP_TRACES_TIMEOUT"]):
        assert environ == {"OTEL_SERVICE_NAME": "shop"}
    assert environ == before

    with contextlib.suppress(KeyError), environment.hidden(before):
        raise KeyError
    assert environ == before


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("BREAKER_EXPORTER_COOL_DOWN", "BREAKER_EXPORTER_COOLDOWN"),
        ("BREAKER_EXPORTER_cooldown", "BREAKER_EXPORTER_COOLDOWN"),
        ("BREAKER_EXPORTER_TRESHOLD", "BREAKER_EXPORTER_FAILURE_THRESHOLD"),
        ("BREAKER_EXPORTER_MAXCOOLDOWN", "BREAKER_EXPORTER_MAX_COOLDOWN"),
        ("BRAKER_EXPORTER_COOLDOWN", "BREAKER_EXPORTER_COOLDOWN"),
        ("BREAKER_EXPORT_STRICT", "BREAKER_EXPORTER_STRICT"),
    ],
)
def test_a_misspelt_variable_of_ours_is_told_with_the_nearest_known_name(
    caplog: pytest.LogCaptureFixture, name: str, near: str
) -> None:
    settings({name: "3"})

    (warning,) = warnings(caplog)
    assert warning.startswith(f"{name} is no variable that anything reads: did you mean {near}?")
    with pytest.raises(TelemetryError, match=name):
        settings({name: "3", "BREAKER_EXPORTER_STRICT": "1"})


def test_a_name_like_no_other_is_told_with_all_that_are_known(caplog: pytest.LogCaptureFixture) -> None:
    settings({"BREAKER_EXPORTER_XYZ": "1"})

    (warning,) = warnings(caplog)
    assert "known are BREAKER_EXPORTER_COOLDOWN, " in warning


def test_variables_of_others_are_nobodys_business(caplog: pytest.LogCaptureFixture) -> None:
    settings({"PATH": "/", "OTEL_EXPORTER_OTLP_TIMEUOT": "1", "BREAKER_BOX": "1", "BREAKER_EXPORTER_X": ""})

    assert warnings(caplog) == []


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"BREAKER_EXPORTER_COOLDOWN": "soon"}, "must be a finite number of seconds"),
        ({"BREAKER_EXPORTER_EXPORT_TIMEOUT": "4"}, "must be above the OTLP timeout"),
        ({"BREAKER_EXPORTER_MAX_COOLDOWN": "4"}, "must not be below the cooldown"),
        ({"OTEL_BSP_MAX_QUEUE_SIZE": "100"}, "must not be above"),
        ({"OTEL_EXPORTER_OTLP_HEADERS": "a"}, "must be name=value"),
        ({"OTEL_EXPORTER_OTLP_CLIENT_KEY": "/no/such"}, "must be a readable file"),
        ({"BREAKER_EXPORTER_COOL_DOWN": "3"}, "did you mean"),
    ],
)
def test_a_strict_start_says_what_is_wrong_and_not_what_would_come_of_it(
    environ: dict[str, str], words: str
) -> None:
    with pytest.raises(TelemetryError, match=words) as raised:
        everything({**environ, "BREAKER_EXPORTER_STRICT": "1"})

    assert ";" not in str(raised.value)
    assert not re.search("taken as|using|left out|no effect|gets it", str(raised.value))


@pytest.mark.parametrize("value", ["1", "yes"])
def test_insecure_is_read_as_opentelemetry_reads_it_and_told(
    caplog: pytest.LogCaptureFixture, value: str
) -> None:
    environment = everything({"OTEL_EXPORTER_OTLP_INSECURE": value}, protocol="grpc")

    assert variables.insecure(environment, TRACES) == ("OTEL_EXPORTER_OTLP_INSECURE", False)
    (warning,) = warnings(caplog)
    assert "OTEL_EXPORTER_OTLP_INSECURE must be true or false" in warning


@pytest.mark.parametrize(("value", "is_insecure"), [("true", True), ("TRUE", True), ("false", False)])
def test_insecure_is_read_without_a_warning(
    caplog: pytest.LogCaptureFixture, value: str, is_insecure: bool
) -> None:
    name = "OTEL_EXPORTER_OTLP_TRACES_INSECURE"
    environment = everything({name: value, "OTEL_EXPORTER_OTLP_INSECURE": "perhaps"}, protocol="grpc")

    assert variables.insecure(environment, TRACES) == (name, is_insecure)
    assert warnings(caplog) == []


DEFAULT = "http://localhost:4318/v1/traces"
ENDPOINTS = {
    "http://h:4318": "http://h:4318/v1/traces",
    "http://h:4318/": "http://h:4318/v1/traces",
    " http://h:4318 ": "http://h:4318/v1/traces",
    "http://h:4318?api-key=s": "http://h:4318/v1/traces?api-key=s",
    "https://h/otlp/?a=b&c=d": "https://h/otlp/v1/traces?a=b&c=d",
    "http://h:4318/v1/traces": "http://h:4318/v1/traces",
    "http://h:4318/v1/traces/": "http://h:4318/v1/traces",
    "http://u:p@[::1]:4318": "http://u:p@[::1]:4318/v1/traces",
    "http://h:4318#there": "http://h:4318/v1/traces",
}


@pytest.mark.parametrize("base", ENDPOINTS)
def test_a_base_url_leads_to_the_same_place_in_code_and_in_a_variable(base: str) -> None:
    environment = Environment({"OTEL_EXPORTER_OTLP_ENDPOINT": base})

    assert variables.endpoint(environment, "http/protobuf", TRACES) == ENDPOINTS[base]
    assert settings({}, endpoint=base).endpoint == ENDPOINTS[base]


@pytest.mark.parametrize("url", ["http://h:4318/", "http://h/x?k=v", " https://h/v1/traces\n"])
def test_the_url_of_traces_is_used_as_it_is_but_for_blanks_around_it(url: str) -> None:
    environment = Environment({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": url})

    assert variables.endpoint(environment, "http/protobuf", TRACES) == url.strip()


@pytest.mark.parametrize(
    "url", ["http://h h:4318", "http://h:4318/a\tb", "http://h\n:4318", "http://h:99999"]
)
def test_what_is_no_url_is_none_in_code_and_in_a_variable(caplog: pytest.LogCaptureFixture, url: str) -> None:
    environment = Environment({"OTEL_EXPORTER_OTLP_ENDPOINT": url})

    assert variables.endpoint(environment, "http/protobuf", TRACES) == DEFAULT
    assert "OTEL_EXPORTER_OTLP_ENDPOINT must be a URL" in warnings(caplog)[0]
    with pytest.raises(ValueError, match="endpoint must be a URL"):
        Arguments(endpoint=url).check(lambda names: False)


USERS = [
    "http://user:s3cret@h:4317",
    "https://user@h",
    "user:s3cret@h:4317",
    "dns:///u:s3cret@h:4317",
    "HTTP://a:s3cret@h",
]


@pytest.mark.parametrize("endpoint", USERS)
def test_a_user_in_an_endpoint_of_grpc_is_refused_at_the_start_without_its_password(
    caplog: pytest.LogCaptureFixture, endpoint: str
) -> None:
    environment = everything({"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}, protocol="grpc")

    assert variables.endpoint(environment, "grpc", TRACES) == "http://localhost:4317"
    (warning,) = warnings(caplog)
    assert "OTEL_EXPORTER_OTLP_ENDPOINT must have no user in it for gRPC" in warning
    with pytest.raises(ValueError, match="endpoint must have no user") as raised:
        Arguments(endpoint=endpoint, protocol="grpc").check(lambda names: False)
    assert "s3cret" not in warning + str(raised.value)


@pytest.mark.parametrize(
    "endpoint", ['"http://h:4317"', "'h:4317'", '"https://u:s3cret@h"', "http://h :4317"]
)
def test_an_endpoint_in_quotes_is_none_by_either_protocol(
    caplog: pytest.LogCaptureFixture, endpoint: str
) -> None:
    """As a file of variables leaves them where it is no shell's; gRPC would look for a host of that name."""
    for protocol in ("http/protobuf", "grpc"):
        environment = everything({"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}, protocol=protocol)
        assert variables.endpoint(environment, "grpc", TRACES) == "http://localhost:4317"
        assert variables.endpoint(environment, "http/protobuf", TRACES) == DEFAULT
    assert len(set(warnings(caplog))) == 2
    assert "s3cret" not in caplog.text


def test_a_user_is_fine_where_the_environment_may_say_http(caplog: pytest.LogCaptureFixture) -> None:
    arguments = Arguments(endpoint="http://user:s3cret@h:4318")
    arguments.check(lambda names: True)

    by_grpc = arguments.settings(
        Environment({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}), PROFILES[Profile.PRODUCTION]
    )

    assert by_grpc.endpoint is None
    (warning,) = warnings(caplog)
    assert "endpoint must have no user in it for gRPC" in warning
    assert "s3cret" not in warning


def test_a_lock_that_nobody_gives_back_keeps_no_start_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a child that was forked while another thread of its parent held it."""
    monkeypatch.setattr(_env, "_LONGEST_CHANGE", 0.0)
    environ = {"OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "soon"}
    with ThreadPoolExecutor(1) as other:
        other.submit(_env._changing.acquire).result()
        with Environment(environ).hidden(["OTEL_EXPORTER_OTLP_TRACES_TIMEOUT"]):
            assert environ == {}
        other.submit(_env._changing.release).result()

    assert environ == {"OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "soon"}


STARTED = """
import sys
changed = []
def hook(event, args):
    if event in ("os.putenv", "os.unsetenv"):
        changed.append(args[0].decode())
sys.addaudithook(hook)
import logging
logging.basicConfig(level=logging.ERROR)
from breaker_exporter.otlp import CooperativeOTLPSpanExporter
from breaker_exporter.otlp import _environment as variables
from breaker_exporter.telemetry import Telemetry
import grpc  # what it changes is its own
from breaker_exporter._zero_code import GRPCSpanExporter, HTTPSpanExporter
changed.clear()
telemetry = Telemetry()
telemetry.prepare()
telemetry.start()
started = len(telemetry.exporters)
telemetry.stop()
CooperativeOTLPSpanExporter().shutdown()
for kind in (HTTPSpanExporter, GRPCSpanExporter):
    zero_code = kind()
    zero_code.make()
    zero_code.shutdown()
print(started, *sorted(set(changed)))
"""


@pytest.mark.parametrize(
    ("environ", "changed"),
    [
        (
            {
                "OTEL_TRACES_EXPORTER": "otlp_proto_http,otlp_proto_grpc,console",
                "OTEL_EXPORTER_OTLP_HEADERS": "a=1,b",
                "OTEL_EXPORTER_OTLP_ENDPOINT": "nowhere at all",
                "OTEL_EXPORTER_OTLP_COMPRESSION": "none",
                "OTEL_EXPORTER_OTLP_TIMEOUT": "soon",
                "OTEL_SPAN_EVENT_COUNT_LIMIT": "few",
                "OTEL_BSP_SCHEDULE_DELAY": "",
                "OTEL_BSP_MAX_QUEUE_SIZE": "0",
                "OTEL_TRACES_SAMPLER": "sometimes",
                "SENTRY_DSN": "https://key@127.0.0.1:9/1",
            },
            "4",
        ),
        ({"OTEL_TRACES_EXPORTER": "otlp_proto_http", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "3"}, "1"),
        (
            {
                "OTEL_TRACES_EXPORTER": "otlp_proto_grpc",
                "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "soon",
                "OTEL_EXPORTER_OTLP_HEADERS": "x-bin=1",
            },
            "1",
        ),
    ],
)
def test_the_environment_of_the_process_is_left_alone_while_telemetry_starts(
    environ: dict[str, str], changed: str
) -> None:
    """Other threads and subprocesses see it. What OpenTelemetry raises on whatever it is given is the
    exception: it is away for that moment."""
    done = subprocess.run(
        [sys.executable, "-c", STARTED],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    assert done.stdout.strip() == changed


@pytest.mark.parametrize(("make", "default"), [(CooperativeOTLPSpanExporter, "10"), (settings, "5")])
def test_a_bad_timeout_is_told_with_the_default_that_holds(
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    make: Callable[..., object],
    default: str,
) -> None:
    """That of OpenTelemetry for an exporter alone, a shorter one for ``Telemetry``."""
    environ = {"OTEL_EXPORTER_OTLP_TIMEOUT": "soon"}
    monkeypatch.setattr("os.environ", environ)

    make(environ) if make is settings else make()

    (warning,) = warnings(caplog)
    assert warning.endswith(f"not 'soon'; taken as unset (default: {default})")


@pytest.mark.parametrize("signal", ["", "TRACES_", "LOGS_", "METRICS_"])
def test_the_values_of_all_headers_are_secrets(monkeypatch: pytest.MonkeyPatch, signal: str) -> None:
    monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{signal}HEADERS", "api-key=s3%20cret,bad")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector=4318")

    assert secrets_of_environment() == ["s3 cret", ""]


def test_long_and_broken_values_stay_on_one_short_line(caplog: pytest.LogCaptureFixture) -> None:
    everything({"OTEL_EXPORTER_OTLP_ENDPOINT": "x\n" * 500})

    (warning,) = warnings(caplog)
    assert "\n" not in warning
    assert len(warning) < 400
