"""The settings of a process's telemetry that have no other domain: what there is at all, and its name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from .._base.redaction import shown
from .._base.setting import TEXT, Kind, Setting, members, seconds, switch
from .profiles import Profile

if TYPE_CHECKING:
    from opentelemetry.util.types import AttributeValue


def _mapping(name: str, value: object) -> Mapping[str, AttributeValue]:
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} must be a mapping, not {shown(value)}")
    return value


SDK_DISABLED = Setting(
    variables=("OTEL_SDK_DISABLED",),
    # OpenTelemetry knows the word true alone; one who writes 1 thinks that it is off.
    kind=switch(("true",), ("false",)),
    default=False,
    fallback="false",
    about="`true`: no provider, no processor, no thread",
)
TRACES_EXPORTER = Setting(
    variables=("OTEL_TRACES_EXPORTER",),
    kind=Kind("none, or a list of otlp, console and other installed exporters", TEXT.check),
    default="otlp",
    about="each behind a circuit of its own; for [zero code](../how-to/zero-code.md): "
    "`breaker_otlp_proto_http`, `breaker_otlp_proto_grpc`",
)
LOGS_EXPORTER = replace(
    TRACES_EXPORTER,
    variables=("OTEL_LOGS_EXPORTER",),
    default="none",
    about="the same for log records. Python's `logging` joins by opentelemetry-instrumentation-logging",
)
METRICS_EXPORTER = replace(
    TRACES_EXPORTER,
    variables=("OTEL_METRICS_EXPORTER",),
    default="none",
    about="the same for metrics; an exporter that is a reader, such as `prometheus`, is used as it is",
)
LOG_HANDLER = Setting(
    variables=("OTEL_PYTHON_LOG_AUTO_INSTRUMENTATION",),
    kind=switch(("true",), ("false",)),
    default=True,
    fallback="true",
    about="where log records are exported: `false` leaves those of Python's `logging` out",
)
SDK_LOG_HANDLER = Setting(
    variables=("OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED",),
    kind=switch(("true",), ("false",)),
    default=False,
    fallback="false",
    about="`true`: without opentelemetry-instrumentation-logging, the SDK's deprecated handler will do",
)
DISABLED_INSTRUMENTATIONS = Setting[str | None](
    variables=("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS",),
    kind=TEXT,
    default=None,
    about="a list; with `logging` in it, records of Python's `logging` are not exported",
)
SERVICE_NAME = Setting[str | None](
    variables=("OTEL_SERVICE_NAME",),
    argument="service_name",
    kind=TEXT,
    default=None,
    fallback="OpenTelemetry's",
    about="the resource's `service.name`",
)
RESOURCE_ATTRIBUTES = Setting["Mapping[str, AttributeValue] | None"](
    variables=("OTEL_RESOURCE_ATTRIBUTES",),
    argument="resource_attributes",
    kind=Kind("a mapping", _mapping),
    default=None,
    about="more of the resource. The argument is added to the variable, not put in its place",
)
SHUTDOWN_TIMEOUT = Setting(
    variables=("BREAKER_EXPORTER_SHUTDOWN_TIMEOUT",),
    argument="shutdown_timeout",
    kind=seconds(60.0),
    default=5.0,
    unit="s",
    about="time that `stop()` may take",
)
PROFILE = Setting(
    variables=("BREAKER_EXPORTER_PROFILE",),
    argument="profile",
    kind=members(Profile),
    default=Profile.PRODUCTION,
    about="the [profile](#profiles)",
)
METRICS = Setting(
    variables=("BREAKER_EXPORTER_METRICS",),
    kind=switch(),
    default=False,
    about="1: health as [metrics](../how-to/metrics-and-alerts.md); with zero code they appear with a "
    "worker's first export",
)
GC_FREEZE = Setting(
    variables=("BREAKER_EXPORTER_GC_FREEZE",),
    kind=switch(),
    default=True,
    about="Gunicorn hooks only: `gc.collect()` and `gc.freeze()` once the worker is up",
)
DECLARED = (
    SDK_DISABLED,
    TRACES_EXPORTER,
    LOGS_EXPORTER,
    METRICS_EXPORTER,
    LOG_HANDLER,
    SDK_LOG_HANDLER,
    DISABLED_INSTRUMENTATIONS,
    SERVICE_NAME,
    RESOURCE_ATTRIBUTES,
    SHUTDOWN_TIMEOUT,
    PROFILE,
    METRICS,
    GC_FREEZE,
)
