"""The exporter of log records to Sentry's OTLP endpoint."""

from __future__ import annotations

from .._core.payload import Delivery
from ..otlp import CooperativeOTLPLogRecordExporter
from ..otlp._payload import EncodedPayload
from ._exporter import with_final_limits


class SentryLogRecordExporter(CooperativeOTLPLogRecordExporter):
    """Sends log records to Sentry, whose rate limits are final."""

    def send_payload(self, payload: EncodedPayload) -> Delivery:
        """Send what was encoded; nothing is left where Sentry answers 429."""
        return with_final_limits(super().send_payload(payload))
