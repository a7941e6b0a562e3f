"""The exporter of spans to Sentry's OTLP endpoint, and the limits that hold for log records too."""

from __future__ import annotations

from dataclasses import replace

from .._core.payload import Delivery
from .._core.report import Cause
from ..otlp import CooperativeOTLPSpanExporter
from ..otlp._payload import EncodedPayload


class SentrySpanExporter(CooperativeOTLPSpanExporter):
    """Sends spans to Sentry, whose rate limits are final."""

    def send_payload(self, payload: EncodedPayload) -> Delivery:
        """Send what was encoded; nothing is left where Sentry answers 429."""
        return with_final_limits(super().send_payload(payload))


def with_final_limits(delivery: Delivery) -> Delivery:
    """`delivery`, without what was left by a rate limit: Sentry does not want it, and gets it never again.

    Its protocol has it so: https://develop.sentry.dev/sdk/expected-features/rate-limiting/.
    """
    is_limit = delivery.report.cause is Cause.BUSY and delivery.report.reason.startswith("HTTP 429")
    return replace(delivery, left=None) if is_limit else delivery
