"""The HTTP port as a Sentry server: its DSN, envelopes byte by byte, OTLP traces, and the real client."""

from __future__ import annotations

import gzip
import http.client
import json
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import SplitResult, urlsplit

import pytest
import sentry_sdk
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from sentry_sdk.consts import EndpointType
from sentry_sdk.envelope import Envelope, Item, PayloadRef
from sentry_sdk.utils import Dsn

from breaker_exporter.testing import Connections, Fault, FaultyCollector, ReceivedSentryItem

MakeSpans = Callable[[int], Sequence[ReadableSpan]]
Answer = tuple[int, http.client.HTTPMessage, bytes]
Send = Callable[..., Answer]

ENVELOPE = "/api/1/envelope/"
TRACES = "/api/1/integration/otlp/v1/traces/"
LOGS = "/api/1/integration/otlp/v1/logs/"
PROTOBUF = {"Content-Type": "application/x-protobuf"}
EVENT_ID = "9ec79c33ec9942ab8353589fcb2e04dc"


def envelope_of(*parts: bytes, event_id: str | None = EVENT_ID) -> bytes:
    """An envelope's lines: its header, then ``parts``; nothing after the last."""
    return b"\n".join([json.dumps({"event_id": event_id} if event_id else {}).encode(), *parts])


def event_of(message: str) -> bytes:
    return b"\n".join([b'{"type": "event"}', json.dumps({"message": message}).encode()])


@pytest.fixture
def dsn(collector: FaultyCollector) -> SplitResult:
    return urlsplit(collector.sentry_dsn)


@pytest.fixture
def auth(dsn: SplitResult) -> dict[str, str]:
    return {"X-Sentry-Auth": f"Sentry sentry_key={dsn.username}, sentry_version=7, sentry_client=test/1"}


@pytest.fixture
def send(dsn: SplitResult, auth: dict[str, str]) -> Iterator[Send]:
    """Sends a request by plain HTTP on one connection, by default with the DSN's key."""
    connection = http.client.HTTPConnection("127.0.0.1", dsn.port, timeout=5.0)

    def send_once(
        body: bytes, path: str = ENVELOPE, headers: Mapping[str, str] | None = None, method: str = "POST"
    ) -> Answer:
        connection.request(method, path, body, dict(auth if headers is None else headers))
        response = connection.getresponse()
        return response.status, response.headers, response.read()

    yield send_once
    connection.close()


@pytest.fixture
def client(collector: FaultyCollector) -> Iterator[sentry_sdk.Client]:
    """A real client of the DSN, for the test's own scope: no integrations, nothing global is left."""
    client = sentry_sdk.Client(
        dsn=collector.sentry_dsn, default_integrations=False, auto_enabling_integrations=False
    )
    with sentry_sdk.new_scope() as scope:
        scope.set_client(client)
        yield client
    collector.set_fault(Fault.NONE, connections=Connections.DROP)  # what is under way is not waited for
    client.close(timeout=2.0)


class TestTheRealClient:
    """``sentry_sdk`` with its own transport and its own compression."""

    @pytest.mark.usefixtures("client")
    def test_an_event_of_the_sdk_arrives_with_its_attachment(self, collector: FaultyCollector) -> None:
        sentry_sdk.get_current_scope().add_attachment(bytes=b"line 1\nline 2\n", filename="shop.log")
        try:
            raise LookupError("no such article")
        except LookupError as error:
            event_id = sentry_sdk.capture_exception(error)

        assert collector.wait_for_sentry_items(1, kind="event")

        event, attachment = collector.latest_sentry_items
        assert (event.kind, event.event_id) == ("event", event_id)
        payload: Any = event.payload
        assert payload["exception"]["values"][0]["value"] == "no such article"
        assert attachment.headers["filename"] == "shop.log"
        assert (attachment.kind, attachment.length, attachment.payload) == ("attachment", 14, None)

    def test_all_other_items_of_the_sdk_are_decoded(
        self, collector: FaultyCollector, client: sentry_sdk.Client
    ) -> None:
        assert client.transport is not None
        for kind in ("transaction", "session", "sessions", "check_in", "log", "client_report", "profile"):
            item = Item(payload=PayloadRef(json={"of": kind}), type=kind)
            client.transport.capture_envelope(Envelope(items=[item]))

        assert collector.wait_for_sentry_items(7)

        assert all(item.payload == {"of": item.kind} for item in collector.latest_sentry_items)

    def test_items_refused_by_a_fault_are_lost_and_later_ones_arrive(
        self, collector: FaultyCollector, client: sentry_sdk.Client
    ) -> None:
        collector.set_fault(Fault.STATUS, status=500)
        sentry_sdk.capture_message("lost")
        client.flush(timeout=5.0)
        assert collector.wait_for_requests(1)
        assert not collector.wait_for_sentry_items(1, timeout=0.0)

        collector.fault = Fault.NONE
        sentry_sdk.capture_message("not lost")

        assert collector.wait_for_sentry_items(1, kind="event")
        events = [item.payload or {} for item in collector.latest_sentry_items if item.kind == "event"]
        assert [event["message"] for event in events] == ["not lost"]

    def test_the_otlp_endpoint_of_the_project_takes_spans(
        self, collector: FaultyCollector, make_spans: MakeSpans
    ) -> None:
        sentry = Dsn(collector.sentry_dsn).to_auth("sentry.python/test")
        exporter: SpanExporter = OTLPSpanExporter(
            endpoint=sentry.get_api_url(EndpointType.OTLP_TRACES),
            headers={"X-Sentry-Auth": sentry.to_header()},
        )

        assert exporter.export(make_spans(3)) is SpanExportResult.SUCCESS

        exporter.shutdown()
        assert (collector.spans_received, collector.counts().requests) == (3, 1)
        assert collector.latest_spans[0].resource["service.name"] == "shop"


