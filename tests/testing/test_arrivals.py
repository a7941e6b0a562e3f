"""What has arrived, by address, service and kind: what counts, what is a duplicate, and the closing lines."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from breaker_exporter.testing import ManualClock, ReceivedSentryItem, Signal
from breaker_exporter.testing._arrivals import Arrivals, Source
from breaker_exporter.testing._by_hand import age, closing, duration
from breaker_exporter.testing._fault_settings import FaultSetting
from breaker_exporter.testing._inbox import Inbox
from tests._signals import data_points, log_records


def spans_of(count: int, **resource: str) -> Sequence[ReadableSpan]:
    memory = InMemorySpanExporter()
    provider = TracerProvider(
        resource=Resource({key.replace("_", "."): text for key, text in resource.items()})
    )
    provider.add_span_processor(SimpleSpanProcessor(memory))
    for _ in range(count):
        provider.get_tracer("tests").start_span("sell").end()
    provider.shutdown()
    return memory.get_finished_spans()


def item(
    kind: str, event_id: str | None = None, count: object = None, **payload: object
) -> ReceivedSentryItem:
    return ReceivedSentryItem(kind, event_id, {} if count is None else {"item_count": count}, 2, payload)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def arrivals(clock: ManualClock) -> Arrivals:
    return Arrivals(clock)


@pytest.fixture
def inbox(arrivals: Arrivals) -> Inbox:
    return Inbox(arrivals)


def take(inbox: Inbox, spans: Sequence[ReadableSpan], source: Source = Source.COLLECTOR) -> None:
    inbox.take(Signal.TRACES, encode_spans(spans).SerializeToString(), FaultSetting(), source)


def test_items_are_counted_by_service_and_signal(inbox: Inbox, arrivals: Arrivals) -> None:
    take(
        inbox,
        [
            *spans_of(2, service_name="shop"),
            *spans_of(1, service_name="cart", service_namespace="eu", service_version="1"),
        ],
    )
    inbox.take(Signal.LOGS, encode_logs(log_records(3)).SerializeToString(), FaultSetting())
    inbox.take(Signal.METRICS, encode_metrics(data_points(4)).SerializeToString(), FaultSetting())

    assert [(row.service, row.kind, row.items, row.duplicates) for row in arrivals.rows()] == [
        ("eu/cart", "spans", 1, 0),
        ("shop", "spans", 2, 0),
        ("shop", "log records", 3, 0),
        ("shop", "data points", 4, 0),
    ]


def test_what_goes_to_the_collector_and_to_sentry_is_no_duplicate(inbox: Inbox, arrivals: Arrivals) -> None:
    spans = spans_of(2, service_name="shop")
    take(inbox, spans)
    take(inbox, spans, Source.SENTRY_OTLP)
    take(inbox, spans[:1])

    assert [(row.source, row.items, row.duplicates) for row in arrivals.rows()] == [
        (Source.COLLECTOR, 3, 1),
        (Source.SENTRY_OTLP, 2, 0),
    ]
    assert inbox.counts()["duplicate_spans"] == 1
    assert asyncio.run(inbox.wait_for("spans", 2, 5.0))
    assert not asyncio.run(inbox.wait_for("spans", 3, 0.0))
    assert sorted(inbox.span_ids()) == sorted(
        f"{span.context.span_id:016x}" for span in spans if span.context
    )


def test_a_rate_is_of_the_latest_five_seconds(inbox: Inbox, arrivals: Arrivals, clock: ManualClock) -> None:
    take(inbox, spans_of(10, service_name="shop"))
    clock.advance(4.0)
    take(inbox, spans_of(5, service_name="shop"))
    (row,) = arrivals.rows()
    assert (row.rate, row.age) == (3.0, 0.0)

    clock.advance(2.0)
    (row,) = arrivals.rows()
    assert (row.rate, row.age) == (1.0, 2.0)

    clock.advance(4.0)
    (row,) = arrivals.rows()
    assert (row.rate, row.age, row.items) == (0.0, 6.0, 15)


def test_items_of_envelopes_are_counted_by_their_type(arrivals: Arrivals) -> None:
    arrivals.note_envelope([item("event", "a", release="shop@1"), item("event", "a", release="shop@1")])
    arrivals.note_envelope([item("log", count=7), item("log", count="many"), item("log", count=-1)])
    context = {"otel": {"resource": {"service.name": "shop", "service.namespace": "eu"}}}
    arrivals.note_envelope([item("transaction", "b", contexts=context), item("attachment", "b")])
    arrivals.note_envelope([ReceivedSentryItem("client_report", None, {}, 0, None)])

    assert {(row.service, row.kind, row.items, row.duplicates) for row in arrivals.rows()} == {
        ("shop@1", "event", 2, 1),
        ("-", "log", 9, None),
        ("eu/shop", "transaction", 1, 0),
        ("-", "attachment", 1, None),
        ("-", "client_report", 1, None),
    }


def test_an_event_without_an_id_has_no_known_duplicates(arrivals: Arrivals) -> None:
    arrivals.note_envelope([item("event"), item("event", "a")])

    assert [row.duplicates for row in arrivals.rows()] == [None]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("\x1b[2Jshop\n", "\N{REPLACEMENT CHARACTER}[2Jshop\N{REPLACEMENT CHARACTER}"),
        ("x" * 200, "x" * 119 + "\N{HORIZONTAL ELLIPSIS}"),
        ("", "-"),
    ],
    ids=["escapes", "long", "empty"],
)
def test_a_name_cannot_move_the_cursor(arrivals: Arrivals, name: str, shown: str) -> None:
    arrivals.note_envelope([item("event", release=name)])

    assert [row.service for row in arrivals.rows()] == [shown]


def test_clearing_forgets_what_arrived(inbox: Inbox, arrivals: Arrivals, clock: ManualClock) -> None:
    take(inbox, spans_of(1, service_name="shop"))
    clock.advance(3.0)
    assert arrivals.seconds == 3.0

    inbox.clear()

    assert (arrivals.rows(), arrivals.seconds) == ([], 0.0)


def test_the_closing_lines_have_each_total(inbox: Inbox, arrivals: Arrivals, clock: ManualClock) -> None:
    spans = spans_of(1_200, service_name="shop")
    take(inbox, spans)
    take(inbox, spans[:3])
    inbox.take(Signal.LOGS, encode_logs(log_records(7)).SerializeToString(), FaultSetting())
    arrivals.note_envelope([item("event", "a", release="shop@1")])
    inbox.note_refusal(404, "not here")
    inbox.note_refusal(415, "not \x1b[2J")
    clock.advance(61.0)

    assert list(closing(arrivals, 1)) == [
        "Received in 1 min 1 s, by 1 request:",
        "  collector        shop    spans        1,203, 3 of them again",
        "  collector        shop    log records      7",
        "  Sentry envelope  shop@1  event            1",
        "Refused 2 requests; the latest: 415, not \N{REPLACEMENT CHARACTER}[2J",
    ]


def test_the_closing_line_says_that_nothing_came(arrivals: Arrivals, clock: ManualClock) -> None:
    clock.advance(9.0)

    assert list(closing(arrivals, 2)) == ["Received nothing in 9 s; 2 requests."]


def test_without_a_table_no_refusal_is_kept() -> None:
    inbox = Inbox()
    inbox.note_refusal(404, "not here")

    assert inbox.counts()["requests"] == 0


@pytest.mark.parametrize(("seconds", "words"), [(0.4, "0 s"), (3_599, "59 min 59 s"), (7_260, "2 h 1 min")])
def test_a_time_is_said_in_its_two_largest_units(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"), [(59.9, "59 s ago"), (3_599, "59 min ago"), (7_260, "2 h ago")]
)
def test_an_age_is_said_in_its_largest_unit(seconds: float, words: str) -> None:
    assert age(seconds) == words
