"""The table of settings in force: each with its value, unit and source, as it is declared."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..._base import setting as declared
from ..._base.environment import STRICT
from ..._base.redaction import shown
from ..._core import circuit_settings as circuit
from ..._core.retention_settings import DECLARED as OF_RETENTION
from ..._wiring import batch_settings as batch
from ..._wiring.profiles import Defaults
from ..._wiring.provider_variables import SAMPLER
from ..._wiring.settings import Settings
from ..._wiring.switches import GC_FREEZE, METRICS, PROFILE, SHUTDOWN_TIMEOUT
from ...otlp import _environment as environment_of_otlp
from ...otlp import _settings as otlp
from ..report import Setting
from .given import Given
from .recording import RecordingEnvironment

_NUMBERS: tuple[declared.Setting[Any], ...] = (
    *(otlp.TIMEOUT, circuit.EXPORT_TIMEOUT, circuit.FAILURE_THRESHOLD, circuit.COOLDOWN),
    *(circuit.MAX_COOLDOWN, SHUTDOWN_TIMEOUT, circuit.SWITCH_INTERVAL),
)


def rows(
    settings: Settings, given: Given, environment: RecordingEnvironment, defaults: Defaults
) -> Iterator[Setting]:
    """Return all settings but the service's name and Sentry's."""

    def row(
        setting: declared.Setting[Any],
        value: str | float | bool | None,
        name: str = "",
        default: str = "default",
    ) -> Setting:
        name, source = name or setting.argument, default
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if setting in OF_RETENTION and given.arguments.retention is not None:
            source = "code"
        elif argument := getattr(given.arguments, name, None):
            source = "in place of what is in code" if is_number and value != argument else "code"
        elif variable := next(filter(environment.is_set, setting.variables), None):
            is_other = is_number and environment.get(setting) != value
            source = f"in place of {variable}" if is_other else variable
        return Setting(name, value, setting.unit, source)

    protocol, batching = settings.protocol, settings.batching
    endpoint = settings.endpoint or environment_of_otlp.endpoint(environment, protocol)
    headers = settings.headers
    if headers is None:
        headers = environment_of_otlp.headers(environment, protocol)
    profile = given.arguments.profile or environment.in_force(PROFILE)
    yield row(PROFILE, profile.value, "profile")
    yield row(otlp.PROTOCOL, protocol)
    yield row(otlp.ENDPOINT, shown(endpoint).strip("'\""))
    yield row(otlp.HEADERS, ", ".join(sorted(headers)) or None)
    yield row(otlp.COMPRESSION, environment_of_otlp.compression(environment, protocol), "compression")
    for number in _NUMBERS:
        yield row(number, getattr(settings, number.argument))
    for each in OF_RETENTION:
        yield row(each, getattr(settings.retention, each.argument), f"retention_{each.argument}")
    yield row(batch.SCHEDULE_DELAY, batching.schedule_delay_millis, "schedule_delay", "profile")
    yield row(batch.QUEUE_SIZE, batching.max_queue_size, "max_queue_size")
    yield row(batch.BATCH_SIZE, batching.max_export_batch_size, "max_export_batch_size")
    named = environment.value(SAMPLER.variable) if environment.is_set(SAMPLER.variable) else None
    yield row(SAMPLER, named or defaults.sampler, "sampler", "profile")
    yield row(STRICT, environment.strict, "strict")
    yield row(METRICS, environment.in_force(METRICS), "metrics")
    yield row(GC_FREEZE, environment.in_force(GC_FREEZE), "gc_freeze")
