"""All settings but Sentry's, for what has to know each of them."""

from __future__ import annotations

from .._base.environment import STRICT
from .._base.meter_provider import METER_PROVIDER
from .._core import circuit_settings, retention_settings
from ..otlp import _metric_settings as metrics
from ..otlp import _settings as otlp
from ..otlp._signals import SIGNALS, for_signal
from . import batch_settings, provider_variables, switches

DECLARED = (
    STRICT,
    METER_PROVIDER,
    *circuit_settings.DECLARED,
    *retention_settings.DECLARED,
    *(for_signal(setting, signal) for signal in SIGNALS for setting in otlp.DECLARED),
    *metrics.DECLARED,
    *batch_settings.DECLARED,
    *provider_variables.DECLARED,
    *switches.DECLARED,
)
