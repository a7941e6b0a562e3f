"""Fakes to test your own wiring with: a scripted exporter, a clock that tests move, a faulty collector.

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
    from ._faults import Connections, Fault
    from ._outcomes import Outcome, Playable, fail, hang, hang_then, succeed, take, throw
    from ._scripted import ScriptedExporter
    from ._values import ReceivedCounts, ReceivedSentryItem, ReceivedSpan

__all__ = [
    "Call",
    "Connections",
    "Fault",
    "FaultyCollector",
    "ManualClock",
    "Outcome",
    "Playable",
    "ReceivedCounts",
    "ReceivedSentryItem",
    "ReceivedSpan",
    "ScriptedExporter",
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
    "_faults": ("Connections", "Fault"),
    "_outcomes": ("Outcome", "Playable", "fail", "hang", "hang_then", "succeed", "take", "throw"),
    "_scripted": ("ScriptedExporter",),
    "_values": ("ReceivedCounts", "ReceivedSentryItem", "ReceivedSpan"),
}


def __getattr__(name: str) -> object:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f".{module}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
