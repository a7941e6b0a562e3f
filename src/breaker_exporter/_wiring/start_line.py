"""The log line at the start: the service, where its signals go, which settings are not the defaults (G5)."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from opentelemetry import trace

from .._base.environment import Environment
from .._base.log import say
from .._base.redaction import message
from .._core.retention_settings import DECLARED as OF_RETENTION
from .pipeline import COLLECTOR, circuit_name
from .profiles import PROFILES, Profile
from .retention import say_where_off
from .settings import Arguments

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

    from .pipeline import Exporter
    from .settings import Settings
    from .switch import Switch


def say_started(provider: TracerProvider | None, signals: Sequence[tuple[Settings, Switch]]) -> None:
    """Log one INFO line, and another where nothing is kept.

    Args:
        provider: Its resource names the service. Without one, that of the process does.
        signals: For each signal its settings, and what feeds its exporters.
    """
    say_exporters(
        provider,
        [
            (settings, [pipeline.exporter for pipeline in switch.pipelines if pipeline.exporter])
            for settings, switch in signals
        ],
    )


def say_exporters(
    provider: TracerProvider | None, signals: Sequence[tuple[Settings, Iterable[Exporter]]]
) -> None:
    """Log the same lines of exporters that nothing of ours feeds."""
    resource = getattr(provider or trace.get_tracer_provider(), "resource", None)
    service = str(resource.attributes.get("service.name", "")) if resource else ""
    places = ", ".join(
        f"{settings.signal.unit} go to {', '.join(_places(exporters, settings)) or 'no exporter'}"
        for settings, exporters in signals
    )
    changed = ", ".join(dict.fromkeys(change for settings, _ in signals for change in _changed(settings)))
    say(
        logging.INFO,
        "telemetry started: service %s, %s; %s",
        message(service) or "without a name",
        places,
        f"not the defaults: {changed}" if changed else "all circuit and retention settings are the defaults",
    )
    say_where_off(signals[0][0].retention, (settings.signal.unit for settings, _ in signals))


def _places(exporters: Iterable[Exporter], settings: Settings) -> Iterator[str]:
    for exporter in exporters:
        name, destination = exporter.health().name, exporter._destination
        is_otlp = name == circuit_name(COLLECTOR, settings.signal)
        protocol = f"OTLP by {settings.protocol}" if is_otlp else ""
        more = ", ".join(filter(None, (destination, protocol)))
        yield f"{name} ({more})" if more else name


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
