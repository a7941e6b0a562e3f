"""Helpers of the tests of Sentry: set it up, make errors in spans, read what has arrived."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import sentry_sdk
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import format_span_id, format_trace_id
from sentry_sdk.integrations.otlp import OTLPIntegration

from breaker_exporter import CircuitBreakerSpanExporter
from breaker_exporter.sentry import Sentry, connect_sentry
from breaker_exporter.testing import FaultyCollector, ReceivedSentryItem

FEW: dict[str, Any] = {"auto_enabling_integrations": False, "server_name": "tests"}
"""Options that keep ``sentry_sdk.init`` from patching whatever framework is installed."""


MakeProvider = Callable[..., TracerProvider]
"""Keywords are attributes of the resource, with ``_`` for the first dot."""


@dataclass(frozen=True)
class Ids:
    """A span's ids, in hex digits."""

    trace_id: str
    span_id: str


def connect(provider: TracerProvider, **arguments: Any) -> CircuitBreakerSpanExporter | None:
    """``connect_sentry`` with the attributes of a ``Sentry``; any other keyword is one of its options."""
    if not arguments:
        return connect_sentry(provider)
    names = {each.name for each in dataclasses.fields(Sentry)}
    attributes = {name: value for name, value in arguments.items() if name in names}
    options = {name: value for name, value in arguments.items() if name not in names}
    return connect_sentry(provider, Sentry(**attributes, options=options))


@dataclass(frozen=True)
class Connected:
    """:func:`connect` with a provider, a DSN and few integrations; arguments win over these."""

    provider: TracerProvider
    dsn: str

    def __call__(self, **arguments: Any) -> CircuitBreakerSpanExporter | None:
        return connect(self.provider, **{"dsn": self.dsn, "release": "shop@1", **FEW, **arguments})


def init_as_the_application(dsn: str, **options: Any) -> None:
    """Initialise Sentry as an application does, with all that the mode OTLP needs; options win over that."""
    linked = [OTLPIntegration(setup_otlp_traces_exporter=False, setup_propagator=False)]
    sentry_sdk.init(dsn=dsn, **{"release": "shop@1", "integrations": linked, **FEW, **options})


def fail_in_a_span(provider: TracerProvider, name: str = "checkout") -> Ids:
    """Reports an error from within a span, and tells which span that was."""
    with provider.get_tracer("shop").start_as_current_span(name) as span:
        try:
            raise LookupError("sold out")
        except LookupError:
            sentry_sdk.capture_exception()
    return ids_of(span)


def end_a_span(provider: TracerProvider, name: str = "browse") -> Ids:
    with provider.get_tracer("shop").start_as_current_span(name) as span:
        return ids_of(span)


def ids_of(span: Any) -> Ids:
    context = span.get_span_context()
    return Ids(format_trace_id(context.trace_id), format_span_id(context.span_id))


def linked(item: ReceivedSentryItem) -> Ids:
    """The span that an event or a transaction says it belongs to."""
    trace = payload(item)["contexts"]["trace"]
    return Ids(trace["trace_id"], trace["span_id"])


def payload(item: ReceivedSentryItem) -> dict[str, Any]:
    assert item.payload is not None
    return dict(item.payload)


def arrived(sentry: FaultyCollector, kind: str = "event") -> list[ReceivedSentryItem]:
    """The items of a kind that are at Sentry once all that is queued has been sent."""
    sentry_sdk.flush(timeout=10)
    return [item for item in sentry.latest_sentry_items if item.kind == kind]


def spans_at(collector: FaultyCollector) -> list[Ids]:
    """One for each record, so that a span that came twice is there twice."""
    return [Ids(span.trace_id, span.span_id) for span in collector.latest_spans]


def said(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    """The lines of that level that this package has logged."""
    records = [record for record in caplog.records if record.name == "breaker_exporter"]
    return [record.getMessage() for record in records if record.levelno == level]


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    assert said(caplog, logging.ERROR) == []
    return said(caplog, logging.WARNING)
