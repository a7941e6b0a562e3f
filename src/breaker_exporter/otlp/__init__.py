"""OTLP/HTTP spoken by this package itself: an exporter that does not hold the gevent hub while it encodes.

Names are resolved on first use (PEP 562): requests brings ``ssl`` along, which must not come before gevent's
monkey patch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._exporters import CooperativeOTLPSpanExporter

__all__ = ["CooperativeOTLPSpanExporter"]


def __getattr__(name: str) -> object:
    if name == "CooperativeOTLPSpanExporter":
        from ._packages import importing

        with importing("http/protobuf"):
            from ._exporters import CooperativeOTLPSpanExporter
        return CooperativeOTLPSpanExporter
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
