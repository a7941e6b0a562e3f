"""The names that ``OTEL_TRACES_EXPORTER`` takes: one table, read by hooks, zero code and the doctor."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

from .switches import TRACES_EXPORTER

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
_GROUP = "opentelemetry_traces_exporter"


def listed(environment: Environment) -> tuple[str, ...]:
    """The names in ``OTEL_TRACES_EXPORTER``, each once; ``otlp`` where it is unset."""
    names = environment.in_force(TRACES_EXPORTER).split(",")
    return tuple(dict.fromkeys(stripped for name in names if (stripped := name.strip())))


def chosen(names: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names that spans go by, and those that are not installed; ``otlp`` where nothing is left."""
    names = tuple(names)
    if "none" in names:  # wins over all others, as in OpenTelemetry's own reading
        return (), ()
    unknown = tuple(name for name in names if name not in OTLP and entry_point(name) is None)
    return tuple(name for name in names if name not in unknown) or ("otlp",), unknown


def entry_point(name: str) -> EntryPoint | None:
    """The entry point of the exporter of that name, if a package that is installed has one."""
    return next(iter(entry_points(group=_GROUP, name=name)), None)


def installed() -> set[str]:
    """All names that can be written."""
    return {"none", *OTLP, *(each.name for each in entry_points(group=_GROUP))}
