"""The exporter to Sentry's OTLP endpoint."""

from __future__ import annotations

from dataclasses import replace

from .._core.payload import Delivery
from .._core.report import Cause
from ..otlp import CooperativeOTLPSpanExporter
from ..otlp._payload import EncodedPayload


class SentrySpanExporter(CooperativeOTLPSpanExporter):
    """Sends spans to Sentry, whose rate limits are final: what it does not want now is never sent again.

    Its protocol has it so: https://develop.sentry.dev/sdk/expected-features/rate-limiting/.
    """

    def send_payload(self, payload: EncodedPayload) -> Delivery:
        """Send what was encoded; nothing is left where Sentry answers 429."""
        delivery = super().send_payload(payload)
        is_limit = delivery.report.cause is Cause.BUSY and delivery.report.reason.startswith("HTTP 429")
        return replace(delivery, left=None) if is_limit else delivery
