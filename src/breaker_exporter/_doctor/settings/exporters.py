"""The exporters that ``OTEL_TRACES_EXPORTER`` names: their protocols, and what is wrong with the names."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterable
from importlib.metadata import entry_points

from ..._base.redaction import origin, shown
from ..._wiring.exporter_names import GUARDED, OTLP, chosen, entry_point, installed, listed
from ..._wiring.provider_variables import importable
from ..._wiring.settings import Settings
from ..._wiring.switches import TRACES_EXPORTER
from ...otlp._settings import Protocol
from ..report import Steps, broken, ok, warning
from .recording import RecordingEnvironment

_VARIABLE = TRACES_EXPORTER.variable
_CLASSES: dict[str, Protocol] = {
    "opentelemetry.exporter.otlp.proto.http.trace_exporter.OTLPSpanExporter": "http/protobuf",
    "opentelemetry.exporter.otlp.proto.grpc.trace_exporter.OTLPSpanExporter": "grpc",
    "breaker_exporter.otlp._exporters.CooperativeOTLPSpanExporter": "http/protobuf",
    "breaker_exporter.otlp._grpc_exporters.OTLPGrpcSpanExporter": "grpc",
    "breaker_exporter._zero_code.HTTPSpanExporter": "http/protobuf",
    "breaker_exporter._zero_code.GRPCSpanExporter": "grpc",
}
"""The OTLP exporters that another package's exporter may derive from."""


def needs_no_hooks(environment: RecordingEnvironment) -> bool:
    """Return true if an exporter of ours is named that ``opentelemetry-instrument`` makes."""
    return not GUARDED.keys().isdisjoint(listed(environment))


def examine(environment: RecordingEnvironment, settings: Settings) -> Steps[tuple[Protocol, ...]]:
    """Find what is wrong with the names, and return the protocols that spans go by."""
    all_names = listed(environment)
    if "none" in all_names:
        text = f"{_VARIABLE} is none: no spans are exported, and the collector is not asked here"
        yield warning("exporter-none", text, "remove the variable where that is not meant")
        return ()
    is_zero_code = needs_no_hooks(environment)
    names, unknown = chosen(all_names)
    for name in unknown:
        near = difflib.get_close_matches(name.lower(), sorted(installed()), 1, 0.75)
        text = f"{_VARIABLE} names {shown(name)}, which is not installed"
        text += "; fatal, since BREAKER_EXPORTER_STRICT=1" if environment.strict else ""
        text += "; opentelemetry-instrument then sets nothing up" if is_zero_code else ""
        advice = (
            f"did you mean {near[0]}?" if near else "write otlp, or install the package with that exporter"
        )
        level = broken if environment.strict or is_zero_code else warning
        yield level("exporter-unknown", text, advice)
    by_protocol: dict[Protocol, list[str]] = {}
    for name in names:
        if name in OTLP:
            protocol: Protocol | None = OTLP[name] or settings.protocol
        else:
            protocol = yield from _protocol_of_other(name, environment)
        if protocol:
            by_protocol.setdefault(protocol, []).append(name)
    for protocol, same in by_protocol.items():
        if len(same) > 1:
            text = f"{_VARIABLE} names {' and '.join(same)}: both send by {protocol}, each span arrives twice"
            yield warning("exporter-twice", text, f"keep one of them: {_VARIABLE}={same[0]}")
    if is_zero_code:
        yield from _check_zero_code(name for name in names if name in OTLP.keys() - GUARDED.keys())
    return tuple(by_protocol)


def _check_zero_code(unguarded: Iterable[str]) -> Steps[None]:
    if named := ", ".join(unguarded):
        text = f"{_VARIABLE} names {named} too, made without a circuit: it may block the service in an outage"
        advice = f"keep only those that begin with breaker_: {', '.join(GUARDED)}"
        yield warning("exporter-unguarded", text, advice)
    if not entry_points(group="opentelemetry_configurator"):
        text = (
            f"{_VARIABLE} names an exporter for opentelemetry-instrument, and opentelemetry-distro is missing"
        )
        advice = (
            "pip install opentelemetry-distro, without which no spans are made; or, with the Gunicorn hooks "
        )
        yield warning("zero-code-missing", text, f"{advice}or Telemetry in code, write {_VARIABLE}=otlp")


def _protocol_of_other(name: str, environment: RecordingEnvironment) -> Steps[Protocol | None]:
    """Return the protocol of another package's exporter, where that is a class derived from a known one."""
    found = entry_point(name)
    try:
        with importable(environment):
            made_by = found.load() if found else None
    except Exception as error:
        text = f"the exporter {shown(name)} is installed, and cannot be loaded: {origin(error)}"
        advice = f"install what it needs, or remove it from {_VARIABLE}: no spans go there"
        yield broken("exporter-unusable", text, advice)
        return None
    for base in made_by.__mro__ if inspect.isclass(made_by) else ():
        if protocol := _CLASSES.get(f"{base.__module__}.{base.__qualname__}"):
            return protocol
    yield ok("exporter-other", f"spans go to the exporter {shown(name)}, which is not looked at here")
    return None
