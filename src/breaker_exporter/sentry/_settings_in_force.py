"""Sentry's settings that are in force: given in code, else by the environment, else the defaults."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ._settings import (
    DSN,
    ENVIRONMENT,
    LOGS,
    MODE,
    RELEASE,
    TRACES_SAMPLE_RATE,
    Sentry,
    SentryMode,
    given_attributes,
)

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

    from .._base.environment import Environment


@dataclass(frozen=True, slots=True)
class SentrySettings:
    """The value of each attribute of :class:`Sentry` that holds; ``None`` is left to sentry-sdk."""

    dsn: str | None = field(repr=False)
    mode: SentryMode
    release: str | None
    environment: str | None
    traces_sample_rate: float
    logs: bool
    report_transitions: bool
    options: dict[str, object] = field(repr=False)


def settings_in_force(
    sentry: Sentry, environment: Environment, provider: TracerProvider | None
) -> SentrySettings | None:
    """The value of each setting that is in force now; ``None`` where Sentry is switched off.

    Raises:
        TelemetryError: A variable is bad, where strict.
    """
    mode = environment.in_force(MODE) if sentry.mode is None else sentry.mode
    if mode is SentryMode.OFF:
        return None
    rate = sentry.traces_sample_rate
    if rate is None:
        rate = environment.in_force(TRACES_SAMPLE_RATE)
    return SentrySettings(
        dsn=environment.get(DSN) if sentry.dsn is None else sentry.dsn.strip() or None,
        mode=mode,
        release=sentry.release or environment.get(RELEASE) or _release_of(provider),
        environment=sentry.environment or environment.get(ENVIRONMENT),
        traces_sample_rate=float(rate),
        logs=environment.in_force(LOGS) if sentry.logs is None else sentry.logs,
        report_transitions=sentry.report_transitions,
        options=dict(sentry.options),
    )


def different(before: SentrySettings, now: SentrySettings, given: Sentry) -> list[str]:
    """The names of the settings that `given` sets to another value; what it leaves out may differ."""
    return [name for name in given_attributes(given) if _comparable(before, name) != _comparable(now, name)]


def _comparable(settings: SentrySettings, name: str) -> object:
    """Integrations are made anew for each call, and count as equal where they are of the same type."""
    value = getattr(settings, name)
    if name == "options":
        return {key: list(map(type, of)) if key == "integrations" else of for key, of in value.items()}
    return value


def _release_of(provider: TracerProvider | None) -> str | None:
    from .._wiring.provider import current_or_none

    resource = getattr(provider or current_or_none(), "resource", None)  # that of one set already
    attributes = resource.attributes if resource else {}
    name, version = attributes.get("service.name"), attributes.get("service.version")
    if not name or not version or str(name).startswith("unknown_service"):
        return None
    return f"{name}@{version}"