def test_the_otlp_endpoint_of_the_project_takes_log_records(
    collector: FaultyCollector, send: Send, auth: dict[str, str]
) -> None:
    request = ExportLogsServiceRequest()
    request.resource_logs.add().scope_logs.add().log_records.add().body.string_value = "sold"

    status, _, _ = send(request.SerializeToString(), LOGS, {**auth, **PROTOBUF})

    assert status == 200
    assert collector.log_bodies == {"sold"}


def test_the_dsn_names_the_http_port_and_does_not_change(collector: FaultyCollector) -> None:
    dsn = collector.sentry_dsn
    assert dsn == f"http://{'fa4e' * 8}@{urlsplit(collector.http_base).netloc}/1"

    collector.renew()

    assert collector.sentry_dsn != dsn
    assert urlsplit(collector.sentry_dsn).port == urlsplit(collector.http_base).port


@pytest.mark.parametrize(
    ("pack", "encoding"), [(bytes, "identity"), (gzip.compress, "gzip"), (zlib.compress, "deflate")]
)
def test_an_envelope_is_taken_in_each_encoding(
    collector: FaultyCollector,
    send: Send,
    auth: dict[str, str],
    pack: Callable[[bytes], bytes],
    encoding: str,
) -> None:
    body = pack(envelope_of(event_of("a")))

    status, headers, answer = send(body, ENVELOPE, {**auth, "Content-Encoding": encoding})

    assert (status, headers["Content-Type"]) == (200, "application/json")
    assert json.loads(answer) == {"id": EVENT_ID}
    assert collector.latest_sentry_items == (
        ReceivedSentryItem("event", EVENT_ID, {"type": "event"}, 16, {"message": "a"}),
    )


def test_the_slash_at_the_end_and_a_query_make_no_difference(
    collector: FaultyCollector, send: Send, auth: dict[str, str], make_spans: MakeSpans
) -> None:
    spans = encode_spans(make_spans(1)).SerializeToString()
    for end in ("", "/", "?sentry_version=7", "/?sentry_version=7"):
        assert send(envelope_of(event_of("a")), ENVELOPE.rstrip("/") + end)[0] == 200
        assert send(spans, TRACES.rstrip("/") + end, auth | PROTOBUF)[0] == 200

    counts = collector.counts()
    assert (len(collector.latest_sentry_items), counts.spans, counts.duplicates) == (4, 4, 3)
    assert counts.requests == 8


