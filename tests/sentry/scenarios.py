"""Scenarios in a process of their own: a global provider, an exit, gevent's patch."""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
from typing import Any


def a_provider_is_set_already() -> None:
    """Prints the ids of the span that an error was in."""
    from opentelemetry import trace
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

    from breaker_exporter.telemetry import Telemetry

    from ._sentry import fail_in_a_span

    logging.basicConfig(level=logging.INFO, stream=sys.stdout)
    provider = TracerProvider(resource=Resource({"service.name": "shop", "service.version": "1.4.2"}))
    trace.set_tracer_provider(provider)
    telemetry = Telemetry()
    telemetry.start()
    span = fail_in_a_span(provider)
    telemetry.stop()
    print(span.trace_id, span.span_id)  # noqa: T201


def everything_from_the_environment() -> None:
    from breaker_exporter.telemetry import Telemetry

    from ._sentry import fail_in_a_span

    telemetry = Telemetry()
    telemetry.start()
    assert telemetry.provider is not None
    fail_in_a_span(telemetry.provider)
    telemetry.stop()


def stop_and_exit() -> None:
    """Prints when it has stopped; a wait at the interpreter's exit would be one of a minute."""
    import sentry_sdk

    from breaker_exporter.sentry import Sentry
    from breaker_exporter.telemetry import Telemetry

    from ._sentry import FEW, fail_in_a_span

    sentry = Sentry(options={**FEW, "shutdown_timeout": 60.0})
    telemetry = Telemetry(sentry=sentry, shutdown_timeout=2.0)
    telemetry.start()
    assert telemetry.provider is not None
    fail_in_a_span(telemetry.provider)
    sentry_sdk.capture_message("sold out")
    began = time.monotonic()
    telemetry.stop()
    print(f"stopped after {time.monotonic() - began}", flush=True)  # noqa: T201


def the_sender_makes_no_spans() -> None:
    """With and without gevent's patch."""
    import sentry_sdk
    from opentelemetry import context
    from opentelemetry.sdk.trace import TracerProvider
    from sentry_sdk.transport import HttpTransport

    from ._sentry import FEW, connect, end_a_span

    seen: list[tuple[bool, object]] = []
    caller = threading.get_ident()

    class Watching(HttpTransport):
        def _request(self, *args: Any, **kwargs: Any) -> Any:
            suppressed = context.get_value("suppress_instrumentation")
            seen.append((threading.get_ident() == caller, suppressed))
            return super()._request(*args, **kwargs)

    provider = TracerProvider(shutdown_on_exit=False)
    with provider.get_tracer("shop").start_as_current_span("request"):
        connect(provider, dsn=os.environ["SENTRY_DSN"], transport=Watching, **FEW)
        assert context.get_value("suppress_instrumentation") is None
        for number in range(3):
            sentry_sdk.capture_message(f"{number}")
            sentry_sdk.flush(timeout=10)
        assert context.get_value("suppress_instrumentation") is None
        end_a_span(provider)
    provider.shutdown()
    assert seen == [(False, True)] * 3, seen

    if (child := os.fork()) == 0:
        seen.clear()
        sentry_sdk.capture_message("3")
        sentry_sdk.flush(timeout=10)
        os._exit(seen != [(False, True)])
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def all_three_signals() -> None:
    """A span, an error and two log lines in another, a counter; prints the trace's id, and the exporters."""
    import sentry_sdk
    from opentelemetry import metrics

    from breaker_exporter.sentry import Sentry
    from breaker_exporter.telemetry import Telemetry

    from ._sentry import FEW, end_a_span, fail_in_a_span

    logging.basicConfig(level=logging.DEBUG, handlers=[logging.NullHandler()])  # urllib3 logs each request
    logging.getLogger("breaker_exporter").addHandler(logging.StreamHandler(sys.stdout))
    options = {**FEW, **json.loads(os.environ["OPTIONS"])}
    telemetry = Telemetry(sentry=Sentry(options=options))
    telemetry.start()
    names = [exporter.health().name for exporter in telemetry.exporters]
    assert telemetry.provider is not None
    end_a_span(telemetry.provider)
    telemetry.provider.force_flush()  # a dead collector is known to be dead from here on
    with telemetry.provider.get_tracer("shop").start_as_current_span("request"):
        logging.getLogger("shop").warning("shelf is nearly empty")
        logging.getLogger("shop").error("sold out")
        span = fail_in_a_span(telemetry.provider)
    sentry_sdk.flush(timeout=10)  # what these requests log is not exported either
    metrics.get_meter("shop").create_counter("sold").add(3)
    telemetry.stop()
    print(json.dumps([span.trace_id, names]))  # noqa: T201
