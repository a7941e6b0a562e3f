"""The direct encoder of log records against the official one, by decoding what both have written."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, TraceFlags

from breaker_exporter.otlp._encode import items, log_body
from breaker_exporter.otlp._encode.batch import Encoded
from breaker_exporter.otlp._joining import joined
from breaker_exporter.otlp._payload import EncodedPayload
from breaker_exporter.otlp._stored import dumped, loaded

from . import _log_strategies as some_logs
from . import _strategies as some
from ._compare import LOG_RECORDS, SPANS

CONTEXT = SpanContext(1, 1, is_remote=False)
RESOURCE = Resource({"service.name": "shop"}, "https://schema/resource")
SCOPE = InstrumentationScope("shop.orders", "1.0", "https://schema/scope")

# The same examples each time: coverage is asked to be whole, and a rare shape must not decide that.
many = settings(max_examples=75, deadline=None, derandomize=True)


def log_record(body: Any = "taken", /, **fields: Any) -> ReadableLogRecord:
    """Return one; fields of `LogRecord` and of `ReadableLogRecord` are set as they are given."""
    place = {name: fields.pop(name, usual) for name, usual in _PLACE.items()}
    record = LogRecord(timestamp=1, observed_timestamp=2, body=body, severity_text="INFO")
    for name, value in fields.items():
        setattr(record, name, value)
    return ReadableLogRecord(record, **place)


_PLACE: dict[str, Any] = {"resource": RESOURCE, "instrumentation_scope": SCOPE}


def decoded(batch: list[ReadableLogRecord]) -> list[Any]:
    """Return all log records of a batch as a collector reads them, in their order there."""
    request = ExportLogsServiceRequest.FromString(LOG_RECORDS.body_of(batch))
    return [
        record for of in request.resource_logs for scoped in of.scope_logs for record in scoped.log_records
    ]


@many
@given(some_logs.log_records())
def test_a_log_record_of_any_shape_is_read_as_the_official_one(drawn: ReadableLogRecord) -> None:
    LOG_RECORDS.assert_alike([drawn])


@pytest.mark.long
@many
@given(some_logs.batches())
def test_a_batch_of_any_shape_is_read_as_the_official_one(batch: list[ReadableLogRecord]) -> None:
    LOG_RECORDS.assert_alike(batch)


def full_record() -> ReadableLogRecord:
    return log_record(
        {"text": "é", "list": [1, "mixed", 2.0, True, b"", {"deep": [-1]}]},
        timestamp=(1 << 64) - 1,
        observed_timestamp=1,
        severity_number=SeverityNumber.FATAL4,
        severity_text="FATAL",
        attributes=BoundedAttributes(2, {"dropped": 1, "b": True, "m": ["x"]}),
        event_name="order.taken",
        trace_id=1 << 127,
        span_id=1 << 63,
        trace_flags=TraceFlags(255),
    )


def test_a_log_record_with_every_field_is_read_as_the_official_one() -> None:
    full = full_record()

    LOG_RECORDS.assert_alike([full])

    (found,) = decoded([full])
    absent = {field.name for field in found.DESCRIPTOR.fields} - {
        field.name for field, _ in found.ListFields()
    }
    assert absent == set()


@pytest.mark.parametrize(
    "body",
    ["", "text", "x" * 5000, 7, -7, 1.5, True, b"\x00\xff", (), ["a", 1, [b""]], {}, {"a": {"b": [2.0]}}],
)
def test_a_body_of_any_type_is_read_as_the_official_one(body: Any) -> None:
    LOG_RECORDS.assert_alike([log_record(body)])


def test_no_body_is_an_empty_value_as_it_is_officially_from_1_43_on() -> None:
    """Up to 1.42 the official encoder writes none, which means the same."""
    none = log_record(None, attributes={"none": None, "some": [None, {"none": None}]})

    (found,) = decoded([none])

    assert found.HasField("body")
    assert found.body.WhichOneof("value") is None
    assert [pair.key for pair in found.attributes] == ["none", "some"]
    if some.NONE_IS_KEPT:
        LOG_RECORDS.assert_alike([none])


@pytest.mark.parametrize(
    "fields",
    [
        {"timestamp": None},
        {"observed_timestamp": None},
        {"timestamp": None, "observed_timestamp": None, "severity_text": None, "attributes": None},
        {"trace_id": 0, "span_id": 0x5678},
        {"trace_id": 0x1234, "span_id": 0},
        {"severity_number": SeverityNumber.UNSPECIFIED},
        {"severity_number": some_logs.Level.LOUD},
        {"severity_number": some_logs.Level.BELOW},
        {"severity_number": 20},
        {"severity_text": b"bytes"},
        {"event_name": some.Text("abc")},
        {"instrumentation_scope": None},
    ],
)
def test_a_log_record_that_lacks_or_has_something_is_read_as_the_official_one(fields: dict[str, Any]) -> None:
    batch = [log_record(), log_record(**fields), log_record()]

    LOG_RECORDS.assert_alike(batch)
    assert LOG_RECORDS.encoded(batch).left_out == 0


@pytest.mark.parametrize(
    "fields",
    [
        {"timestamp": 1.5},
        {"observed_timestamp": -1},
        {"severity_number": some_logs.Level.TOO_HIGH},
        {"severity_number": some_logs.Level.TEXT},
        {"severity_text": 7},
        {"event_name": "\ud800"},
        {"event_name": []},
        {"trace_flags": None},
        {"trace_id": None},
        {"span_id": 1 << 64},
        {"attributes": ["no mapping"]},
        {"resource": None},
    ],
)
def test_a_log_record_that_nobody_can_encode_costs_only_itself(fields: dict[str, Any]) -> None:
    """Officially it costs its batch."""
    batch = [log_record(), log_record(**fields), log_record(attributes={"a": 1})]

    with pytest.raises(Exception):  # noqa: B017, PT011 (of many types)
        LOG_RECORDS.official(batch)

    LOG_RECORDS.assert_alike(batch)
    assert LOG_RECORDS.encoded(batch).left_out == 1


def test_nothing_and_nothing_encodable_make_no_request() -> None:
    assert LOG_RECORDS.encoded([]) == Encoded((), 0)
    assert LOG_RECORDS.encoded([object()]) == Encoded((), 1)  # type: ignore[list-item]


def _lists(levels: int) -> Any:
    value: Any = "bottom"
    for _ in range(levels):
        value = [value]
    return value


class _Mute:
    def __str__(self) -> str:
        raise OSError


_TOO_DEEP = (_lists(49), {"a": _lists(47)}, some.nested(49))


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (OSError("no space left"), "no space left"),
        ([1, {2, 3}], "[1, {2, 3}]"),
        ({"n": 1 << 63}, "{'n': 9223372036854775808}"),
        ("order\udce9", "order\\udce9"),
        (["order\udce9"], "['order\\udce9']"),
        ("\udce9" * 9000, "\\udce9" * 9000),
        (set(range(9000)), str(set(range(9000)))[:8192]),
        (_Mute(), "<_Mute>"),
        *((body, str(body)) for body in _TOO_DEEP),
    ],
)
def test_a_body_that_nobody_can_encode_is_sent_as_its_text(body: Any, text: str) -> None:
    """O3. ``logger.error(exception)`` is such a record: officially it costs its batch."""
    batch = [log_record("before"), log_record(body, attributes={"a": 1}), log_record("after")]

    assert LOG_RECORDS.encoded(batch).left_out == 0
    assert [found.body.string_value for found in decoded(batch)] == ["before", text, "after"]
    assert [pair.key for pair in decoded(batch)[1].attributes] == ["a"]


@pytest.mark.parametrize("body", _TOO_DEEP)
def test_a_body_nested_deeper_than_readers_go_officially_costs_its_batch(body: Any) -> None:
    """Readers refuse more than 100 messages inside of each other, and the whole request with them."""
    with pytest.raises(DecodeError):
        LOG_RECORDS.read(LOG_RECORDS.official([log_record(body)]))
    LOG_RECORDS.assert_alike([log_record(_lists(48))])


def test_a_body_that_is_replaced_is_said_once_and_nothing_of_it_quoted(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(log_body, "_said", [])
    for _ in range(3):
        LOG_RECORDS.encoded([log_record({"secret": object()})])

    (line,) = (record for record in caplog.records if record.name == "breaker_exporter")
    assert line.levelno == logging.WARNING
    assert "the body of a log record cannot be encoded (object)" in line.getMessage()
    assert "secret" not in line.getMessage()


@pytest.mark.parametrize("odd", [object(), "\ud800", {"a": {1, 2}}, 1 << 63, _lists(48), some.nested(60)])
def test_an_attribute_that_nobody_can_encode_is_left_out_and_its_log_record_travels(odd: Any) -> None:
    """O3."""
    (found,) = decoded(
        [log_record(attributes={"before": 1, "odd": odd, "after": "x", "deep": some.nested(38)})]
    )

    assert [pair.key for pair in found.attributes] == ["before", "after", "deep"]


def test_one_left_out_is_said_once_for_each_signal_and_nothing_of_it_quoted(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(items, "_said", {})
    for _ in range(3):
        LOG_RECORDS.encoded([log_record(severity_text={"secret": object()})])
        SPANS.encoded([ReadableSpan("secret \ud800", CONTEXT)])

    lines = [record for record in caplog.records if record.name == "breaker_exporter"]
    assert [line.levelno for line in lines] == [logging.WARNING] * 2
    log, span = (line.getMessage() for line in lines)
    assert "a log record cannot be encoded (dict)" in log
    assert "a span cannot be encoded (UnicodeEncodeError)" in span
    assert "secret" not in log + span


def test_what_the_sdk_makes_of_log_calls_is_read_as_the_official_one() -> None:
    """Several loggers take turns, as in a service: each is a scope of its own."""
    memory: Any = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
    provider = LoggerProvider(resource=RESOURCE)
    provider.add_log_record_processor(SimpleLogRecordProcessor(memory))
    loggers = [provider.get_logger(name, "1.0") for name in ("orders", "goods", "basket")]
    spans = TracerProvider().get_tracer("tests")
    for number in range(30):
        code: dict[str, Any] = {
            "code.file.path": "shop.py",
            "code.line.number": number,
            "thread.id": number << 40,
        }
        loggers[number % 3].emit(
            LogRecord(body=f"order {number}", severity_number=SeverityNumber.INFO, attributes=code)
        )
        with spans.start_as_current_span("request"):
            loggers[number % 3].emit(LogRecord(body={"n": number}, attributes=code, event_name="order"))
    provider.shutdown()

    batch = list(memory.get_finished_logs())

    assert len(batch) == 60
    LOG_RECORDS.assert_alike([record for record in batch if isinstance(record, ReadableLogRecord)])
    assert {len(record.trace_id) for record in decoded(batch)} == {0, 16}


def test_others_are_let_run_between_any_few_log_records() -> None:
    """L4."""
    batch, rests = [log_record(str(number)) for number in range(50)], list[None]()

    paused = LOG_RECORDS.directly(batch, 0, lambda: rests.append(None))

    assert paused == LOG_RECORDS.encoded(batch)
    assert len(rests) >= 5


def test_log_records_are_cut_to_the_size_that_their_peer_takes() -> None:
    """O3."""
    batch = [log_record(f"{number}" * 30, attributes={"n": number}) for number in range(40)]
    (whole,) = LOG_RECORDS.encoded(batch).requests

    parts = LOG_RECORDS.encoded(batch, 1000).requests

    assert len(parts) >= 5
    assert all(len(part.body) <= 1000 for part in parts)
    assert sum(part.items for part in parts) == 40
    assert _bodies(parts) == _bodies(whole.halved()) == _bodies([whole])


def test_log_records_are_stored_as_the_bytes_of_a_file_and_joined() -> None:
    """K7."""
    payloads = [
        EncodedPayload(LOG_RECORDS.encoded([log_record(f"{number}")]).requests) for number in range(20)
    ]

    whole = joined(payloads, 0, lambda: None)
    (request,) = loaded(dumped(whole), 0, lambda: None).requests

    assert request.items == whole.items == 20
    assert _bodies([request]) == [f"{number}" for number in range(20)]


def _bodies(requests: Any) -> list[str]:
    return [
        record.body.string_value
        for request in requests
        for of in ExportLogsServiceRequest.FromString(request.body).resource_logs
        for scoped in of.scope_logs
        for record in scoped.log_records
    ]
