"""Secrets are in no event that Sentry gets, and in no log line about it."""

from __future__ import annotations

import logging
from urllib.parse import urlsplit

import pytest
import sentry_sdk
from opentelemetry.sdk.trace import TracerProvider

from breaker_exporter.sentry import Sentry
from breaker_exporter.telemetry import Telemetry
from breaker_exporter.testing import Fault, FaultyCollector

CANARY = "canary5ecret"


@pytest.mark.parametrize("fault", [Fault.NONE, Fault.REFUSE, Fault.BLACKHOLE, Fault.STATUS])
def test_the_key_of_a_dsn_and_the_collectors_headers_are_in_no_event(
    collector: FaultyCollector,
    sentry: FaultyCollector,
    provider: TracerProvider,
    caplog: pytest.LogCaptureFixture,
    fault: Fault,
) -> None:
    caplog.set_level(logging.DEBUG, "breaker_exporter")
    key = urlsplit(sentry.sentry_dsn).username or "none"
    telemetry = Telemetry(
        provider=provider,
        endpoint=collector.http_base,
        headers={"x-key": CANARY},
        timeout=0.2,
        export_timeout=1.0,
        failure_threshold=1,
        shutdown_timeout=2.0,
        sentry=Sentry(
            dsn=sentry.sentry_dsn, report_transitions=True, options={"auto_enabling_integrations": False}
        ),
    )
    telemetry.start()
    collector.fault = fault
    with provider.get_tracer("shop").start_as_current_span("sell"):
        sentry_sdk.capture_message("sold out")
    provider.force_flush(2000)
    telemetry.stop()
    sentry_sdk.get_client().close(timeout=0)

    told = [caplog.text, *(str(item.payload) for item in sentry.latest_sentry_items)]
    assert sentry.latest_sentry_items
    assert [text for text in told if CANARY in text or key in text] == []
