"""The tracer provider of a process: made and set once, or left alone where the application has set one.

OpenTelemetry lets a process set its provider once only, and a forked child keeps its parent's.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from opentelemetry.metrics import NoOpMeterProvider

from .._base import meter_provider
from .._base.log import say
from .._base.redaction import shown
from ..otlp._signals import TRACES
from .provider_variables import importable
from .set_provider import Global

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
    from opentelemetry.util.types import AttributeValue

    from .._base.environment import Environment

GLOBAL = Global(
    signal=TRACES,
    kind="tracer_provider",
    api="opentelemetry.trace",
    none=trace.NoOpTracerProvider,
    get=trace.get_tracer_provider,
    set=trace.set_tracer_provider,
    adding="add_span_processor",
    parts=("_active_span_processor", "_span_processors"),
    wrapping='BatchSpanProcessor(CircuitBreakerSpanExporter(OTLPSpanExporter(), name="collector"))',
    sharing="; or give the provider to this one: Telemetry(provider=trace.get_tracer_provider())",
)


def make(
    attributes: Mapping[str, AttributeValue], environment: Environment, sampler: str
) -> TracerProvider | None:
    """Make a provider and set it; where one is set already, log how to guard that one's exporter.

    Args:
        attributes: Attributes of the resource.
        environment: The variables.
        sampler: The name of the sampler, where the environment names none.

    Raises:
        TelemetryError: A variable for it is bad, where strict.
    """
    if not GLOBAL.is_free(environment):
        return None
    provider: TracerProvider | None = GLOBAL.bare(environment)
    if provider is None:
        provider = _new_provider(attributes, environment, sampler)
    elif attributes:
        say(
            logging.WARNING,
            "OpenTelemetry made the tracer provider from %s before telemetry was prepared: too late for "
            "service_name and resource_attributes; set OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES, "
            "or prepare earlier",
            GLOBAL.variable,
        )
    GLOBAL.put(provider, environment)
    return provider


def current_or_none() -> trace.TracerProvider | None:
    """The process's tracer provider, if it has one.

    ``trace.get_tracer_provider()`` would make one where ``OTEL_PYTHON_TRACER_PROVIDER`` is set. A proxy
    passes on to the provider that is set, and returns a proxy of a tracer where none is.
    """
    tracer = trace.ProxyTracerProvider().get_tracer("breaker_exporter")
    return None if isinstance(tracer, trace.ProxyTracer) else trace.get_tracer_provider()


def _new_provider(
    attributes: Mapping[str, AttributeValue], environment: Environment, sampler: str
) -> TracerProvider:
    with importable(environment):
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider

    from .provider_settings import id_generator_of, sampler_of, span_limits

    return TracerProvider(
        resource=Resource.create(dict(attributes)),
        sampler=sampler_of(environment, sampler),
        id_generator=id_generator_of(environment),
        span_limits=span_limits(environment),
        **_meters(TracerProvider, environment),
    )


def _meters(kind: type[TracerProvider], environment: Environment) -> dict[str, Any]:
    """Meters that count nothing, where OpenTelemetry's tracers would fail to make theirs."""
    takes_them = "meter_provider" in inspect.signature(kind).parameters
    is_bad = meter_provider.is_bad(environment)
    return {"meter_provider": NoOpMeterProvider()} if is_bad and takes_them else {}


# A private attribute, with a test: nothing public tells which processors a provider has (1.39 to 1.45). Where
# the attribute is missing, the provider counts as the application's.
def processors_of(provider: object) -> tuple[SpanProcessor, ...] | None:
    """The processors that a provider passes its spans to; ``None`` where they are unknown."""
    found = getattr(getattr(provider, "_active_span_processor", None), "_span_processors", None)
    return found if isinstance(found, tuple) else None


def check_provider(provider: object) -> None:
    """Check that an argument named ``provider`` is one of the SDK.

    Raises:
        TypeError: It is not.
    """
    from opentelemetry.sdk.trace import TracerProvider

    if not isinstance(provider, TracerProvider):
        raise TypeError(f"provider must be an opentelemetry.sdk.trace.TracerProvider, not {shown(provider)}")
