"""The metric exporter of this package by HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from opentelemetry.sdk.metrics.export import MetricsData

from .._base.environment import Environment
from ._http_exporter import HTTPExporter
from ._metric_exporter import OTLPMetricExporter

if TYPE_CHECKING:
    import enum

    import requests
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import AggregationTemporality
    from opentelemetry.sdk.metrics.view import Aggregation

    from ._settings import Compression


class CooperativeOTLPMetricExporter(HTTPExporter[MetricsData], OTLPMetricExporter):
    """Metrics by OTLP over HTTP, without holding the gevent hub or the GIL for long; alone or wrapped.

    It encodes a batch in slices, with a pause between two of them, and posts it once, or in several requests
    where one would be too large. It never sleeps to try again: that is for the circuit breaker around it,
    which it tells what the collector answered (:meth:`export_and_report`). Arguments and variables are those
    of OpenTelemetry's HTTP ``OTLPMetricExporter``.
    """

    def __init__(
        self,
        endpoint: str | None = None,
        certificate_file: str | None = None,
        client_key_file: str | None = None,
        client_certificate_file: str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        compression: Compression | enum.Enum | None = None,
        session: requests.Session | None = None,
        preferred_temporality: Mapping[type, AggregationTemporality] | None = None,
        preferred_aggregation: Mapping[type, Aggregation] | None = None,
        max_export_batch_size: int | None = None,
        *,
        max_request_size: int | None = None,
        meter_provider: MeterProvider | None = None,
        _environment: Environment | None = None,
    ) -> None:
        """Make an exporter. Arguments that are not named here mean what they mean to those of other signals.

        Args:
            preferred_temporality: By class of instrument; comes before
                ``OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE``.
            preferred_aggregation: By class of instrument; comes before
                ``OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION``.
            max_export_batch_size: Data points of a request at most: more are sent in several. Default: any
                number.

        Raises:
            TypeError: An argument is of the wrong type.
            ValueError: An argument is out of range.
            TelemetryError: A variable is bad, where strict.
        """
        environment = Environment() if _environment is None else _environment
        self._prefer(preferred_temporality, preferred_aggregation, max_export_batch_size, environment)
        super().__init__(
            endpoint,
            certificate_file,
            client_key_file,
            client_certificate_file,
            headers,
            timeout,
            compression,
            session,
            max_request_size=max_request_size,
            meter_provider=meter_provider,
            _environment=environment,
        )
