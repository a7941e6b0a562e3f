"""`Telemetry` in a plain process; the environment says which protocol and where to."""

from __future__ import annotations

from opentelemetry import trace

from breaker_exporter.telemetry import Telemetry

telemetry = Telemetry()
telemetry.start()
with trace.get_tracer("extras").start_as_current_span("request"):
    pass
telemetry.stop()
