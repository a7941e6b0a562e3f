"""What stands in a configuration once it was executed: hooks, patches, Sentry, what is given in code."""

from __future__ import annotations

import importlib.util
import sys
import threading
from pathlib import Path
from typing import Any

from opentelemetry import trace

from . import hooks


def inspect(namespace: dict[str, object], path: str, seen: dict[str, Any]) -> None:
    """Note it in `seen`, the report."""
    source = importlib.util.decode_source(Path(path).read_bytes())
    slots = hooks.inspect_slots(namespace, source)
    seen["slots"] = {name: [slot.state, slot.line, slot.note] for name, slot in slots.items()}
    seen["strays"] = hooks.strays(namespace)
    monkey = sys.modules.get("gevent.monkey")
    seen["patched"] = bool(monkey and monkey.is_module_patched("ssl"))
    sentry_sdk = sys.modules.get("sentry_sdk")
    seen["sentry_client"] = bool(sentry_sdk and sentry_sdk.is_initialized())
    provider = trace.get_tracer_provider()
    seen["provider"] = None if isinstance(provider, trace.ProxyTracerProvider) else type(provider).__name__
    seen["running"] = [each.name for each in threading.enumerate() if each is not threading.main_thread()]
    found = hooks.telemetries(namespace)
    seen["telemetries"] = len(found)
    if found:
        seen["telemetry"] = _given(found[0])


def _given(telemetry: Any) -> dict[str, Any]:
    """What was given in code, for the parent process alone: headers and DSN are in it."""
    arguments, sentry = telemetry._setup.arguments, telemetry._setup.sentry
    names = ("endpoint", "protocol", "timeout", "failure_threshold", "cooldown", "max_cooldown")
    given = {name: getattr(arguments, name) for name in (*names, "export_timeout", "shutdown_timeout")}
    return {
        **given,
        "headers": None if arguments.headers is None else dict(arguments.headers),
        "profile": arguments.profile.value if arguments.profile else None,
        "service_name": telemetry._setup.service_name,
        "sentry": None
        if sentry is None
        else {
            "dsn": sentry.dsn,
            "mode": sentry.mode.value if sentry.mode else None,
            "traces_sample_rate": sentry.traces_sample_rate,
        },
    }