def test_every_item_is_taken_in_its_order_with_a_length_or_without(
    collector: FaultyCollector, send: Send
) -> None:
    body = envelope_of(
        b'{"type": "attachment", "length": 9, "filename": "a"}\nline\nline',
        b'{"type": "attachment", "length": 0}\n',
        b'{"type": "attachment"}\nline',
        b'{"type": "statsd"}\nline',
        b'{"type": "session", "length": 15}\n{"init":\n true}',
        b'{"type": "replay_recording"}',
        event_id=None,
    )

    status, _, answer = send(body)

    assert (status, json.loads(answer)) == (200, {"id": None})
    items = [(item.kind, item.length, item.payload) for item in collector.latest_sentry_items]
    assert items == [
        ("attachment", 9, None),
        ("attachment", 0, None),
        ("attachment", 4, None),
        ("statsd", 4, None),
        ("session", 15, {"init": True}),
        ("replay_recording", 0, None),
    ]
    assert collector.latest_sentry_items[0].headers == {"type": "attachment", "length": 9, "filename": "a"}


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_an_envelope_may_be_empty_and_may_end_its_last_line(
    collector: FaultyCollector, send: Send, end: bytes
) -> None:
    assert send(envelope_of() + end)[0] == 200
    assert send(envelope_of(b'{"type": "event", "length": 2}\n{}') + end)[0] == 200
    assert send(envelope_of(b'{"type": "event"}\n{}') + end)[0] == 200

    assert [item.payload for item in collector.latest_sentry_items] == [{}, {}]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "the envelope's header is no JSON"),
        (b"\xff\xfe\xff", "the envelope's header is no JSON"),
        (b"[]\n", r"the envelope's header must be a JSON object, not \[\]"),
        (b'{"event_id": 7}\n', "event_id must be a string, not 7"),
        (envelope_of(b"nonsense"), "an item's header is no JSON"),
        (envelope_of(b"", event_of("a")), "an item's header is no JSON"),
        (envelope_of(b'"event"'), "an item's header must be a JSON object, not 'event'"),
        (envelope_of(b"{}", b"{}"), "an item's type must be a string, not None"),
        (envelope_of(b'{"type": ""}', b"{}"), "an item's type must be a string, not ''"),
        (envelope_of(b'{"type": "event", "length": 3}', b"{}"), "length is 3, with 2 bytes to come"),
        (envelope_of(b'{"type": "event", "length": -1}', b"{}"), "length is -1"),
        (envelope_of(b'{"type": "event", "length": true}', b"{}"), "length is True"),
        (envelope_of(b'{"type": "event", "length": "2"}', b"{}"), "length is '2'"),
        (envelope_of(b'{"type": "event", "length": 2}', b"{}{}"), "no line ends after the 2 bytes"),
        (envelope_of(b'{"type": "event"}', b"{"), "the payload of 'event' is no JSON"),
        (envelope_of(b'{"type": "session"}', b"1"), "the payload of 'session' must be a JSON object, not 1"),
    ],
)
def test_a_malformed_envelope_is_refused_whole(
    collector: FaultyCollector, send: Send, body: bytes, words: str
) -> None:
    whole = body.startswith(b'{"event_id": "')
    status, headers, answer = send(body.replace(b"\n", b"\n" + event_of("a") + b"\n", 1) if whole else body)

    assert (status, headers["Content-Type"]) == (400, "application/json")
    with pytest.raises(ValueError, match=words):
        raise ValueError(json.loads(answer)["detail"])
    assert (collector.latest_sentry_items, collector.counts().requests) == ((), 1)


@pytest.mark.parametrize("path", [ENVELOPE, TRACES])
@pytest.mark.parametrize(
    "shown",
    [
        None,
        "",
        "Sentry sentry_version=7",
        f"Sentry sentry_key={'0' * 32}, sentry_version=7",
        f"Sentry sentry_key={'fa4e' * 8}0",
        f"Bearer sentry_key={'fa4e' * 8}",
    ],
)
def test_a_request_without_the_key_is_refused(
    collector: FaultyCollector, send: Send, make_spans: MakeSpans, path: str, shown: str | None
) -> None:
    body = envelope_of(event_of("a")) if path == ENVELOPE else encode_spans(make_spans(1)).SerializeToString()
    headers = PROTOBUF if shown is None else {**PROTOBUF, "X-Sentry-Auth": shown}

    status, _, answer = send(body, path, headers)

    assert status == 403
    assert b"X-Sentry-Auth" in answer
    assert (collector.latest_sentry_items, collector.spans_received) == ((), 0)


@pytest.mark.parametrize("shown", ["sentry sentry_key={}", "Sentry  sentry_version=7,sentry_key={}"])
def test_the_key_may_stand_anywhere_in_the_header(send: Send, dsn: SplitResult, shown: str) -> None:
    headers = {"X-Sentry-Auth": shown.format(dsn.username)}

    assert send(envelope_of(), ENVELOPE, headers)[0] == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", ENVELOPE, 405),
        ("GET", TRACES, 405),
        ("POST", "/api/2/envelope/", 403),
        ("POST", "/api/12/integration/otlp/v1/traces/", 403),
        ("POST", "/api/1/store/", 404),
        ("POST", "/api/1/envelope/more", 404),
        ("POST", "/api/envelope/", 404),
        ("POST", TRACES, 415),
    ],
)
def test_a_path_that_is_not_of_the_dsn_is_refused(
    collector: FaultyCollector, send: Send, method: str, path: str, status: int
) -> None:
    assert send(envelope_of(event_of("a")), path, method=method)[0] == status
    assert collector.latest_sentry_items == ()


def test_brotli_is_not_supported(send: Send, auth: dict[str, str]) -> None:
    status, headers, answer = send(b"", ENVELOPE, {**auth, "Content-Encoding": "br"})

    assert (status, headers["Connection"]) == (415, "close")
    assert json.loads(answer)["detail"] == "Content-Encoding is 'br', not gzip, deflate or identity"


