"""The table of settings in force: each with its value, unit and source, as it is declared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ..._base import setting as declared
from ..._base.environment import STRICT
from ..._base.redaction import shown
from ..._core import circuit_settings as circuit
from ..._core.retention_settings import DECLARED as OF_RETENTION
from ..._wiring import batch_settings as batch
from ..._wiring.exporter_names import SETTINGS
from ..._wiring.profiles import Defaults
from ..._wiring.provider_variables import SAMPLER
from ..._wiring.settings import Settings
from ..._wiring.switches import GC_FREEZE, PROFILE, SHUTDOWN_TIMEOUT
from ..._wiring.switches import METRICS as METRICS_OF_HEALTH
from ...otlp import _environment as otlp_environment
from ...otlp import _settings as otlp
from ...otlp._metric_settings import HISTOGRAM_AGGREGATION, TEMPORALITY
from ...otlp._signals import METRICS, TRACES, for_signal
from ..report import Setting
from .given import Given
from .recording import RecordingEnvironment

_CIRCUIT: tuple[declared.Setting[Any], ...] = (
    *(circuit.FAILURE_THRESHOLD, circuit.COOLDOWN, circuit.MAX_COOLDOWN),
    *(SHUTDOWN_TIMEOUT, circuit.SWITCH_INTERVAL),
)

Value = str | float | bool | None


class _Rows:
    """Makes rows, each with the source of its value."""

    def __init__(self, given: Given, environment: RecordingEnvironment) -> None:
        self._arguments = given.arguments
        self._environment = environment

    def __call__(
        self, setting: declared.Setting[Any], value: Value, name: str = "", default: str = "default"
    ) -> Setting:
        source, arguments = default, self._arguments
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if setting in OF_RETENTION and arguments.retention is not None:
            source = "code"
        elif argument := getattr(arguments, setting.argument, None):
            source = "in place of what is in code" if is_number and value != argument else "code"
        elif variable := next(filter(self._environment.is_set, setting.variables), None):
            is_other = is_number and self._environment.get(setting) != value
            source = f"in place of {variable}" if is_other else variable
        return Setting(name or setting.argument, value, setting.unit, source)


def rows(
    signals: Sequence[Settings], given: Given, environment: RecordingEnvironment, defaults: Defaults
) -> Iterator[Setting]:
    """Return all settings but the service's name and Sentry's; those of `signals` begin with traces."""
    row, settings = _Rows(given, environment), signals[0]
    profile = given.arguments.profile or environment.in_force(PROFILE)
    yield row(PROFILE, profile.value, "profile")
    yield from _of_signal(settings, environment, row)
    for number in _CIRCUIT:
        yield row(number, getattr(settings, number.argument))
    for each in OF_RETENTION:
        yield row(each, getattr(settings.retention, each.argument), f"retention_{each.argument}")
    named = environment.value(SAMPLER.variable) if environment.is_set(SAMPLER.variable) else None
    yield row(SAMPLER, named or defaults.sampler, "sampler", "profile")
    yield row(STRICT, environment.strict, "strict")
    yield row(METRICS_OF_HEALTH, environment.in_force(METRICS_OF_HEALTH), "metrics")
    yield row(GC_FREEZE, environment.in_force(GC_FREEZE), "gc_freeze")
    for other in signals[1:]:
        yield from _of_signal(other, environment, row)


def _of_signal(settings: Settings, environment: RecordingEnvironment, row: _Rows) -> Iterator[Setting]:
    """Return the settings of a signal; names of others than traces begin with the signal's."""
    signal, protocol = settings.signal, settings.protocol
    prefix = "" if signal is TRACES else f"{signal.word.lower()}_"
    endpoint = settings.endpoint or otlp_environment.endpoint(environment, protocol, signal)
    headers = settings.headers
    if headers is None:
        headers = otlp_environment.headers(environment, protocol, signal)
    exporter = SETTINGS[signal]
    yield row(exporter, environment.in_force(exporter), f"{signal.word.lower()}_exporter")
    for setting, value in (
        (otlp.PROTOCOL, protocol),
        (otlp.ENDPOINT, shown(endpoint).strip("'\"")),
        (otlp.HEADERS, ", ".join(sorted(headers)) or None),
        (otlp.COMPRESSION, otlp_environment.compression(environment, protocol, signal)),
        (otlp.TIMEOUT, settings.timeout),
    ):
        yield row(for_signal(setting, signal), value, f"{prefix}{setting.argument}")
    yield row(circuit.EXPORT_TIMEOUT, settings.export_timeout, f"{prefix}export_timeout")
    if signal is METRICS:
        interval, timeout = (seconds * 1000 for seconds in settings.reading)
        yield row(batch.METRIC_INTERVAL, interval, f"{prefix}export_interval", "profile")
        yield row(batch.METRIC_TIMEOUT, timeout, f"{prefix}collect_timeout")
        for preference, name in ((TEMPORALITY, "temporality"), (HISTOGRAM_AGGREGATION, "histogram")):
            yield row(preference, environment.in_force(preference), f"{prefix}{name}")
        return
    of_batches, batching = batch.BY_SIGNAL[signal], settings.batching
    yield row(of_batches.schedule_delay, batching.schedule_delay_millis, f"{prefix}schedule_delay", "profile")
    yield row(of_batches.queue_size, batching.max_queue_size, f"{prefix}max_queue_size")
    yield row(of_batches.batch_size, batching.max_export_batch_size, f"{prefix}max_export_batch_size")
