"""The metric exporter of this package by gRPC."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from opentelemetry.sdk.metrics.export import MetricsData

from .._base.environment import Environment
from ._grpc_exporter import GRPCExporter
from ._metric_exporter import OTLPMetricExporter

if TYPE_CHECKING:
    import grpc
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import AggregationTemporality
    from opentelemetry.sdk.metrics.view import Aggregation

    from ._grpc_sender import ChannelOptions, Headers


class OTLPGrpcMetricExporter(GRPCExporter[MetricsData], OTLPMetricExporter):
    """Metrics by OTLP over gRPC, without holding the GIL for long; alone or wrapped.

    It encodes a batch in slices, with a pause between two of them, and sends it in one call, or in several
    where one would be too large. Under gevent the circuit breaker around it runs it on a native thread;
    alone, a call holds the hub until it is answered. It never sleeps to try again: that is for the circuit
    breaker, which it tells what the collector answered (:meth:`export_and_report`). A forked child has a
    channel of its own. Arguments and variables are those of OpenTelemetry's gRPC ``OTLPMetricExporter``,
    without ``retryable_error_codes``.
    """

    def __init__(
        self,
        endpoint: str | None = None,
        insecure: bool | None = None,
        credentials: grpc.ChannelCredentials | None = None,
        headers: Headers | None = None,
        timeout: float | None = None,
        compression: str | grpc.Compression | None = None,
        preferred_temporality: Mapping[type, AggregationTemporality] | None = None,
        preferred_aggregation: Mapping[type, Aggregation] | None = None,
        max_export_batch_size: int | None = None,
        channel_options: ChannelOptions | None = None,
        *,
        certificate_file: str | None = None,
        client_key_file: str | None = None,
        client_certificate_file: str | None = None,
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
            insecure,
            credentials,
            headers,
            timeout,
            compression,
            channel_options,
            certificate_file=certificate_file,
            client_key_file=client_key_file,
            client_certificate_file=client_certificate_file,
            max_request_size=max_request_size,
            meter_provider=meter_provider,
            _environment=environment,
        )
