"""The exporters that ``OTEL_TRACES_EXPORTER`` and its kin name: their protocols, and what is wrong."""

from __future__ import annotations

import difflib
import inspect
from importlib.metadata import entry_points

from ..._base.redaction import origin, shown
from ..._wiring.exporter_names import GUARDED, OTLP, SETTINGS, chosen, entry_point, installed, listed
from ..._wiring.provider_variables import importable
from ..._wiring.settings import Settings
from ...otlp._settings import Protocol
from ...otlp._signals import SIGNALS, TRACES, Signal
from ..report import Steps, broken, ok, warning
from .recording import RecordingEnvironment

_MODULES: dict[str, Protocol] = {
    "opentelemetry.exporter.otlp.proto.http.": "http/protobuf",
    "opentelemetry.exporter.otlp.proto.grpc.": "grpc",
    "breaker_exporter.otlp._http_": "http/protobuf",
    "breaker_exporter.otlp._grpc_": "grpc",
}
"""Where the OTLP exporters are that another package's exporter may derive from, by beginnings of names."""
_ZERO_CODE = "breaker_exporter._zero_code"
"""Where those are that tell their protocol themselves."""


def needs_no_hooks(environment: RecordingEnvironment) -> bool:
    """Return true if an exporter of ours is named that ``opentelemetry-instrument`` makes."""
    return any(not GUARDED.keys().isdisjoint(listed(environment, signal)) for signal in SIGNALS)


def examine(environment: RecordingEnvironment, settings: Settings) -> Steps[tuple[Protocol, ...]]:
    """Find what is wrong with the names for a signal, and return the protocols that it goes by."""
    signal = settings.signal
    variable, all_names = SETTINGS[signal].variable, listed(environment, signal)
    is_zero_code = needs_no_hooks(environment)
    names, unknown = chosen(all_names, signal)
    for name in unknown:
        near = difflib.get_close_matches(name.lower(), sorted(installed(signal)), 1, 0.75)
        text = f"{variable} names {shown(name)}, which is not installed"
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
            protocol = yield from _protocol_of_other(name, signal, environment)
        if protocol:
            by_protocol.setdefault(protocol, []).append(name)
    for protocol, same in by_protocol.items():
        if len(same) > 1:
            text = f"{variable} names {' and '.join(same)}: both send by {protocol}, all {signal.unit} twice"
            yield warning("exporter-twice", text, f"keep one of them: {variable}={same[0]}")
    return tuple(by_protocol)


def check_none(environment: RecordingEnvironment) -> Steps[None]:
    """Find that spans go nowhere, or that one word keeps a signal from the exporters beside it."""
    for signal in SIGNALS:
        variable, names = SETTINGS[signal].variable, listed(environment, signal)
        if "none" in names and (signal is TRACES or len(names) > 1):
            text = f"{variable} has none in it: no {signal.unit} are exported, nor asked for here"
            advice = "remove it where that is not meant"
            yield warning("exporter-none", text, advice)


def check_zero_code(environment: RecordingEnvironment) -> Steps[None]:
    """Find what else ``opentelemetry-instrument`` makes beside an exporter of ours, and what it needs."""
    if not needs_no_hooks(environment):
        return
    for signal in SIGNALS:
        variable = SETTINGS[signal].variable
        # The distribution takes otlp for a variable that is not there, be the signal traces or another.
        is_there = environment.is_there(variable)
        names = chosen(listed(environment, signal), signal)[0] if is_there else ("otlp",)
        if unguarded := ", ".join(name for name in names if name in OTLP.keys() - GUARDED.keys()):
            text = f"{variable} {'names' if is_there else 'is not set, for which it takes'} {unguarded}"
            advice = f"write only names that begin with breaker_ ({', '.join(GUARDED)}), or none"
            yield warning(
                "exporter-unguarded",
                f"opentelemetry-instrument makes an exporter without a circuit: {text}; it may block the "
                "service in an outage",
                advice,
            )
    if not entry_points(group="opentelemetry_configurator"):
        text = "an exporter for opentelemetry-instrument is named, and opentelemetry-distro is missing"
        advice = (
            "pip install opentelemetry-distro, without which no telemetry is made; or, with the Gunicorn "
            "hooks or Telemetry in code, write otlp in place of that name"
        )
        todo = ("install it:", "pip install opentelemetry-distro")
        yield warning("zero-code-missing", text, advice, todo=todo)


def protocol_of(made_by: object) -> Protocol | None:
    """Return the protocol of an exporter's class, where that is or derives from a known one."""
    for base in made_by.__mro__ if inspect.isclass(made_by) else ():
        if base.__module__.startswith(_ZERO_CODE) and (protocol := vars(base).get("protocol")):
            found: Protocol = protocol
            return found
        for beginning, known in _MODULES.items():
            if base.__module__.startswith(beginning):
                return known
    return None


def _protocol_of_other(
    name: str, signal: Signal, environment: RecordingEnvironment
) -> Steps[Protocol | None]:
    """Return the protocol of another package's exporter, where that is known."""
    found = entry_point(name, signal)
    try:
        with importable(environment):
            made_by = found.load() if found else None
    except Exception as error:
        text = f"the exporter {shown(name)} is installed, and cannot be loaded: {origin(error)}"
        advice = f"install what it needs, or remove it from {SETTINGS[signal].variable}: nothing goes there"
        yield broken("exporter-unusable", text, advice)
        return None
    if (protocol := protocol_of(made_by)) is None:
        text = f"{signal.unit} go to the exporter {shown(name)}, which is not looked at here"
        yield ok("exporter-other", text, brief=f"{signal.unit} to the exporter {shown(name)}")
    return protocol
