"""Log records to Sentry by OTLP, where nobody else brings them there: each arrives once.

Sentry takes traces and logs by OTLP, and no metrics (https://docs.sentry.io/concepts/otlp/).
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from .._base.log import say
from .._wiring.pipeline import Pipeline, circuit_name, guarded
from ..otlp._signals import LOGS
from ._advice import collector_of
from ._settings import SentryMode

if TYPE_CHECKING:
    from sentry_sdk.client import BaseClient

    from .._core.shared_circuit import SharedCircuit
    from .._wiring.settings import Settings


def are_wanted(client: BaseClient, mode: SentryMode) -> bool:
    """True where log records go to Sentry from here; else one line says why not."""
    if mode is not SentryMode.OTLP:
        why = f"the mode {mode.value} is for a Sentry without an OTLP endpoint"
    elif collector_of(client):
        why = "they go there from the collector (collector_url), which OTEL_LOGS_EXPORTER=otlp sends them to"
    elif _are_sent_by_sentry(client):
        why = "sentry-sdk sends them itself (capture_sentry_logs or enable_logs)"
    else:
        return True
    say(logging.INFO, "Sentry gets no log records by OTLP from here: %s", why)
    return False


def pipeline(client: BaseClient, settings: Settings, circuit: SharedCircuit) -> Pipeline:
    """The pipeline for log records, on a circuit that it shares with that of spans."""
    from ._log_exporter import SentryLogRecordExporter
    from ._pipeline import exporter

    in_memory = replace(settings, retention=settings.retention.in_memory())  # what Sentry refuses is final
    made = exporter(SentryLogRecordExporter, client, settings)
    return guarded(circuit_name("sentry", LOGS), made, in_memory, circuit)


def _are_sent_by_sentry(client: BaseClient) -> bool:
    """True where sentry-sdk sends the records of Python's ``logging`` as logs of its own."""
    from sentry_sdk.integrations.logging import LoggingIntegration

    if client.get_integration(LoggingIntegration) is None:
        return False
    asked = getattr(LoggingIntegration, "capture_sentry_logs", None)  # newer releases have it
    if isinstance(asked, bool):
        return asked
    options = client.options
    return bool(options.get("enable_logs") or (options.get("_experiments") or {}).get("enable_logs"))
