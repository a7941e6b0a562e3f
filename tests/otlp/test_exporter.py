"""The cooperative OTLP exporter on real sockets: what it sends, what it makes of answers, in what time."""

from __future__ import annotations

import _thread
import errno
import gzip
import logging
import os
import socket
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Sequence
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
import requests
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult

from breaker_exporter import CircuitBreakerSpanExporter, CircuitState, ExportReport, Verdict, otlp
from breaker_exporter._core.report import Cause
from breaker_exporter.otlp import CooperativeOTLPSpanExporter
from breaker_exporter.telemetry import TelemetryError
from breaker_exporter.testing import Fault, FaultyCollector

from ..semantics._children import in_child
from ..semantics._spans import spans
from ..semantics._waiting import PATIENCE, start, until
from ._reports import is_late
from ._server import Make, answer, serving

pytestmark = pytest.mark.usefixtures("no_variables_from_outside")

SUCCESS, FAILURE = SpanExportResult.SUCCESS, SpanExportResult.FAILURE


def ids(batch: Sequence[ReadableSpan]) -> set[str]:
    return {f"{span.get_span_context().span_id:016x}" for span in batch}  # type: ignore[union-attr]


def names(body: bytes) -> list[str]:
    request = ExportTraceServiceRequest.FromString(body)
    return [span.name for of in request.resource_spans for scoped in of.scope_spans for span in scoped.spans]


@pytest.mark.parametrize("compression", ["none", "gzip", "deflate", Compression.Gzip])
def test_all_spans_of_a_batch_arrive_once(
    collector: FaultyCollector, make: Make, compression: object
) -> None:
    exporter = make(collector.http_endpoint, compression=compression)
    batch = spans(700)

    assert exporter.export(batch) is SUCCESS
    assert exporter.export(spans(1)) is SUCCESS

    assert collector.span_ids > ids(batch)
    assert (len(collector.span_ids), collector.duplicates) == (701, 0)
    assert exporter.force_flush()


def test_large_compressed_bodies_are_whole(make: Make) -> None:
    """Pieces of 32 KiB make one stream."""
    batch = spans(2000)
    for compression, unpack in (("gzip", gzip.decompress), ("deflate", zlib.decompress)):
        with serving() as server:
            make(server.url, compression=compression).export(batch)
            (request,) = server.requests

        assert request.headers["content-encoding"] == compression
        assert len(names(unpack(request.body))) == 2000


def test_it_says_who_it_is_and_what_it_was_told_to_say(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=shop,X-Key=from%20environment")
    with serving() as server:
        make(server.url, headers={"X-Key": "from code"}).export(spans(1))
        (request,) = server.requests

    assert request.headers["content-type"] == "application/x-protobuf"
    assert request.headers["user-agent"].startswith("breaker-exporter/")
    assert request.headers["x-tenant"] == "shop"
    assert request.headers["x-key"] == "from code"
    assert "content-encoding" not in request.headers


@pytest.mark.parametrize(
    ("variable", "path", "expected"),
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "", "/v1/traces"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "/base/", "/base/v1/traces"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "/mine", "/mine"),
    ],
)
def test_the_environment_says_where_to(
    make: Make, monkeypatch: pytest.MonkeyPatch, variable: str, path: str, expected: str
) -> None:
    with serving() as server:
        monkeypatch.setenv(variable, server.base + path)
        make().export(spans(1))
        assert [request.path for request in server.requests] == [expected]


def test_the_environment_says_how(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "GZIP")
    cut = threading.Event()
    with serving(answer(200), lambda handler: until(cut.is_set)) as server:
        assert make(server.url).export(spans(1)) is SUCCESS
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.1")
        assert is_late(make(server.url).export_and_report(spans(1)))
        cut.set()
        assert names(gzip.decompress(server.requests[0].body)) == ["span-0"]


