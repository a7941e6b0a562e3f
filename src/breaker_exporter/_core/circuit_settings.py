"""The settings of a guarded exporter and its circuit, with their defaults: the one place for them.

The engine reads no environment: the wiring reads the variables.
"""

from __future__ import annotations

from .._base.setting import COUNT, SHARE, Setting, seconds

FAILURE_THRESHOLD = Setting(
    variables=("BREAKER_EXPORTER_FAILURE_THRESHOLD",),
    argument="failure_threshold",
    kind=COUNT,
    default=3,
    unit="failures",
    about="consecutive failures that open the circuit",
)
COOLDOWN = Setting(
    variables=("BREAKER_EXPORTER_COOLDOWN",),
    argument="cooldown",
    kind=seconds(999.0),
    default=15.0,
    unit="s",
    about="time before the first probe",
)
MAX_COOLDOWN = Setting(
    variables=("BREAKER_EXPORTER_MAX_COOLDOWN",),
    argument="max_cooldown",
    kind=seconds(3600.0),
    default=60.0,
    unit="s",
    fallback="60, or a longer cooldown",
    about="longest time between probes: one that fails doubles the cooldown up to this; not below `cooldown`",
)
JITTER = Setting(
    argument="jitter",
    kind=SHARE,
    default=0.2,
    about="share by which a cooldown may be shorter: by default it is 80-100 % of its value. 0: exact",
)
EXPORT_TIMEOUT = Setting(
    variables=("BREAKER_EXPORTER_EXPORT_TIMEOUT",),
    argument="export_timeout",
    kind=seconds(60.0),
    default=15.0,
    unit="s",
    about="time for one export, waiting included; keep it above the wrapped exporter's own (OTLP: 10 s)",
)
SWITCH_INTERVAL = Setting(
    variables=("BREAKER_EXPORTER_SWITCH_INTERVAL",),
    argument="switch_interval",
    kind=seconds(0.1),
    default=0.0003,  # measured: docs/how-to/tuning.md
    unit="s",
    about="the interpreter's switch interval, at most, while a native thread computes beside a gevent hub",
)
DECLARED = (FAILURE_THRESHOLD, COOLDOWN, MAX_COOLDOWN, JITTER, EXPORT_TIMEOUT, SWITCH_INTERVAL)
