"""The exporters that ``OTEL_TRACES_EXPORTER`` names."""

from __future__ import annotations

from importlib.metadata import entry_points

from .._settings import Settings

OTLP = {"otlp": None, "otlp_proto_http": "http/protobuf", "otlp_proto_grpc": "grpc"}
"""OpenTelemetry's names for the OTLP exporter, with the protocol where the name has it."""


def protocols(names: tuple[str, ...], settings: Settings) -> tuple[str, ...]:
    """Those that spans go by, as the hooks would read these names."""
    if "none" in names:
        return ()
    known = [name for name in names if name in OTLP or is_installed(name)] or ["otlp"]
    return tuple(dict.fromkeys(OTLP[name] or settings.protocol for name in known if name in OTLP))


def is_installed(name: str) -> bool:
    """Whether some package has an exporter of that name."""
    return bool(entry_points(group="opentelemetry_traces_exporter", name=name))
