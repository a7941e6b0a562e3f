"""Headers: what can never be sent is told at the start, by its name, and all others are sent."""

from __future__ import annotations

import logging

import pytest

from breaker_exporter._base.environment import Environment, TelemetryError
from breaker_exporter._wiring.settings import Arguments
from breaker_exporter.otlp import CooperativeOTLPSpanExporter, _headers
from breaker_exporter.otlp import _environment as variables
from breaker_exporter.otlp._settings import Protocol
from breaker_exporter.otlp._signals import TRACES
from breaker_exporter.telemetry import Telemetry

HEADERS = "OTEL_EXPORTER_OTLP_HEADERS"


def read(value: str, protocol: Protocol = "http/protobuf", **more: str) -> dict[str, str]:
    return variables.headers(Environment({HEADERS: value, **more}), protocol, TRACES)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    assert all(record.levelno <= logging.WARNING for record in caplog.records)
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


NEVER_SENT: dict[str, tuple[Protocol, str]] = {
    "outside of Latin-1": ("http/protobuf", "x=%E2%82%AC"),
    "bytes that are no UTF-8": ("http/protobuf", "x=%FF"),
    "line feed": ("http/protobuf", "x=a%0Ab"),
    "carriage return": ("http/protobuf", "x=a%0D%0Ab"),
    "null": ("http/protobuf", "x=a%00b"),
    "delete": ("http/protobuf", "x=a%7Fb"),
    "blank in the name": ("http/protobuf", "x%20y=1"),
    "colon in the name": ("http/protobuf", "x%3A=1"),
    "letter in the name": ("http/protobuf", "%C3%A9=1"),
    "framing": ("http/protobuf", "Transfer-Encoding=chunked"),
    "tab by gRPC": ("grpc", "x=a%09b"),
    "Latin-1 by gRPC": ("grpc", "x=%C3%A9"),
    "binary by gRPC": ("grpc", "x-bin=AAEC"),
    "reserved by gRPC": ("grpc", "grpc-timeout=1S"),
    "name by gRPC": ("grpc", "x!=1"),
}


@pytest.mark.parametrize("case", NEVER_SENT)
def test_a_header_that_can_never_be_sent_is_told_and_the_others_are_sent(
    caplog: pytest.LogCaptureFixture, case: str
) -> None:
    protocol, bad = NEVER_SENT[case]

    assert read(f"authorization=Basic%20s3cret,{bad},b=2", protocol) == {
        "authorization": "Basic s3cret",
        "b": "2",
    }
    (warning,) = warnings(caplog)
    assert HEADERS in warning
    assert "can never be sent" in warning
    assert repr(bad.partition("=")[0]) in warning or "number 2" in warning
    assert "s3cret" not in warning
    with pytest.raises(TelemetryError, match="can never be sent") as raised:
        read(f"a=1,{bad}", protocol, BREAKER_EXPORTER_STRICT="1")
    assert "left out" not in str(raised.value)


@pytest.mark.parametrize(
    ("protocol", "value", "expected"),
    [
        ("http/protobuf", "a=b, C=d%20e ,", {"a": "b", "c": "d e"}),
        ("http/protobuf", "authorization=Bearer t/k+=", {"authorization": "Bearer t/k+="}),
        (
            "http/protobuf",
            "x=%C3%A9,x-bin=1,grpc-x=1,y=a%09b",
            {"x": "é", "x-bin": "1", "grpc-x": "1", "y": "a\tb"},
        ),
        ("grpc", "X-Key=a b ,e=", {"x-key": "a b", "e": ""}),
        ("grpc", "", {}),
    ],
)
def test_headers_as_opentelemetry_reads_them_are_fine(
    caplog: pytest.LogCaptureFixture, protocol: Protocol, value: str, expected: dict[str, str]
) -> None:
    assert read(value, protocol) == expected
    assert warnings(caplog) == []


