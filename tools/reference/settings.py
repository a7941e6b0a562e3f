"""The tables of the settings page, from the declarations of each domain."""

from __future__ import annotations

import dataclasses
import inspect
import logging
import re
from collections.abc import Callable, Iterable
from functools import partial

from breaker_exporter import Retention
from breaker_exporter._base.environment import STRICT
from breaker_exporter._base.meter_provider import METER_PROVIDER
from breaker_exporter._base.setting import Setting
from breaker_exporter._core import circuit_settings, retention_settings
from breaker_exporter._wiring import batch_settings, provider_variables, switches
from breaker_exporter._wiring.profiles import PROFILES, Profile
from breaker_exporter._wiring.settings import EXPORT_TIMEOUT, TIMEOUT
from breaker_exporter.otlp import _metric_settings as otlp_metrics
from breaker_exporter.otlp import _settings as otlp
from breaker_exporter.otlp._signals import LOGS, SIGNALS, TRACES
from breaker_exporter.sentry import _settings as sentry
from breaker_exporter.telemetry import Telemetry

from .markdown import table

_URL = re.compile(r"https?://[\w.:/-]+")
_OWN = {setting.variables: setting for setting in (TIMEOUT, EXPORT_TIMEOUT)}
"""Settings of which ``Telemetry`` has another default than the exporters alone."""
_GROUPS: dict[str, Iterable[Setting[object]]] = {
    "circuit": circuit_settings.DECLARED,
    "retention": retention_settings.DECLARED,
    "process": (*switches.DECLARED, STRICT),
    "otlp": (*otlp.DECLARED, *otlp_metrics.DECLARED),
    "batch-processor": batch_settings.DECLARED,
    "provider": (*provider_variables.DECLARED, METER_PROVIDER),
    "sentry": sentry.DECLARED,
}


_ARGUMENTS = {
    *inspect.signature(Telemetry).parameters,
    *(field.name for field in dataclasses.fields(sentry.Sentry)),
    *inspect.signature(Retention).parameters,
}
"""Arguments that replace a variable."""


def _variables(group: str) -> str:
    """The settings of a group that have a variable."""
    settings = [_OWN.get(setting.variables, setting) for setting in _GROUPS[group] if setting.variables]
    return table(
        ("variable", "of one signal", "argument", "default", "unit", "accepts", "what it is"),
        (
            (
                _code(setting.variable),
                _code(_of_one_signal(setting)),
                _code(setting.argument if setting.argument in _ARGUMENTS else ""),
                *_described(setting),
            )
            for setting in settings
        ),
    )


def _of_one_signal(setting: Setting[object]) -> str:
    """The variables that each signal has of its own, as a shell would write them all."""
    own = f"_{TRACES.word}_"
    words = ",".join(signal.word for signal in SIGNALS)
    named = (name for name in setting.variables if own in name and name != setting.variable)
    return next(named, "").replace(own, f"_{{{words}}}_")


def _arguments(settings: Iterable[Setting[object]]) -> str:
    """The settings of a constructor."""
    return table(
        ("argument", "default", "unit", "accepts", "what it is"),
        ((_code(setting.argument), *_described(setting)) for setting in settings),
    )


def _described(setting: Setting[object]) -> tuple[str, str, str, str]:
    is_word = isinstance(setting.default, str) and not setting.fallback
    default = _code(setting.default_text) if is_word else setting.default_text
    return default, setting.unit, _URL.sub(r"`\g<0>`", setting.kind.allowed), setting.about


def _profiles() -> str:
    kinds = (Profile.PRODUCTION, Profile.DEVELOPMENT)
    found = [PROFILES[kind] for kind in kinds]
    return table(
        ("", *map(_code, kinds)),
        (
            (_code(provider_variables.SAMPLER.variable), *(_code(each.sampler) for each in found)),
            (_code(batch_settings.SCHEDULE_DELAY.variable), *(f"{each.schedule_delay} ms" for each in found)),
            (
                _code(batch_settings.BY_SIGNAL[LOGS].schedule_delay.variable),
                *(f"{each.log_delay} ms" for each in found),
            ),
            (
                _code(batch_settings.METRIC_INTERVAL.variable),
                *(f"{each.metric_interval:g} ms" for each in found),
            ),
            (
                "level of the logger `breaker_exporter`",
                *(logging.getLevelName(each.log_level) for each in found),
            ),
        ),
    )


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


TABLES: dict[str, Callable[[], str]] = {
    **{group: partial(_variables, group) for group in _GROUPS},
    "profiles": _profiles,
    "constructor": partial(_arguments, circuit_settings.DECLARED),
    "retention-constructor": partial(_arguments, retention_settings.DECLARED),
}
