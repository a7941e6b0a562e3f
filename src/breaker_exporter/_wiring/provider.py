"""The tracer provider of a process: made and set once, or left alone where the application has set one.

OpenTelemetry lets a process set its provider once only, and a forked child keeps its parent's.
"""

from __future__ import annotations

import inspect
import logging
import sys
import threading
from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakSet

from opentelemetry import trace
from opentelemetry.metrics import NoOpMeterProvider

from .._base import meter_provider
from .._base.log import say
from .._base.redaction import origin, shown
from .._concurrency.before_patch import any_early
from .._concurrency.native import new_lock
from .._concurrency.patched import is_patched
from .provider_variables import PROVIDER_GROUP, SDK_PROVIDER, TRACER_PROVIDER, importable

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
    from opentelemetry.util.types import AttributeValue

    from .._base.environment import Environment

_LOCK = "_global_shutdown_lock"
_ONCE = "opentelemetry.util._once"

_made: WeakSet[TracerProvider] = WeakSet()
"""The providers that this package has made and set, which are no application's."""


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
    named = environment.value(TRACER_PROVIDER.variable)
    current = current_or_none()
    if current is None and named not in (None, SDK_PROVIDER):
        failure = ""
        try:
            current = trace.get_tracer_provider()
        except Exception as error:  # which the application would get, too, when it asks for a tracer
            failure = (
                origin(error)
                if entry_points(group=PROVIDER_GROUP, name=str(named))
                else "it is not installed"
            )
        if failure:
            environment.complain(
                f"{TRACER_PROVIDER.variable} must name {TRACER_PROVIDER.kind.allowed}, "
                f"not {shown(named)}: {failure}",
                "using that one",
            )
    if current is None:
        provider = _new_provider(attributes, environment, sampler)
        trace.set_tracer_provider(provider)
        _made.add(provider)
        return provider
    if any(current is made for made in _made):
        say(
            logging.WARNING,
            "another Telemetry of this process has set the tracer provider and exports its spans; "
            "this one adds nothing to it. Keep one of them, or give this one that provider: "
            "Telemetry(provider=trace.get_tracer_provider())",
        )
        return None
    if any_early():
        say(
            logging.INFO,
            "spans go to the exporter that OTEL_TRACES_EXPORTER named to opentelemetry-instrument",
        )
        return None
    if named is not None and _is_bare(current):
        if attributes:
            say(
                logging.WARNING,
                "OpenTelemetry made the tracer provider from %s before telemetry was prepared: too late for "
                "service_name and resource_attributes; set OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES, "
                "or prepare earlier",
                TRACER_PROVIDER.variable,
            )
        return cast("TracerProvider", current)
    say(
        logging.WARNING,
        "a %s is set already, by %s, and is left as it is. "
        "To guard its exporter, wrap it where it is made: "
        'BatchSpanProcessor(CircuitBreakerSpanExporter(OTLPSpanExporter(), name="collector")), '
        "or by OTEL_TRACES_EXPORTER=breaker_otlp_proto_http where opentelemetry-instrument makes it; "
        "to add another exporter to it, give it to Telemetry(provider=...).",
        type(current).__name__,
        "the application or by opentelemetry-instrument"
        if named in (None, SDK_PROVIDER)
        else f"{TRACER_PROVIDER.variable}={named}",
    )
    return None


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


def _is_bare(provider: object) -> bool:
    """True for a provider of the SDK that has no span processor."""
    from opentelemetry.sdk.trace import TracerProvider

    return isinstance(provider, TracerProvider) and processors_of(provider) == ()


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


def mend_native_locks() -> None:
    """Replace native locks that were made before the monkey patch, since :func:`make` may come before it.

    Resource detection loads ``concurrent.futures.thread``, which makes a lock that ``submit`` holds while a
    thread starts. Under gevent before 26.8 a lock from before the patch stays native, and two greenlets of
    the application that use a pool at once stop the hub for good (gevent #1865). Newer gevents replace it
    themselves when they patch.

    OpenTelemetry's ``Once`` has a lock too, which the spans of each batch processor pass. With a native one,
    a child that starts a subprocess hung in it: greenlets of the parent went on in the child.
    """
    once = sys.modules.get(_ONCE)
    if once is not None and is_patched() and "Lock" in vars(once):
        vars(once)["Lock"] = threading.Lock
    pools = sys.modules.get("concurrent.futures.thread")
    if pools is not None and is_patched() and isinstance(getattr(pools, _LOCK, None), type(new_lock())):
        setattr(pools, _LOCK, threading.Lock())
