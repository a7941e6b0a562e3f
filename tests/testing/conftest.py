"""Real OTLP exporters of both protocols that send to the collector."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GRPCExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HTTPExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from breaker_exporter.testing import FaultyCollector
from tests._strict import STRICT

MakeSpans = Callable[[int], Sequence[ReadableSpan]]
Send = Callable[[Sequence[ReadableSpan]], bool]
Connect = Callable[[float], Send]
Export = Callable[..., bool]
Post = Callable[..., socket.socket]
RunPython = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def make_spans() -> Iterator[MakeSpans]:
    """Makes finished spans of a service called ``shop``."""
    memory = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource({"service.name": "shop"}))
    provider.add_span_processor(SimpleSpanProcessor(memory))
    tracer = provider.get_tracer("tests.testing")

    def make(count: int) -> Sequence[ReadableSpan]:
        memory.clear()
        for number in range(count):
            with tracer.start_as_current_span("sell", attributes={"number": number, "tags": ["a", "b"]}):
                pass
        return memory.get_finished_spans()

    yield make
    provider.shutdown()


@pytest.fixture(params=["http", "grpc"])
def protocol(request: pytest.FixtureRequest) -> str:
    """Each test that asks for it runs once a protocol."""
    return str(request.param)


@pytest.fixture
def connect(collector: FaultyCollector, protocol: str) -> Iterator[Connect]:
    """Makes official exporters of the protocol that send to the collector.

    What it returns exports and says whether the answer was ``SUCCESS``.
    """
    made: list[SpanExporter] = []

    def make(timeout: float) -> Send:
        exporter: SpanExporter
        if protocol == "http":
            exporter = HTTPExporter(endpoint=collector.http_endpoint, timeout=timeout)
        else:
            exporter = GRPCExporter(endpoint=collector.grpc_endpoint, timeout=timeout)
        made.append(exporter)

        def send(spans: Sequence[ReadableSpan]) -> bool:
            try:
                return exporter.export(spans) is SpanExportResult.SUCCESS
            except Exception:  # older HTTP exporters let some of what requests raises pass
                return False

        return send

    yield make
    for exporter in made:
        exporter.shutdown()


@pytest.fixture
def export(connect: Connect) -> Export:
    """Exports once through a new official exporter; whether the answer was ``SUCCESS``."""

    def export_once(spans: Sequence[ReadableSpan], timeout: float = 5.0) -> bool:
        return connect(timeout)(spans)

    return export_once


@pytest.fixture
def post(collector: FaultyCollector, make_spans: MakeSpans) -> Iterator[Post]:
    """Posts one span by HTTP, on a new connection or on ``on``, and returns the connection, nothing read."""
    opened: list[socket.socket] = []

    def post_once(on: socket.socket | None = None, body: bytes | None = None, *headers: str) -> socket.socket:
        body = encode_spans(make_spans(1)).SerializeToString() if body is None else body
        if on is None:
            address = urlsplit(collector.http_base)
            on = socket.create_connection(("127.0.0.1", address.port or 0), timeout=5.0)
            opened.append(on)
        lines = headers or ("Content-Type: application/x-protobuf",)
        head = ["POST /v1/traces HTTP/1.1", "Host: collector", f"Content-Length: {len(body)}", *lines, "", ""]
        on.sendall("\r\n".join(head).encode() + body)
        return on

    yield post_once
    for connection in opened:
        connection.close()


@pytest.fixture
def run_python(tmp_path: Path) -> RunPython:
    """Runs a script in a fresh interpreter in which warnings are errors."""

    def run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        path = tmp_path / "script.py"
        path.write_text(script)
        return subprocess.run(
            [sys.executable, *STRICT, str(path), *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run