@pytest.mark.parametrize(
    ("fault", "settings", "status", "taken"),
    [
        (Fault.DRIP, {"interval": 0.0}, 200, 2),
        (Fault.SLOW, {"seconds": 0.01}, 200, 2),
        (Fault.STATUS, {"status": 202}, 202, 2),
        (Fault.PARTIAL_SUCCESS, {"rejected": 1}, 200, 2),
        (Fault.STATUS, {"status": 429, "retry_after": 7}, 429, 0),
        (Fault.RESOURCE_EXHAUSTED, {"retry_after": 7}, 429, 0),
        (Fault.UNAVAILABLE, {}, 503, 0),
    ],
)
def test_a_fault_with_an_answer_answers_an_envelope_too(
    collector: FaultyCollector,
    send: Send,
    fault: Fault,
    settings: dict[str, Any],
    status: int,
    taken: int,
) -> None:
    collector.set_fault(fault, **settings)

    got, headers, answer = send(envelope_of(event_of("a"), event_of("b")))

    assert got == status
    assert headers.get("Retry-After") == ("7" if status == 429 else None)
    assert json.loads(answer) == ({"id": EVENT_ID} if taken else {"detail": "the fault of this collector"})
    assert (len(collector.latest_sentry_items), collector.counts().requests) == (taken, 1)


@pytest.mark.parametrize(
    ("fault", "error", "taken"),
    [
        (Fault.REFUSE, ConnectionRefusedError, 0),
        (Fault.BLACKHOLE, TimeoutError, 0),
        (Fault.RESET, ConnectionResetError, 0),
        (Fault.GARBAGE, http.client.BadStatusLine, 0),
        (Fault.TAKEN_THEN_RESET, ConnectionResetError, 1),
        (Fault.TAKEN_THEN_CLOSED, http.client.RemoteDisconnected, 1),
        (Fault.GOAWAY, http.client.RemoteDisconnected, 0),
        (Fault.TRUNCATED, http.client.IncompleteRead, 1),
    ],
)
def test_a_fault_without_an_answer_leaves_an_envelope_unanswered(
    collector: FaultyCollector, auth: dict[str, str], fault: Fault, error: type[Exception], taken: int
) -> None:
    collector.fault = fault
    timeout = 0.1 if fault is Fault.BLACKHOLE else 5.0
    connection = http.client.HTTPConnection(urlsplit(collector.http_base).netloc, timeout=timeout)

    def ask() -> None:
        connection.request("POST", ENVELOPE, envelope_of(event_of("a")), auth)
        connection.getresponse().read()

    with pytest.raises(error):
        ask()

    connection.close()
    assert len(collector.latest_sentry_items) == taken


def test_items_are_waited_for_by_kind_or_all_together(collector: FaultyCollector, send: Send) -> None:
    send(envelope_of(event_of("a"), event_of("b"), b'{"type": "a&b"}\n'))

    assert collector.wait_for_sentry_items(2, kind="event")
    assert collector.wait_for_sentry_items(1, kind="a&b")
    assert collector.wait_for_sentry_items(3)
    assert not collector.wait_for_sentry_items(3, kind="event", timeout=0.01)
    assert not collector.wait_for_sentry_items(1, kind="session", timeout=0.01)
    assert not collector.wait_for_sentry_items(4, timeout=0.01)


def test_the_latest_items_are_kept_and_all_are_counted(collector: FaultyCollector, send: Send) -> None:
    send(envelope_of(*[b'{"type": "first"}\n'] * 10, *[b'{"type": "later"}\n'] * 9_999))

    assert [item.kind for item in collector.latest_sentry_items] == ["first"] + ["later"] * 9_999
    assert collector.wait_for_sentry_items(10, kind="first", timeout=0.0)
    assert collector.wait_for_sentry_items(10_009, timeout=0.0)


@pytest.mark.parametrize("forget", [FaultyCollector.clear, FaultyCollector.renew])
def test_clearing_forgets_items_too(
    collector: FaultyCollector, send: Send, forget: Callable[[FaultyCollector], None]
) -> None:
    send(envelope_of(event_of("a")))
    assert collector.wait_for_sentry_items(1)

    forget(collector)

    assert collector.latest_sentry_items == ()
    assert not collector.wait_for_sentry_items(1, timeout=0.0)


def test_only_items_are_waited_for_by_kind(collector: FaultyCollector) -> None:
    control = http.client.HTTPConnection(urlsplit(collector.control_url).netloc, timeout=5.0)
    control.request("GET", "/wait?for=spans&kind=event")
    response = control.getresponse()

    assert response.status == 400
    assert b"kind=K with sentry_items alone" in response.read()
    control.close()
