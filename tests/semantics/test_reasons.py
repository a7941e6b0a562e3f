"""The reason of a failure: what the wrapped exporter logged, and where an error was raised."""

from __future__ import annotations

import logging
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import requests
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GRPCExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HTTPExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from breaker_exporter import CircuitBreakerSpanExporter, ExportReport, Verdict
from breaker_exporter._base.redaction import origin
from breaker_exporter.testing import Fault, FaultyCollector, ScriptedExporter

from ._processes import run_patched, run_plain
from ._spans import spans

logger = logging.getLogger(__name__)
SECRET = "s3cret-of-the-header"


class Logging(SpanExporter):
    """Logs its lines, and fails."""

    def __init__(self, *lines: tuple[int, str], report: object = SpanExportResult.FAILURE) -> None:
        self._lines = lines
        self._report = report

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        for level, line in self._lines:
            logger.log(level, line)
        return self._report  # type: ignore[return-value]


class Inheriting(Logging):
    __module__ = "somewhere.else"


def reason_of(exporter: SpanExporter, exports: int = 1) -> str | None:
    guarded = CircuitBreakerSpanExporter(exporter, name="otlp", failure_threshold=9)
    for _ in range(exports):
        guarded.export(spans(1))
    reason = guarded.health().last_error
    guarded.shutdown()
    return reason


@pytest.mark.parametrize("kind", [Logging, Inheriting])
def test_what_it_logged_is_the_reason_where_it_returned_failure(kind: type[Logging]) -> None:
    quiet, loud = (logging.INFO, "trying"), (logging.ERROR, "HTTP 401:\ntoken has expired")
    assert reason_of(kind(quiet, loud, quiet)) == "returned FAILURE and logged: HTTP 401: token has expired"


def test_the_line_before_the_last_one_goes_along_and_repetitions_do_not() -> None:
    retry, end = (logging.WARNING, "refused, retrying."), (logging.ERROR, "gave up.")
    assert (
        reason_of(Logging((logging.WARNING, "old"), retry, retry, end))
        == "returned FAILURE and logged: gave up, before that: refused, retrying"
    )


def test_nothing_but_its_own_words_in_this_very_call_are_the_reason() -> None:
    class Silent(SpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            thread = threading.Thread(target=lambda: logger.error("of another thread"))
            thread.start()
            thread.join()
            logging.getLogger("of.others").error("of another library")
            return SpanExportResult.FAILURE

    logger.error("of an earlier time")
    assert reason_of(Silent()) == "returned FAILURE"


def test_what_cannot_be_formatted_is_left_out() -> None:
    class Clumsy(SpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            logger.error(*("%d of %d", "one"))
            return SpanExportResult.FAILURE

    raised, logging.raiseExceptions = logging.raiseExceptions, False
    try:
        assert reason_of(Clumsy()) == "returned FAILURE"
    finally:
        logging.raiseExceptions = raised


@pytest.mark.parametrize(
    ("report", "reason"),
    [
        (SpanExportResult.SUCCESS, None),
        (ExportReport(Verdict.FAILED, reason="HTTP 503"), "HTTP 503"),
        (ExportReport(Verdict.FAILED, reason="returned FAILURE"), "returned FAILURE and logged: so it is"),
    ],
)
def test_a_reason_that_is_there_stays(report: object, reason: str | None) -> None:
    assert reason_of(Logging((logging.ERROR, "so it is"), report=report)) == reason


def test_no_secret_gets_into_a_reason_by_what_was_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", f"x-api-key={SECRET},x-tenant=1")

    reason = reason_of(
        Logging((logging.ERROR, f"401 for {SECRET} at https://me:hunter22@collector/?key=abc\x1b[2J"))
    )

    assert reason == "returned FAILURE and logged: 401 for *** at https://***@collector/?***"


def official_exporters_log_the_real_reason() -> None:
    with socket.socket() as held:  # else another test's collector could get the port
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        # Time for one retry and no second: a last one could be left with no time to connect.
        http = reason_of(HTTPExporter(f"http://127.0.0.1:{port}/v1/traces", timeout=2))
        grpc = reason_of(GRPCExporter(f"http://127.0.0.1:{port}", timeout=1), exports=2)

    assert http is not None
    assert grpc is not None
    assert "refused" in http
    if not http.startswith(
        "raised"
    ):  # before 1.40 it lets the error of requests through, whose text may hold a secret
        assert "127.0.0.1" in http
        assert str(port) in http
    assert f"127.0.0.1:{port}" in grpc
    assert "UNAVAILABLE" in grpc


@pytest.mark.parametrize("run", [run_plain, run_patched])
def test_the_reason_of_an_official_exporter_names_host_and_port(run: Callable[..., str]) -> None:
    """Also where its logger drops a line that repeats the one before."""
    run(official_exporters_log_the_real_reason)


def test_the_reason_of_an_official_exporter_names_the_status(faulty_collector: FaultyCollector) -> None:
    faulty_collector.set_fault(Fault.STATUS, status=401)
    reason = reason_of(HTTPExporter(faulty_collector.http_endpoint))
    faulty_collector.renew()

    assert reason is not None
    assert "401" in reason


def _line() -> int:
    return sys._getframe(1).f_lineno


def test_what_was_raised_is_told_with_its_place() -> None:
    lines = []

    def raises(_: object) -> None:
        lines.append(_line() + 1)
        raise ValueError(SECRET)

    reason = reason_of(ScriptedExporter(default=raises))

    assert reason == f"raised ValueError in {Path(__file__)}:{lines[0]}"


class Odd(Exception):
    pass


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError(SECRET), "ValueError"),
        (Odd(SECRET), f"{__name__}.Odd"),
        (ConnectionRefusedError(111, "Connection refused"), "ConnectionRefusedError: Connection refused"),
        (ConnectionRefusedError(111, SECRET), "ConnectionRefusedError"),
        (ConnectionRefusedError(SECRET), "ConnectionRefusedError"),
        (FileNotFoundError(2, "No such file or directory", "/ca.pem"), None),
        (
            socket.gaierror(-2, "Name or service not known"),
            "socket.gaierror: Name or service not known",
        ),
        (ssl.SSLError(1, "[SSL] wrong version number"), "ssl.SSLError: [SSL] wrong version number"),
        (ImportError("no module\nnamed x"), "ImportError: no module named x"),
    ],
)
def test_of_the_text_of_an_error_what_is_safe_is_told(error: Exception, told: str | None) -> None:
    assert origin(error) == (told or "FileNotFoundError: No such file or directory '/ca.pem'")


def test_a_place_in_an_installed_package_is_told_without_the_way_to_it() -> None:
    with pytest.raises(ValueError, match="timeout") as raised:
        requests.get("http://127.0.0.1:1", timeout=-1)

    assert " in requests/" in origin(raised.value) or " in urllib3/" in origin(raised.value)
