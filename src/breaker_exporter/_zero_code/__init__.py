"""The exporters that ``OTEL_TRACES_EXPORTER`` and its kin name for ``opentelemetry-instrument``.

Names are resolved on first use (PEP 562): a service without metrics loads nothing of theirs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .logs import GRPCLogRecordExporter, HTTPLogRecordExporter
    from .metrics import GRPCMetricExporter, HTTPMetricExporter
    from .spans import GRPCSpanExporter, HTTPSpanExporter

__all__ = [
    "GRPCLogRecordExporter",
    "GRPCMetricExporter",
    "GRPCSpanExporter",
    "HTTPLogRecordExporter",
    "HTTPMetricExporter",
    "HTTPSpanExporter",
]
_MODULES = {"LogRecordExporter": "logs", "MetricExporter": "metrics", "SpanExporter": "spans"}
"""By the end of a name: the module that has it."""


def __getattr__(name: str) -> object:  # asked for every module of this folder too, before it is imported
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_MODULES[name[4:]]}", __name__), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