@pytest.mark.parametrize(
    ("value", "left"),
    [
        ("Authorization Bearer s3cret", {}),
        ("ok=1,=s3cret", {"ok": "1"}),
        ("api key=s3cret,b=2", {"b": "2"}),
        ("Authorization: Bearer s3cret=", {}),
        ('authorization="s3cret', {}),
        ("a=x\ts3cret", {}),
        ("a=s3cret;b", {}),
        ("a=\\s3cret,b=2", {"b": "2"}),
    ],
)
def test_pairs_that_cannot_be_read_are_left_out_without_a_word_of_their_values(
    caplog: pytest.LogCaptureFixture, value: str, left: dict[str, str]
) -> None:
    assert read(value) == left

    (warning,) = warnings(caplog)
    assert "must be name=value" in warning
    assert "s3cret" not in warning


def test_the_rest_of_a_broken_value_is_not_taken_for_a_name(caplog: pytest.LogCaptureFixture) -> None:
    assert read('api-key="one,s3cret=€",b=2') == {"b": "2"}

    first, second = warnings(caplog)
    assert "header 'api-key'" in first
    assert "header number 2" in second
    assert "s3cret" not in second


def test_headers_of_traces_win_even_where_none_of_them_is_good() -> None:
    """As to OpenTelemetry's exporters: those for all signals may be credentials of another backend."""
    traces = "OTEL_EXPORTER_OTLP_TRACES_HEADERS"

    assert read("a=1", "http/protobuf", **{traces: "b=2,bad"}) == {"b": "2"}
    assert read("a=1", "http/protobuf", **{traces: "bad"}) == {}


IN_CODE = {
    "colon": {"x:y": "s3cret"},
    "secret in the name": {"Authorization: Bearer s3cret": ""},
    "leading blank": {"x": " s3cret"},
    "no-break space before it": {"x": "\xa0s3cret"},
    "line feed": {"x": "s3cret\n"},
    "empty name": {" ": "s3cret"},
    "euro": {"x": "s3cret€"},
}


@pytest.mark.parametrize("case", IN_CODE)
def test_in_code_it_is_an_error_without_the_value(case: str) -> None:
    for make in (CooperativeOTLPSpanExporter, Telemetry):
        with pytest.raises(ValueError, match=r"headers: header .* can never be sent") as raised:
            make(headers=IN_CODE[case])
        assert "s3cret" not in str(raised.value)


def test_in_code_the_rules_are_those_of_the_protocol(monkeypatch: pytest.MonkeyPatch) -> None:
    Telemetry(headers={"x-bin": "1"})
    Telemetry(headers={"x": " leading"}, protocol="grpc")
    with pytest.raises(ValueError, match="'X-Bin' can never be sent"):
        Telemetry(headers={"X-Bin": "1"}, protocol="grpc")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")  # either may be meant
    Telemetry(headers={"x-bin": "1"})
    Telemetry(headers={"x": " leading"})
    with pytest.raises(ValueError, match="'x' can never be sent"):
        Telemetry(headers={"x": "a\nb"})


def test_where_the_environment_says_the_protocol_a_header_in_code_that_it_cannot_send_is_left_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    arguments = Arguments(headers={"x-bin": "s3cret", "a": "1"})
    environment = Environment({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"})

    found = arguments.settings(environment, arguments.defaults(environment))

    assert found.headers == {"a": "1"}
    (warning,) = warnings(caplog)
    assert "headers: header 'x-bin' can never be sent" in warning
    assert "s3cret" not in warning


def test_what_requests_and_grpc_refuse_is_what_is_refused_here() -> None:
    """The rules are copied from what sends: this holds them to it."""
    import requests
    from requests.exceptions import InvalidHeader

    session = requests.Session()
    for value in ("a", "a b ", "", "é", "\ta", " a", "a\nb", "a\rb", "\xa0a", "\x85a"):
        try:
            session.prepare_request(requests.Request("POST", "http://h", headers={"x": value}))
            refused = False
        except InvalidHeader:
            refused = True
        assert refused == (_headers.fault("x", value, "http/protobuf") is not None), repr(value)
