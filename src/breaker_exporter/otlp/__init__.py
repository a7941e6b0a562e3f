"""OTLP spoken by this package itself, by HTTP and by gRPC: exporters that do not hold the GIL for long.

Names are resolved on first use (PEP 562): requests and grpc bring ``ssl`` along, which must not come before
gevent's monkey patch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._exporters import CooperativeOTLPSpanExporter
    from ._grpc_exporters import OTLPGrpcSpanExporter

__all__ = ["CooperativeOTLPSpanExporter", "OTLPGrpcSpanExporter"]


def __getattr__(name: str) -> object:  # asked for every module of this folder too, before it is imported
    if name == "CooperativeOTLPSpanExporter":
        from ._packages import importing

        with importing("http/protobuf"):
            from ._exporters import CooperativeOTLPSpanExporter
        return CooperativeOTLPSpanExporter
    if name == "OTLPGrpcSpanExporter":
        from ._packages import importing

        with importing("grpc"):
            from ._grpc_exporters import OTLPGrpcSpanExporter
        return OTLPGrpcSpanExporter
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
