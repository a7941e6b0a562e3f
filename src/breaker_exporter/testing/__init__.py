"""Fakes to test your own wiring with: scripted exporters, a clock that tests move, a faulty collector.

Names are resolved on first use (PEP 562): nothing here loads ``ssl``, ``grpc`` or ``asyncio`` into the
process under test, and the collector's own process does not load the SDK.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._call_record import Call
    from ._clock import ManualClock
    from ._collector import FaultyCollector
    from ._faults import Connections, Fault, Signal
    from ._outcomes import Outcome, Playable, fail, hang, hang_then, succeed, take, throw
    from ._scripted import ScriptedExporter
    from ._scripted_logs import ScriptedLogRecordExporter
    from ._scripted_metrics import ScriptedMetricExporter
    from ._values import (
        ReceivedCounts,
        ReceivedDataPoint,
        ReceivedLogRecord,
        ReceivedSentryItem,
        ReceivedSpan,
    )

__all__ = [
    "Call",
    "Connections",
    "Fault",
    "FaultyCollector",
    "ManualClock",
    "Outcome",
    "Playable",
    "ReceivedCounts",
    "ReceivedDataPoint",
    "ReceivedLogRecord",
    "ReceivedSentryItem",
    "ReceivedSpan",
    "ScriptedExporter",
    "ScriptedLogRecordExporter",
    "ScriptedMetricExporter",
    "Signal",
    "fail",
    "hang",
    "hang_then",
    "succeed",
    "take",
    "throw",
]

_MODULES = {
    "_call_record": ("Call",),
    "_clock": ("ManualClock",),
    "_collector": ("FaultyCollector",),
    "_faults": ("Connections", "Fault", "Signal"),
    "_outcomes": ("Outcome", "Playable", "fail", "hang", "hang_then", "succeed", "take", "throw"),
    "_scripted": ("ScriptedExporter",),
    "_scripted_logs": ("ScriptedLogRecordExporter",),
    "_scripted_metrics": ("ScriptedMetricExporter",),
    "_values": (
        "ReceivedCounts",
        "ReceivedDataPoint",
        "ReceivedLogRecord",
        "ReceivedSentryItem",
        "ReceivedSpan",
    ),
}


def __getattr__(name: str) -> object:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f".{module}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
