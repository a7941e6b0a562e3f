"""The names that ``OTEL_TRACES_EXPORTER`` and its kin take: one table, for hooks, zero code and doctor."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

from ..otlp._signals import LOGS, METRICS, TRACES, Signal
from .switches import LOGS_EXPORTER, METRICS_EXPORTER, TRACES_EXPORTER

if TYPE_CHECKING:
    from .._base.environment import Environment
    from ..otlp._settings import Protocol

GUARDED: dict[str, Protocol] = {
    "breaker_otlp_proto_http": "http/protobuf",
    "breaker_otlp_proto_grpc": "grpc",
}
"""Ours, guarded already, for those who have no hooks to do it; with the protocol that they speak."""
OTLP: dict[str, Protocol | None] = {
    "otlp": None,
    "otlp_proto_http": "http/protobuf",
    "otlp_proto_grpc": "grpc",
    **GUARDED,
}
"""All names of an OTLP exporter, with the protocol where the name has it."""
SETTINGS = {TRACES: TRACES_EXPORTER, LOGS: LOGS_EXPORTER, METRICS: METRICS_EXPORTER}
"""The setting that names the exporters of a signal."""


def listed(environment: Environment, signal: Signal = TRACES) -> tuple[str, ...]:
    """The names given for a signal, each once; its default where the variable is unset."""
    names = environment.in_force(SETTINGS[signal]).split(",")
    return tuple(dict.fromkeys(stripped for name in names if (stripped := name.strip())))


def chosen(names: Iterable[str], signal: Signal = TRACES) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names that a signal goes by, and those that are not installed; its default where none is left."""
    names = tuple(names)
    if "none" in names:  # wins over all others, as in OpenTelemetry's own reading
        return (), ()
    unknown = tuple(name for name in names if name not in OTLP and entry_point(name, signal) is None)
    left = tuple(name for name in names if name not in unknown) or (SETTINGS[signal].default,)
    return () if left == ("none",) else left, unknown


def entry_point(name: str, signal: Signal = TRACES) -> EntryPoint | None:
    """The entry point of the exporter of that name, if a package that is installed has one."""
    return next(iter(entry_points(group=_group(signal), name=name)), None)


def installed(signal: Signal = TRACES) -> set[str]:
    """All names that can be written."""
    return {"none", *OTLP, *(each.name for each in entry_points(group=_group(signal)))}


def _group(signal: Signal) -> str:
    return f"opentelemetry_{signal.word.lower()}_exporter"
