"""The log line at the start: the service, where its spans go, which settings are not the defaults (G5)."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from opentelemetry import trace

from .._base.environment import Environment
from .._base.log import say
from .._base.redaction import message
from .._core.retention_settings import DECLARED as OF_RETENTION
from .pipeline import COLLECTOR
from .profiles import PROFILES, Profile
from .retention import say_where_off
from .settings import Arguments

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

    from .._spans import CircuitBreakerSpanExporter
    from .settings import Settings


def say_started(
    provider: TracerProvider | None, exporters: Iterable[CircuitBreakerSpanExporter], settings: Settings
) -> None:
    """Log one INFO line, and another where nothing is kept.

    Args:
        provider: Its resource names the service. Without one, that of the process does.
        exporters: The exporters that were made.
        settings: The settings that they were made of.
    """
    resource = getattr(provider or trace.get_tracer_provider(), "resource", None)
    service = str(resource.attributes.get("service.name", "")) if resource else ""
    places = ", ".join(_place(exporter, settings) for exporter in exporters)
    changed = ", ".join(_changed(settings))
    say(
        logging.INFO,
        "telemetry started: service %s, spans go to %s; %s",
        message(service) or "without a name",
        places or "no exporter",
        f"not the defaults: {changed}" if changed else "all circuit and retention settings are the defaults",
    )
    say_where_off(settings.retention)


def _place(exporter: CircuitBreakerSpanExporter, settings: Settings) -> str:
    name, destination = exporter.health().name, exporter._destination
    protocol = f"OTLP by {settings.protocol}" if name == COLLECTOR else ""
    more = ", ".join(filter(None, (destination, protocol)))
    return f"{name} ({more})" if more else name


def _changed(settings: Settings) -> Iterator[str]:
    usual = Arguments().settings(Environment({}), PROFILES[Profile.PRODUCTION])
    defaults = {
        "failure_threshold": usual.failure_threshold,
        "cooldown": usual.cooldown,
        "max_cooldown": max(usual.max_cooldown, settings.cooldown),
        "timeout": usual.timeout,
        "export_timeout": settings.timeout + usual.export_timeout - usual.timeout,
        "shutdown_timeout": usual.shutdown_timeout,
    }
    for name, default in defaults.items():
        value = getattr(settings, name)
        if value != default:
            yield f"{name} {value:g}" + ("" if name == "failure_threshold" else " s")
    for setting in OF_RETENTION:
        value = getattr(settings.retention, setting.argument)
        if value != setting.default:
            number = f"{value:g}" if isinstance(value, float) else str(value)
            yield f"retention {setting.argument} {number} {setting.unit}".rstrip()
