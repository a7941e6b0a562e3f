"""An OTLP exporter by HTTP, of any signal: from arguments and variables to what sends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from .._base.environment import Environment
from . import _environment as variables
from . import _settings as otlp
from ._endpoints import http_endpoint
from ._environment import Files
from ._exporter import Batch, OTLPExporter
from ._http_settings import http_poster
from ._self_metrics import self_metrics
from ._send.http_sender import HTTPSender

if TYPE_CHECKING:
    import enum

    import requests
    from opentelemetry.metrics import MeterProvider

    from ._encode.groups import ResourceOf
    from ._settings import Compression


class HTTPExporter(OTLPExporter[Batch]):
    """The first base of an exporter by HTTP; the other one exports its signal."""

    cooperative = True
    """Runs in a greenlet of its own under gevent, where its sockets and pauses yield to the hub."""

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
        *,
        max_request_size: int | None = None,
        meter_provider: MeterProvider | None = None,
        _environment: Environment | None = None,
        _resource_of: ResourceOf | None = None,
    ) -> None:
        """Make an exporter. A bad variable is one WARNING and counts as unset.

        With ``BREAKER_EXPORTER_STRICT=1`` it raises. A variable of the signal alone, such as
        ``OTEL_EXPORTER_OTLP_LOGS_TIMEOUT``, comes before the one for all signals that is named here.

        Args:
            endpoint: The URL that requests are posted to, such as ``http://collector:4318/v1/traces``;
                ``OTEL_EXPORTER_OTLP_ENDPOINT`` without the path, or the whole URL for the signal.
            certificate_file: What servers' certificates are verified by; ``OTEL_EXPORTER_OTLP_CERTIFICATE``.
            client_key_file: ``OTEL_EXPORTER_OTLP_CLIENT_KEY``.
            client_certificate_file: ``OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE``.
            headers: Sent with every export, and never to another host than the endpoint's;
                ``OTEL_EXPORTER_OTLP_HEADERS``.
            timeout: Seconds for one export, connecting, TLS, redirects and a dripping answer included;
                ``OTEL_EXPORTER_OTLP_TIMEOUT``. Default 10.
            compression: ``none`` (default), ``gzip`` or ``deflate``, or one of OpenTelemetry's
                ``Compression``; ``OTEL_EXPORTER_OTLP_COMPRESSION``.
            session: A ``requests.Session`` of yours, or what the credential provider gives that
                ``OTEL_PYTHON_EXPORTER_OTLP_HTTP_CREDENTIAL_PROVIDER`` names. Its adapters then decide how far
                `timeout` holds: with those of requests, for connecting and for each read. They also read the
                body of a redirect, whatever its size, and take an answer before the final one (``103 Early
                Hints``) for the final one.
            max_request_size: Bytes before compression; a larger batch is split as often as needed, and so is
                one that the collector finds too large (413). Default 64 MiB; 0 or less: any.
            meter_provider: Where ``OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED`` is ``true``, its instruments
                count, under the names of OpenTelemetry's: ``otel.sdk.exporter.span.inflight``,
                ``otel.sdk.exporter.span.exported`` (in place of ``span``: ``log``, ``metric_data_point``) and
                ``otel.sdk.exporter.operation.duration``. Default: OpenTelemetry's global one.

        Raises:
            TypeError: An argument is of the wrong type.
            ValueError: An argument is out of range.
            TelemetryError: A variable is bad, where strict.
        """
        # For this package alone, as _resource_of: variables that were checked already, or none at all.
        environment = Environment() if _environment is None else _environment
        given = Files(certificate_file, client_key_file, client_certificate_file)
        variables.check_given_files(given, "http/protobuf")
        url = (
            variables.endpoint(environment, "http/protobuf", self._signal)
            if endpoint is None
            else http_endpoint("endpoint", endpoint)
        )
        super().__init__(
            HTTPSender(
                *http_poster(
                    url,
                    environment,
                    self._signal,
                    certificate_file=certificate_file,
                    client_key_file=client_key_file,
                    client_certificate_file=client_certificate_file,
                    headers=headers,
                    compression=compression,
                    session=session,
                )
            ),
            timeout=variables.timeout(environment, self._signal, timeout),
            max_request_size=otlp.MAX_REQUEST_SIZE.accept(max_request_size),
            metrics=self_metrics("http/protobuf", self._signal, url, meter_provider, environment),
            resource_of=_resource_of,
        )
