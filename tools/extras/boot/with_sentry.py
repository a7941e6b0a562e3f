"""Sentry beside a provider of one's own; the environment has the DSN and the mode."""

from __future__ import annotations

import logging

import sentry_sdk
from opentelemetry.sdk.trace import TracerProvider

from breaker_exporter.sentry import connect_sentry

provider = TracerProvider()
connect_sentry(provider)
with provider.get_tracer("extras").start_as_current_span("request"):
    logging.error("asked to fail")
provider.shutdown()
sentry_sdk.flush(10)