def test_a_bad_variable_is_one_warning_and_the_default(
    make: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "a secret")
    with serving() as server:
        assert make(server.url).export(spans(1)) is SUCCESS

    assert len(caplog.records) == 1
    assert "OTEL_EXPORTER_OTLP_HEADERS: header number 1 must be" in caplog.text
    assert "secret" not in caplog.text
    monkeypatch.setenv("BREAKER_EXPORTER_STRICT", "1")
    with pytest.raises(TelemetryError, match="OTEL_EXPORTER_OTLP_HEADERS"):
        make()


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"endpoint": "collector:4318"}, ValueError, "endpoint must be a URL"),
        ({"timeout": 0}, ValueError, "timeout must be"),
        ({"timeout": "5"}, TypeError, "timeout must be"),
        ({"compression": "zstd"}, ValueError, "compression must be one of none, gzip, deflate"),
        ({"headers": {"a": "b\n"}}, ValueError, "line break"),
        ({"headers": ["a"]}, TypeError, "headers must be a mapping"),
        ({"max_request_size": True}, TypeError, "max_request_size must be a whole number, not True"),
        ({"max_request_size": 1.5}, TypeError, "max_request_size must be"),
        ({"endpoint": "htp://collector:4318"}, ValueError, "such as http://collector:4318, not 'htp://"),
        ({"certificate_file": "/no/file"}, ValueError, "certificate_file must be .* not '/no/file'"),
        ({"client_key_file": "/no/file"}, ValueError, "client_key_file must be .* not '/no/file'"),
        (
            {"client_certificate_file": pytest.__file__},
            ValueError,
            "client_certificate_file must be ",
        ),
    ],
)
def test_a_bad_argument_is_named(arguments: dict[str, Any], error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        CooperativeOTLPSpanExporter(**arguments)


def test_certificates_come_from_the_environment_or_the_code(
    make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, trusted: str
) -> None:
    """That they are used is seen from what requests says of a file that is gone."""
    gone = tmp_path / "gone.pem"
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", str(gone))
    exporter = make("https://127.0.0.1:9/v1/traces")
    assert str(gone) in exporter.export_and_report(spans(1)).reason

    gone.write_text("-----BEGIN CERTIFICATE-----")
    url = "https://127.0.0.1:9/v1/traces"
    with_key = make(url, certificate_file=trusted, client_key_file=str(gone))
    with_both = make(
        url, certificate_file=trusted, client_key_file=trusted, client_certificate_file=str(gone)
    )
    gone.unlink()
    assert with_key.export_and_report(spans(1)).verdict is Verdict.FAILED
    assert str(gone) in with_both.export_and_report(spans(1)).reason


def test_a_folder_of_certificates_will_do(make: Make, tmp_path: Path) -> None:
    """As requests has it; for the client's there has to be a file."""
    make(
        "https://127.0.0.1:9/", certificate_file=str(tmp_path), client_key_file="", client_certificate_file=""
    )
    with pytest.raises(ValueError, match="client_key_file must be a readable file in PEM format"):
        make("https://127.0.0.1:9/", client_key_file=str(tmp_path))


def test_a_file_that_cannot_be_read_to_its_end_is_told(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that fails, say."""

    def fails(_: Path) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    file = tmp_path / "ca.pem"
    file.write_bytes(b"-----BEGIN CERTIFICATE-----")
    monkeypatch.setattr(Path, "read_bytes", fails)
    with pytest.raises(ValueError, match="certificate_file must be a readable file in PEM format"):
        make("https://127.0.0.1:9/", certificate_file=str(file))


def test_a_file_of_another_kind_is_not_read(make: Make, tmp_path: Path) -> None:
    """A pipe gives what it holds once."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    make("https://127.0.0.1:9/", certificate_file=str(pipe))


@pytest.mark.parametrize(
    ("status", "verdict", "says"),
    [
        (200, Verdict.DELIVERED, ""),
        (202, Verdict.DELIVERED, ""),
        (400, Verdict.REJECTED, "HTTP 400"),
        (413, Verdict.REJECTED, "HTTP 413"),
        (422, Verdict.REJECTED, "HTTP 422"),
        (401, Verdict.MISCONFIGURED, "HTTP 401: check the credentials"),
        (403, Verdict.MISCONFIGURED, "HTTP 403: check the credentials"),
        (404, Verdict.MISCONFIGURED, "HTTP 404: check the path"),
        (429, Verdict.FAILED, "HTTP 429"),
        (500, Verdict.FAILED, "HTTP 500"),
        (502, Verdict.FAILED, "HTTP 502"),
        (503, Verdict.FAILED, "HTTP 503"),
        (504, Verdict.FAILED, "HTTP 504"),
        (302, Verdict.FAILED, "HTTP 302"),
    ],
)
def test_a_status_says_what_became_of_the_batch(make: Make, status: int, verdict: Verdict, says: str) -> None:
    with serving(answer(status)) as server:
        report = make(server.url).export_and_report(spans(1))

    assert (report.verdict, report.retry_after) == (verdict, None)
    assert report.reason.startswith(says)
    assert report.accepted_of(1) == (verdict is Verdict.DELIVERED)


@pytest.mark.parametrize(
    ("value", "low", "high"),
    [
        ("7", 7, 7),
        ("0.5", 0.5, 0.5),
        ("1e9", 86_400, 86_400),
        ("in ten minutes", 500, 600),
        ("Wed, 21 Oct 2099 07:28:00 -0000", 86_400, 86_400),
    ],
)
@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_retry_after_is_read_as_seconds_or_as_a_date(
    make: Make, status: int, value: str, low: float, high: float
) -> None:
    if value == "in ten minutes":
        value = formatdate(time.time() + 600, usegmt=True)
    with serving(answer(status, Retry_After=value)) as server:
        report = make(server.url).export_and_report(spans(1))

    assert report.retry_after is not None
    assert low <= report.retry_after <= high


@pytest.mark.parametrize("value", ["soon", "-1", "0", "nan", "inf", "Wed, 21 Oct 2015 07:28:00 GMT", ""])
def test_a_retry_after_that_says_nothing_is_none(make: Make, value: str) -> None:
    with serving(answer(503, Retry_After=value)) as server:
        assert make(server.url).export_and_report(spans(1)).retry_after is None


def partial_success(rejected: int, message: str = "quota used up") -> bytes:
    partial = ExportTracePartialSuccess(rejected_spans=rejected, error_message=message)
    return ExportTraceServiceResponse(partial_success=partial).SerializeToString()


@pytest.mark.parametrize(("rejected", "held"), [(0, 5), (2, 3), (5, 0), (9, 0), (-1, 5)])
def test_partial_success_counts_what_the_collector_rejected_as_failed(
    make: Make, rejected: int, held: int
) -> None:
    with serving(answer(200, partial_success(rejected))) as server:
        exporter = CircuitBreakerSpanExporter(make(server.url))

        assert exporter.export(spans(5)) is SUCCESS

        health = exporter.health()
        assert (health.exported, health.failed, health.state) == (held, 5 - held, CircuitState.CLOSED)
        told = f"the collector rejected {5 - held} spans: quota used up"
        assert health.last_error == (None if held == 5 else told)
        exporter.shutdown()


def test_a_batch_that_is_too_large_is_halved_as_often_as_needed(make: Make) -> None:
    """O3."""
    with serving(answer(413), answer(413), answer(200), answer(200), answer(200)) as server:
        report = make(server.url).export_and_report(spans(8))
        assert [len(names(request.body)) for request in server.requests[:3]] == [8, 4, 2]
        arrived = [name for request in server.requests[2:] for name in names(request.body)]

    assert report == ExportReport(Verdict.DELIVERED)
    assert sorted(arrived) == sorted(f"span-{number}" for number in range(8))


@pytest.mark.parametrize(
    ("second", "verdict", "accepted", "posts"),
    [
        ((answer(413), answer(413)), Verdict.REJECTED, 0, 3),
        ((answer(413), answer(503)), Verdict.FAILED, 0, 3),
        ((answer(200), answer(401)), Verdict.MISCONFIGURED, 1, 3),
        ((answer(503),), Verdict.FAILED, 0, 2),
        ((answer(200), answer(413)), Verdict.DELIVERED, 1, 3),
        ((answer(200), answer(200)), Verdict.DELIVERED, 2, 3),
    ],
)
def test_of_two_halves_the_more_telling_counts(
    make: Make, second: tuple[Any, ...], verdict: Verdict, accepted: int, posts: int
) -> None:
    with serving(answer(413), *second) as server:
        report = make(server.url).export_and_report(spans(2))
        assert (report.verdict, report.accepted_of(2)) == (verdict, accepted)
        assert len(server.requests) == posts


def test_the_reason_is_that_of_the_more_telling_half(make: Make) -> None:
    with serving(answer(413), answer(200, partial_success(1)), answer(503, Retry_After="7")) as server:
        report = make(server.url).export_and_report(spans(4))

    assert report == ExportReport(Verdict.FAILED, 1, "HTTP 503", 7, Cause.BUSY)


def test_a_batch_above_max_request_size_is_split_before_it_is_sent(make: Make) -> None:
    batch = spans(4)
    with serving() as server:
        assert make(server.url).export(batch) is SUCCESS
        size = len(server.requests[0].body)
        assert make(server.url, max_request_size=size - 1).export(batch) is SUCCESS
        parts = [request.body for request in server.requests[1:]]
        assert max(map(len, parts)) < size
        assert [name for part in parts for name in names(part)] == [f"span-{number}" for number in range(4)]
        assert make(server.url, max_request_size=0).export(batch) is SUCCESS

        report = make(server.url, max_request_size=10).export_and_report(batch)

        assert (report.verdict, len(server.requests)) == (Verdict.UNSENT, 2 + len(parts))
        assert "above max_request_size" in report.reason


def test_a_span_that_nobody_can_encode_costs_the_others_nothing(make: Make) -> None:
    with serving() as server:
        exporter = CircuitBreakerSpanExporter(make(server.url))
        assert exporter.export((*spans(2), object())) is SUCCESS  # type: ignore[arg-type]
        assert len(names(server.requests[0].body)) == 2
        assert (exporter.health().exported, exporter.health().failed) == (2, 1)

        assert exporter.export((object(),)) is FAILURE  # type: ignore[arg-type]
        assert len(server.requests) == 1
        assert exporter.health().last_error == "none of its spans can be encoded"
        exporter.shutdown()


@pytest.mark.parametrize("fault", [Fault.BLACKHOLE, Fault.DRIP, Fault.SLOW])
def test_one_deadline_holds_for_the_whole_call(collector: FaultyCollector, make: Make, fault: Fault) -> None:
    """A byte every now and then resets the timeout of requests, and not this one."""
    exporter = make(collector.http_endpoint, timeout=0.3)
    exporter.export(spans(1))
    if fault is Fault.DRIP:
        collector.set_fault(fault, interval=0.05)
    else:
        collector.fault = fault

    began = time.monotonic()
    report = exporter.export_and_report(spans(1))

    assert is_late(report)
    assert time.monotonic() - began < PATIENCE
    collector.fault = Fault.NONE
    until(lambda: exporter.export(spans(1)) is SUCCESS)


def test_the_deadline_holds_for_a_body_that_drips(make: Make) -> None:
    stop = threading.Event()

    def drip(handler: Any) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        while not stop.wait(0.02):
            try:
                handler.wfile.write(b"x")
            except OSError:
                break
        handler.close_connection = True

    with serving(drip) as server:
        assert is_late(make(server.url, timeout=0.3).export_and_report(spans(1)))
        stop.set()


@pytest.mark.parametrize(
    ("fault", "says", "cause"),
    [
        (Fault.REFUSE, "connection refused by {}", Cause.UNREACHABLE),
        (Fault.RESET, "connection reset by {} after the whole request was sent", Cause.UNANSWERED),
        (Fault.GARBAGE, "the answer of {} is not HTTP (BadStatusLine)", Cause.UNKNOWN),
        (Fault.TRUNCATED, "connection closed by {} in the middle of its answer", Cause.UNKNOWN),
    ],
)
def test_no_good_answer_is_a_failure(
    collector: FaultyCollector, make: Make, fault: Fault, says: str, cause: Cause
) -> None:
    exporter = make(collector.http_endpoint)
    collector.fault = fault
    said = says.format(collector.http_base.removeprefix("http://"))
    assert exporter.export_and_report(spans(1)) == ExportReport(Verdict.FAILED, reason=said, cause=cause)
    collector.fault = Fault.NONE
    assert exporter.export(spans(1)) is SUCCESS


def test_of_an_endless_answer_only_the_beginning_is_read(make: Make) -> None:
    with serving(answer(200, bytes(1_000_000))) as server:
        exporter = make(server.url)
        assert exporter.export(spans(1)) is SUCCESS
        assert exporter.export(spans(1)) is SUCCESS
        assert [request.connection for request in server.requests] == [1, 2]


def test_the_deadline_holds_through_a_proxy(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    stop = threading.Event()

    def drip(handler: Any) -> None:
        while not stop.wait(0.02):
            try:
                handler.wfile.write(b"HTTP/1.1 200 OK"[:1])
            except OSError:
                break
        handler.close_connection = True

    with serving(answer(200), drip) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.base)
        url = "http://collector.test:4318/v1/traces"
        assert make(url).export(spans(1)) is SUCCESS
        assert is_late(make(url, timeout=0.3).export_and_report(spans(1)))
        assert proxy.requests[0].path == "http://collector.test:4318/v1/traces"
        stop.set()


def test_the_deadline_holds_for_a_tls_handshake_that_hangs(make: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        exporter = make(f"https://127.0.0.1:{silent.getsockname()[1]}/v1/traces", timeout=0.3)

        began = time.monotonic()
        report = exporter.export_and_report(spans(1))

    assert is_late(report)
    assert time.monotonic() - began < PATIENCE


_DRIPPING_HANDSHAKE = """
import sys
if sys.argv[1] == "patched":
    from gevent import monkey
    monkey.patch_all()
import contextlib, socket, threading, time
from breaker_exporter.otlp import CooperativeOTLPSpanExporter
from tests.otlp._reports import is_late
from tests.semantics._spans import spans

def drip():
    connection, _ = silent.accept()
    with connection, contextlib.suppress(OSError):
        connection.sendall(bytes([0x16, 3, 3, 0x40, 0]))  # the head of a record of 16 KiB
        while True:
            time.sleep(0.02)
            connection.sendall(b"x")

silent = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=drip, daemon=True).start()
exporter = CooperativeOTLPSpanExporter(f"https://127.0.0.1:{silent.getsockname()[1]}/v1/traces", timeout=0.3)
print(is_late(exporter.export_and_report(spans(1))))
"""


@pytest.mark.parametrize("world", ["patched", "plain"])
def test_the_deadline_holds_for_a_tls_handshake_that_drips(world: str) -> None:
    """Each byte resets the timeout of a socket of gevent's; it would take minutes."""
    done = subprocess.run(
        [sys.executable, "-c", _DRIPPING_HANDSHAKE, world],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.stdout, done.returncode) == ("True\n", 0), done.stderr


def test_the_deadline_holds_for_a_host_of_several_addresses(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each address that does not answer would take the whole timeout."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        fillers = []
        for _ in range(4):  # nobody accepts: further connections get no answer
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
            fillers.append(filler)
        address = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [address] * 100)

        began = time.monotonic()
        report = make(f"http://several.test:{port}", timeout=0.6).export_and_report(spans(1))

        assert is_late(report)
        assert time.monotonic() - began < PATIENCE
        for filler in fillers:
            filler.close()


def test_the_time_that_resolving_a_name_takes_counts(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    resolve = socket.getaddrinfo

    def resolve_late(*args: Any, **kwargs: Any) -> Any:
        threading.Event().wait(0.2)
        return resolve(*args, **kwargs)

    with serving() as server:
        exporter = make(server.url, timeout=0.15)
        monkeypatch.setattr(socket, "getaddrinfo", resolve_late)

        report = exporter.export_and_report(spans(1))

        assert is_late(report)
        assert server.requests == []


def test_a_name_that_cannot_be_resolved_is_a_failure(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> object:
        raise socket.gaierror(socket.EAI_NONAME, "not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)

    report = make("http://nowhere.test:4318").export_and_report(spans(1))

    assert report.reason == "the name of nowhere.test:4318 cannot be resolved: not known"


def test_connections_are_kept_alive(make: Make) -> None:
    with serving() as server:
        exporter = make(server.url)
        for _ in range(3):
            assert exporter.export(spans(1)) is SUCCESS
        assert {request.connection for request in server.requests} == {1}


def test_a_forked_child_has_connections_of_its_own(make: Make) -> None:
    """R5: a shared one gave one process the other's answer."""
    with serving() as server, requests.Session() as session:
        exporters = [make(server.url), make(server.url), make(server.url, session=session)]

        def connections_now() -> list[int]:
            assert all(exporter.export(spans(1)) is SUCCESS for exporter in exporters)
            return [request.connection for request in server.requests[-len(exporters) :]]

        def check() -> None:
            connections_now()
            connections_now()

        parents = connections_now()
        in_child(check)
        children = [request.connection for request in server.requests[len(exporters) :]]

        assert children[:3] == children[3:]
        assert len({*parents, *children}) == 6
        assert connections_now() == parents


def test_shutdown_ends_a_call_that_is_under_way(collector: FaultyCollector, make: Make) -> None:
    exporter = make(collector.http_endpoint, timeout=60)
    exporter.export(spans(1))
    collector.fault = Fault.BLACKHOLE
    call = start(lambda: exporter.export_and_report(spans(1)))
    sender: Any = exporter._sender
    until(lambda: sender._flights)

    def ended() -> bool:
        exporter.shutdown()
        return call.done()

    until(ended)
    assert call.result().verdict is Verdict.FAILED
    assert exporter.export(spans(1)) is FAILURE


def test_the_module_has_one_name() -> None:
    assert "CooperativeOTLPSpanExporter" in dir(otlp)
    with pytest.raises(AttributeError, match="OTLPSpanExporter"):
        otlp.OTLPSpanExporter  # noqa: B018


def test_alone_it_says_once_that_it_fails(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    with serving(answer(500), answer(500), answer(200), answer(503)) as server:
        exporter = make(server.url)
        results = [exporter.export(spans(2)) for _ in range(4)]

    assert results == [FAILURE, FAILURE, SUCCESS, FAILURE]
    ours = [record for record in caplog.records if record.name == "breaker_exporter"]
    assert [record.getMessage() for record in ours] == [
        f"{server.base}: 2 spans not exported: HTTP 500",
        f"{server.base}: 2 spans not exported: HTTP 503",
    ]
    assert {record.levelno for record in ours} == {logging.WARNING}


def test_alone_it_says_what_the_collector_rejects(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    """G3: the batch is delivered, and its spans are lost."""
    quota = answer(200, partial_success(2))
    with serving(quota, quota, answer(200)) as server:
        exporter = make(server.url)
        results = [exporter.export(spans(3)) for _ in range(3)]

    assert results == [SUCCESS] * 3
    (line,) = [record.getMessage() for record in caplog.records if record.name == "breaker_exporter"]
    assert line == f"{server.base}: 2 spans not exported: the collector rejected 2 spans: quota used up"


def test_one_item_that_is_lost_is_told_in_the_singular(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    with serving(answer(200, partial_success(1))) as server:
        make(server.url).export(spans(1))

    (line,) = [record.getMessage() for record in caplog.records if record.name == "breaker_exporter"]
    assert line == f"{server.base}: 1 span not exported: the collector rejected 1 span: quota used up"


def test_where_no_thread_can_start_to_resolve_a_name_the_loss_is_said(
    make: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As under gevent at interpreter exit, on Python 3.12."""

    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    exporter = make("http://collector.test:4318")
    monkeypatch.setattr(socket, "getaddrinfo", refuse)

    reports = [exporter.export_and_report(spans(count)) for count in (3, 1)]

    assert [report.verdict for report in reports] == [Verdict.FAILED] * 2
    assert caplog.messages == [
        f"{lost} not exported: no thread can be started: can't create new thread at interpreter shutdown"
        for lost in ("3 spans", "1 span")
    ]


def test_where_no_thread_can_start_the_timeout_is_kept_for_each_read(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As at interpreter exit, from Python 3.12 on."""

    def refuse(*_: object) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    with serving() as server:
        exporter = make(server.url)
        with monkeypatch.context() as patch:
            patch.setattr(_thread, "start_new_thread", refuse)
            assert exporter.export(spans(1)) is SUCCESS


@pytest.mark.parametrize(
    ("endpoint", "destination"),
    [
        ("http://collector:4318/v1/traces", "http://collector:4318"),
        ("https://user:s3cret@Collector.test/v1/traces?key=s3cret#s3cret", "https://Collector.test:443"),
        ("http://user:p@ss@[::1]/?key=s3cret", "http://[::1]:80"),
        ("http://[::1]:4318", "http://[::1]:4318"),
    ],
)
def test_its_destination_is_host_and_port_without_a_secret(
    make: Make, endpoint: str, destination: str
) -> None:
    """G1."""
    assert make(endpoint).destination == destination


def test_what_is_no_batch_has_failed_and_says_where(make: Make) -> None:
    report = make("http://127.0.0.1:9").export_and_report(7)  # type: ignore[arg-type]

    assert report.verdict is Verdict.FAILED
    assert report.reason.startswith("raised TypeError")
