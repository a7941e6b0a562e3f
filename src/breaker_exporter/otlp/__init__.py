"""OTLP spoken by this package itself, by HTTP and by gRPC: exporters that do not hold the GIL for long.

Names are resolved on first use (PEP 562): requests and grpc bring ``ssl`` along, which must not come before
gevent's monkey patch, and the SDK's logs and metrics cost time and memory.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._grpc_logs import OTLPGrpcLogRecordExporter
    from ._grpc_metrics import OTLPGrpcMetricExporter
    from ._grpc_spans import OTLPGrpcSpanExporter
    from ._http_logs import CooperativeOTLPLogRecordExporter
    from ._http_metrics import CooperativeOTLPMetricExporter
    from ._http_spans import CooperativeOTLPSpanExporter

__all__ = [
    "CooperativeOTLPLogRecordExporter",
    "CooperativeOTLPMetricExporter",
    "CooperativeOTLPSpanExporter",
    "OTLPGrpcLogRecordExporter",
    "OTLPGrpcMetricExporter",
    "OTLPGrpcSpanExporter",
]
_MODULES = {
    "CooperativeOTLPLogRecordExporter": "_http_logs",
    "CooperativeOTLPMetricExporter": "_http_metrics",
    "CooperativeOTLPSpanExporter": "_http_spans",
    "OTLPGrpcLogRecordExporter": "_grpc_logs",
    "OTLPGrpcMetricExporter": "_grpc_metrics",
    "OTLPGrpcSpanExporter": "_grpc_spans",
}


def __getattr__(name: str) -> object:  # asked for every module of this folder too, before it is imported
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from ._packages import importing

    with importing("grpc" if name.startswith("OTLPGrpc") else "http/protobuf"):
        module = import_module(f".{_MODULES[name]}", __name__)
    return getattr(module, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
