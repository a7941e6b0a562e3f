"""An OTLP exporter by gRPC, of any signal: from arguments and variables to what sends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._base.environment import Environment
from . import _environment as variables
from . import _settings as otlp
from ._environment import Files
from ._exporter import Batch, OTLPExporter
from ._grpc_sender import grpc_sender
from ._self_metrics import self_metrics

if TYPE_CHECKING:
    import grpc
    from opentelemetry.metrics import MeterProvider

    from ._encode.groups import ResourceOf
    from ._grpc_sender import ChannelOptions, Headers


class GRPCExporter(OTLPExporter[Batch]):
    """The first base of an exporter by gRPC; the other one exports its signal."""

    def __init__(
        self,
        endpoint: str | None = None,
        insecure: bool | None = None,
        credentials: grpc.ChannelCredentials | None = None,
        headers: Headers | None = None,
        timeout: float | None = None,
        compression: str | grpc.Compression | None = None,
        channel_options: ChannelOptions | None = None,
        *,
        certificate_file: str | None = None,
        client_key_file: str | None = None,
        client_certificate_file: str | None = None,
        max_request_size: int | None = None,
        meter_provider: MeterProvider | None = None,
        _environment: Environment | None = None,
        _resource_of: ResourceOf | None = None,
    ) -> None:
        """Make an exporter. A bad variable is one WARNING and counts as unset.

        With ``BREAKER_EXPORTER_STRICT=1`` it raises. A variable of the signal alone, such as
        ``OTEL_EXPORTER_OTLP_LOGS_TIMEOUT``, comes before the one for all signals that is named here.

        Args:
            endpoint: A URL such as ``http://collector:4317``, or a target of gRPC's such as
                ``collector:4317`` (with TLS), ``dns:///collector:4317`` or ``unix:/run/collector.sock``;
                ``OTEL_EXPORTER_OTLP_ENDPOINT``.
            insecure: ``True``: without TLS, but for https; ``OTEL_EXPORTER_OTLP_INSECURE``. Default: without
                TLS where the endpoint is http.
            credentials: Of the channel; else what the credential provider gives that
                ``OTEL_PYTHON_EXPORTER_OTLP_GRPC_CREDENTIAL_PROVIDER`` names.
            headers: Sent with every export, as metadata: a mapping, pairs, or the text of the variable. A
                name that ends in ``-bin`` has bytes for a value. ``OTEL_EXPORTER_OTLP_HEADERS``.
            timeout: Seconds for one export, encoding, connecting and TLS included;
                ``OTEL_EXPORTER_OTLP_TIMEOUT``. Default 10.
            compression: ``none`` (default), ``gzip``, or one of ``grpc.Compression``;
                ``OTEL_EXPORTER_OTLP_COMPRESSION``.
            channel_options: Pairs of a name and a value for gRPC's channel; they come before our own.
            certificate_file: What the server's certificate is verified by;
                ``OTEL_EXPORTER_OTLP_CERTIFICATE``. This and the next two are read for each new connection, so
                they may be replaced.
            client_key_file: ``OTEL_EXPORTER_OTLP_CLIENT_KEY``.
            client_certificate_file: ``OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE``.
            max_request_size: Bytes before compression; a larger batch is split as often as needed, and so is
                one that the collector finds too large. Default 4 MiB, as gRPC servers have it; 0 or less:
                any.
            meter_provider: As for the exporters by HTTP.

        Raises:
            TypeError: An argument is of the wrong type.
            ValueError: An argument is out of range.
            TelemetryError: A variable is bad, where strict.
        """
        # For this package alone, as _resource_of: variables that were checked already, or none at all.
        environment = Environment() if _environment is None else _environment
        sender = grpc_sender(
            self._signal,
            endpoint=endpoint,
            insecure=insecure,
            credentials=credentials,
            headers=headers,
            compression=compression,
            channel_options=channel_options,
            files=Files(certificate_file, client_key_file, client_certificate_file),
            environment=environment,
        )
        super().__init__(
            sender,
            timeout=variables.timeout(environment, self._signal, timeout),
            max_request_size=otlp.GRPC_MAX_REQUEST_SIZE.accept(max_request_size),
            metrics=self_metrics("grpc", self._signal, sender.destination, meter_provider, environment),
            resource_of=_resource_of,
        )
