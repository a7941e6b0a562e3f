"""The exporters that ``OTEL_TRACES_EXPORTER`` names: what they speak, and what is wrong with them."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterator
from importlib.metadata import entry_points
from types import FunctionType

from .._base.redaction import origin, shown
from .._wiring.exporter_names import GUARDED, OTLP, chosen, entry_point, installed
from .._wiring.exporter_names import listed as names_in
from .._wiring.provider_variables import importable
from .._wiring.settings import Settings
from .._wiring.switches import TRACES_EXPORTER
from ..otlp._settings import Protocol
from .finding import Steps, broken, ok, warning
from .listening import Listening

_VARIABLE = TRACES_EXPORTER.variable
_CLASSES: dict[str, Protocol] = {
    "opentelemetry.exporter.otlp.proto.http.trace_exporter.OTLPSpanExporter": "http/protobuf",
    "opentelemetry.exporter.otlp.proto.grpc.trace_exporter.OTLPSpanExporter": "grpc",
    "breaker_exporter.otlp._exporters.CooperativeOTLPSpanExporter": "http/protobuf",
    "breaker_exporter._wiring.auto_instrumentation.HTTPSpanExporter": "http/protobuf",
    "breaker_exporter._wiring.auto_instrumentation.GRPCSpanExporter": "grpc",
}
"""The OTLP exporters that another package's exporter may derive from, or make."""


def needs_no_hooks(environment: Listening) -> bool:
    """True where an exporter of ours is named that ``opentelemetry-instrument`` makes."""
    return not GUARDED.keys().isdisjoint(names_in(environment))


def examine(environment: Listening, settings: Settings) -> Steps[tuple[Protocol, ...]]:
    """What is wrong with the names; the protocols that spans go by."""
    listed = names_in(environment)
    if "none" in listed:
        yield warning(
            "exporter-none",
            f"{_VARIABLE} is none: no spans are exported, and the collector is not asked here",
            "take the variable away where that is not meant",
        )
        return ()
    names, unknown = chosen(listed)
    for name in unknown:
        near = difflib.get_close_matches(name.lower(), sorted(installed()), 1, 0.75)
        yield (broken if environment.strict or needs_no_hooks(environment) else warning)(
            "exporter-unknown",
            f"{_VARIABLE} names {shown(name)}, which is not installed"
            + ("; fatal, since BREAKER_EXPORTER_STRICT=1" if environment.strict else "")
            + ("; opentelemetry-instrument then sets nothing up" if needs_no_hooks(environment) else ""),
            f"did you mean {near[0]}?"
            if near
            else "write otlp, or install the package that has that exporter",
        )
    spoken: dict[Protocol, list[str]] = {}
    for name in names:
        if name in OTLP:
            protocol: Protocol | None = OTLP[name] or settings.protocol
        else:
            protocol = yield from _of_others(name, environment)
        if protocol:
            spoken.setdefault(protocol, []).append(name)
    for protocol, same in spoken.items():
        if len(same) > 1:
            yield warning(
                "exporter-twice",
                f"{_VARIABLE} names {' and '.join(same)}, which both send by {protocol}: "
                "the collector gets every span twice",
                f"leave one of them: {_VARIABLE}={same[0]}",
            )
    unguarded = [name for name in names if name in OTLP.keys() - GUARDED.keys()]
    if needs_no_hooks(environment):
        if unguarded:
            yield warning(
                "exporter-unguarded",
                f"{_VARIABLE} names {', '.join(unguarded)} too, which opentelemetry-instrument makes without "
                "a circuit: it may block the service when the collector is down",
                f"leave only those that begin with breaker_: {', '.join(GUARDED)}",
            )
        if not entry_points(group="opentelemetry_configurator"):
            yield warning(
                "zero-code-missing",
                f"{_VARIABLE} names an exporter that opentelemetry-instrument makes, and without the package "
                "opentelemetry-distro that command sets nothing up: no spans are made",
                "pip install opentelemetry-distro; or, with the Gunicorn hooks or Telemetry in code, write "
                f"{_VARIABLE}=otlp",
            )
    return tuple(spoken)


def _of_others(name: str, environment: Listening) -> Steps[Protocol | None]:
    """The protocol of another package's exporter, as far as its class or its code tells."""
    found = entry_point(name)
    try:
        with importable(environment):
            protocol = next(_protocols_of(found.load()), None) if found else None
    except Exception as error:
        yield broken(
            "exporter-unusable",
            f"the exporter {shown(name)} is installed, and cannot be loaded: {origin(error)}",
            f"install what it needs, or take it out of {_VARIABLE}: no spans go there",
        )
        return None
    if protocol is None:
        yield ok("exporter-other", f"spans go to the exporter {shown(name)}, which is not looked at here")
    return protocol


def _protocols_of(made_by: object) -> Iterator[Protocol]:
    """Those of the exporters that a class derives from, or that a function names."""
    if inspect.isclass(made_by):
        paths = [f"{base.__module__}.{base.__qualname__}" for base in made_by.__mro__]
        yield from (_CLASSES[path] for path in paths if path in _CLASSES)
    elif isinstance(made_by, FunctionType):
        names = made_by.__code__.co_names
        for path, protocol in _CLASSES.items():
            module, _, name = path.rpartition(".")
            if module in names and name in names:  # imported inside
                yield protocol
        for known in filter(inspect.isclass, map(made_by.__globals__.get, names)):
            yield from _protocols_of(known)
