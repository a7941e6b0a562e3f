"""The process's tracer provider: made and set once, or left alone where the application has one.

OpenTelemetry lets a process set its provider once only, and a forked child keeps its parent's.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import logging
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from opentelemetry import trace

from ._log import say
from ._world import is_patched

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.util.types import AttributeValue

    from ._env import Environment


def make(attributes: Mapping[str, AttributeValue], environment: Environment) -> TracerProvider | None:
    """Makes a provider and sets it; or, where one is set already, says how to guard that one's exporter.

    Raises:
        TelemetryError: A variable for it is bad, where strict.
    """
    if not isinstance(current := trace.get_tracer_provider(), trace.ProxyTracerProvider):
        say(
            logging.WARNING,
            "a %s is set already, by the application or by opentelemetry-instrument, and is left as it is. "
            "To guard its exporter, wrap it where it is made: "
            'BatchSpanProcessor(CircuitBreakerSpanExporter(OTLPSpanExporter(), name="collector")); '
            "to add another exporter to it, give it to Telemetry(provider=...).",
            type(current).__name__,
        )
        return None
    environment.check_provider()
    with environment.without_unusable():
        # The import reads variables too, and raises where one is bad.
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider

        with _thread_pools_left_as_found():
            resource = Resource.create(dict(attributes))
        provider = TracerProvider(resource=resource)
    trace.set_tracer_provider(provider)
    return provider


@contextlib.contextmanager
def _thread_pools_left_as_found() -> Iterator[None]:
    """Unloads what the resource detection loads to run its detectors: ``concurrent.futures.thread``.

    That module makes a lock when it is imported, and ``submit`` holds it while a thread starts. Imported
    before the monkey patch, the lock stays native under gevent before 26.8 (gevent #1865): two greenlets of
    the application that use a thread pool at once stop the hub for good. Imported anew, it is gevent's.
    """
    if "concurrent.futures.thread" in sys.modules or is_patched():
        yield
        return
    try:
        yield
    finally:
        sys.modules.pop("concurrent.futures.thread", None)
        for name in ("thread", "ThreadPoolExecutor"):
            vars(concurrent.futures).pop(name, None)
