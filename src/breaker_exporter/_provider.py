"""The process's tracer provider: made and set once, or left alone where the application has one.

OpenTelemetry lets a process set its provider once only, and a forked child keeps its parent's.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

from opentelemetry import trace

from ._env import SAMPLER
from ._late_patch import any_early
from ._log import say
from ._shown import shown
from ._world import is_patched, new_lock

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.util.types import AttributeValue

    from ._env import Environment

_LOCK = "_global_shutdown_lock"
_ONCE = "opentelemetry.util._once"


def make(
    attributes: Mapping[str, AttributeValue], environment: Environment, sampler: str
) -> TracerProvider | None:
    """Makes a provider and sets it; or, where one is set already, says how to guard that one's exporter.

    Args:
        attributes: Of the resource.
        environment: The variables.
        sampler: Its name, where the environment has none.

    Raises:
        TelemetryError: A variable for it is bad, where strict.
    """
    current = trace.get_tracer_provider()
    if not isinstance(current, trace.ProxyTracerProvider) and any_early():
        say(
            logging.INFO,
            "spans go to the exporter that OTEL_TRACES_EXPORTER named to opentelemetry-instrument",
        )
        return None
    if not isinstance(current, trace.ProxyTracerProvider):
        say(
            logging.WARNING,
            "a %s is set already, by the application or by opentelemetry-instrument, and is left as it is. "
            "To guard its exporter, wrap it where it is made: "
            'BatchSpanProcessor(CircuitBreakerSpanExporter(OTLPSpanExporter(), name="collector")), '
            "or by OTEL_TRACES_EXPORTER=breaker_otlp_proto_http where opentelemetry-instrument makes it; "
            "to add another exporter to it, give it to Telemetry(provider=...).",
            type(current).__name__,
        )
        return None
    environment.check_provider(sampler)
    with environment.without_unusable(), environment.default(SAMPLER, sampler):
        # The import reads variables too, and raises where one is bad.
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider

        provider = TracerProvider(resource=Resource.create(dict(attributes)))
    trace.set_tracer_provider(provider)
    return provider


def check_provider(provider: object) -> None:
    """One of the SDK's.

    Raises:
        TypeError: It is not.
    """
    from opentelemetry.sdk.trace import TracerProvider

    if not isinstance(provider, TracerProvider):
        raise TypeError(f"provider must be an opentelemetry.sdk.trace.TracerProvider, not {shown(provider)}")


def mend_native_locks() -> None:
    """After the monkey patch: makes good that :func:`make` may have come before it.

    The resource detection loads ``concurrent.futures.thread``, which makes a lock that ``submit`` holds while
    a thread starts. Made before the patch, it stays native under gevent before 26.8, and two greenlets of
    the application that use a pool at once stop the hub for good (gevent #1865). This is what newer gevents
    do when they patch.

    OpenTelemetry's ``Once`` has a lock, too, which each batch processor's spans pass. Made of the native
    kind, a child that starts a subprocess hung in it: greenlets of the parent went on in the child.
    """
    once = sys.modules.get(_ONCE)
    if once is not None and is_patched() and "Lock" in vars(once):
        vars(once)["Lock"] = threading.Lock
    pools = sys.modules.get("concurrent.futures.thread")
    if pools is not None and is_patched() and isinstance(getattr(pools, _LOCK, None), type(new_lock())):
        setattr(pools, _LOCK, threading.Lock())
