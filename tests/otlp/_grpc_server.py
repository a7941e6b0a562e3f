"""A gRPC server that answers as a script says, for what our collector does not: odd statuses and details."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)

from breaker_exporter.otlp import OTLPGrpcSpanExporter

MakeGrpc = Callable[..., OTLPGrpcSpanExporter]
SERVICE = "opentelemetry.proto.collector.trace.v1.TraceService"
METHOD = f"/{SERVICE}/Export"

Act = Callable[[Any], bytes]


@dataclass
class Server:
    """A server that is up, and what came to it."""

    target: str
    requests: list[bytes] = field(default_factory=list)
    metadata: list[dict[str, Any]] = field(default_factory=list)
    peers: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://{self.target}"


def abort(code: grpc.StatusCode, details: str = "", metadata: tuple[tuple[str, bytes], ...] = ()) -> Act:
    def act(context: Any) -> bytes:
        context.set_trailing_metadata(metadata)
        context.abort(code, details)
        raise AssertionError

    return act


def partial(rejected: int, message: str = "") -> Act:
    told = ExportTracePartialSuccess(rejected_spans=rejected, error_message=message)
    body: bytes = ExportTraceServiceResponse(partial_success=told).SerializeToString()
    return lambda _: body


def good(_: Any) -> bytes:
    return b""


def waiting(event: threading.Event, then: Act = good) -> Act:
    def act(context: Any) -> bytes:
        event.wait(30)
        return then(context)

    return act


def retry(seconds: float) -> RetryInfo:
    asked = RetryInfo()
    asked.retry_delay.FromNanoseconds(round(seconds * 1e9))
    return asked


def details(*messages: Any) -> bytes:
    """The value of ``grpc-status-details-bin`` with these details."""
    packed = [AnyMessage() for _ in messages]
    for one, told in zip(packed, messages, strict=True):
        one.Pack(told)
    return bytes(Status(code=14, details=packed).SerializeToString())


@contextlib.contextmanager
def answering(
    *script: Act,
    credentials: grpc.ServerCredentials | None = None,
    options: tuple[tuple[str, int], ...] = (),
    address: str = "127.0.0.1:0",
) -> Iterator[Server]:
    """A server that answers so, one call after the other, then well."""
    left = list(script)
    up = Server("")

    def export(body: bytes, context: Any) -> bytes:
        up.peers.append(context.peer())
        up.requests.append(body)
        up.metadata.append({one.key: one.value for one in context.invocation_metadata()})
        return (left.pop(0) if left else good)(context)

    server = grpc.server(ThreadPoolExecutor(4), options=options)
    handler: Any = grpc.unary_unary_rpc_method_handler(export)
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, {"Export": handler})])
    port = (
        server.add_insecure_port(address)
        if credentials is None
        else server.add_secure_port(address, credentials)
    )
    up.target = address if address.startswith("unix:") else f"127.0.0.1:{port}"
    server.start()
    try:
        yield up
    finally:
        server.stop(None).wait()
