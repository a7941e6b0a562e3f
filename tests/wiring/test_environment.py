"""What variables mean, what becomes of bad ones, and how they go together with arguments."""

from __future__ import annotations

import contextlib
import logging

import pytest

from breaker_exporter._env import Environment, TelemetryError
from breaker_exporter._profiles import PROFILES, Profile
from breaker_exporter._settings import Arguments, Settings


def settings(environ: dict[str, str], **arguments: object) -> Settings:
    given, environment = Arguments(**arguments), Environment(environ)  # type: ignore[arg-type]
    return given.settings(environment, given.defaults(environment))


def everything(environ: dict[str, str], protocol: str = "http/protobuf") -> Environment:
    """An environment of which everything was read."""
    environment = Environment(environ)
    Arguments().settings(environment, PROFILES[Profile.PRODUCTION])
    environment.sdk_disabled()
    environment.check_provider(PROFILES[Profile.PRODUCTION].sampler)
    environment.check_otlp(protocol)  # type: ignore[arg-type]
    return environment


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    assert all(record.levelno <= logging.WARNING for record in caplog.records)
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def test_nothing_set_gives_the_defaults(caplog: pytest.LogCaptureFixture) -> None:
    found = settings({})

    assert (found.timeout, found.export_timeout, found.shutdown_timeout) == (5.0, 7.0, 5.0)
    assert (found.failure_threshold, found.cooldown, found.max_cooldown) == (3, 15.0, 60.0)
    assert (found.protocol, found.endpoint, found.headers) == ("http/protobuf", None, None)
    assert (found.switch_interval, Environment({}).gc_freeze()) == (0.0003, True)
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
    assert not Environment({"BREAKER_EXPORTER_GC_FREEZE": "0"}).gc_freeze()

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
    assert Environment({"OTEL_SDK_DISABLED": word}).sdk_disabled()


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


@pytest.mark.parametrize(("export", "timeout"), [("", 13.0), ("20000", 10000.0)])
def test_a_timeout_above_60_looks_like_milliseconds(
    caplog: pytest.LogCaptureFixture, export: str, timeout: float
) -> None:
    environ = {"OTEL_EXPORTER_OTLP_TIMEOUT": "10000", "BREAKER_EXPORTER_EXPORT_TIMEOUT": export}

    assert settings(environ).timeout == timeout
    (warning,) = warnings(caplog)
    assert "OTEL_EXPORTER_OTLP_TIMEOUT is 10000 s, which looks like milliseconds" in warning


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


@pytest.mark.parametrize("value", ["Authorization Bearer s3cret", "ok=1,=s3cret", "api key=s3cret"])
def test_headers_that_cannot_be_read_are_named_but_never_shown(
    caplog: pytest.LogCaptureFixture, value: str
) -> None:
    environ = {"OTEL_EXPORTER_OTLP_HEADERS": value}
    environment = everything(environ)

    (warning,) = warnings(caplog)
    assert "OTEL_EXPORTER_OTLP_HEADERS" in warning
    assert "s3cret" not in warning
    with environment.without_unusable():
        assert "OTEL_EXPORTER_OTLP_HEADERS" not in environ  # OpenTelemetry would log them in full


@pytest.mark.parametrize("value", ["a=b", "a=b, c=d%20e ,", "authorization=Bearer s3cret", ""])
def test_headers_as_opentelemetry_reads_them_are_fine(caplog: pytest.LogCaptureFixture, value: str) -> None:
    everything({"OTEL_EXPORTER_OTLP_TRACES_HEADERS": value})

    assert warnings(caplog) == []


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
    with environment.without_unusable():
        assert environ == {}


@pytest.mark.parametrize("value", ["1.5", "-0.1", "half", "nan"])
def test_a_sampling_ratio_lies_between_0_and_1(caplog: pytest.LogCaptureFixture, value: str) -> None:
    everything({"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": value})

    (warning,) = warnings(caplog)
    assert "OTEL_TRACES_SAMPLER_ARG must be a number from 0 to 1" in warning


def test_limits_and_ratios_in_range_are_left_to_opentelemetry(caplog: pytest.LogCaptureFixture) -> None:
    environ = {
        "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
        "OTEL_TRACES_SAMPLER_ARG": "0.25",
        "OTEL_SPAN_EVENT_COUNT_LIMIT": "0",
        "OTEL_BSP_MAX_QUEUE_SIZE": "512",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
    }
    environment = everything(environ)

    assert warnings(caplog) == []
    with environment.without_unusable():
        assert len(environ) == 5


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
    assert Environment({"OTEL_TRACES_EXPORTER": value}).traces_exporters() == names


def test_bad_and_empty_variables_are_kept_from_opentelemetry_and_come_back() -> None:
    environ = {
        "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "soon",  # its gRPC exporter raises, whatever timeout it is given
        "OTEL_EXPORTER_OTLP_TIMEOUT": " ",
        "OTEL_SERVICE_NAME": "shop",
        "EMPTY": "",
    }
    before = dict(environ)
    environment = everything(environ)

    with environment.without_unusable():
        assert environ == {"OTEL_SERVICE_NAME": "shop", "EMPTY": ""}
    assert environ == before

    with contextlib.suppress(KeyError), environment.without_unusable():
        raise KeyError
    assert environ == before


def test_long_and_broken_values_stay_on_one_short_line(caplog: pytest.LogCaptureFixture) -> None:
    everything({"OTEL_EXPORTER_OTLP_ENDPOINT": "x\n" * 500})

    (warning,) = warnings(caplog)
    assert "\n" not in warning
    assert len(warning) < 400
