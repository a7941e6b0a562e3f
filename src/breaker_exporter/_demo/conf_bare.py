"""``gunicorn.conf.py`` of the bare service: the lines that OpenTelemetry's documentation shows.

They run after gevent's monkey patch, as in an application's own module. In ``post_fork``, before the patch,
the processor's thread would be a native one: a blocked gRPC export would not block the hub, but locks and
threads from before the patch would keep a worker with a hung export from exiting.
"""

from __future__ import annotations

import os

control_socket_disable = True


def post_worker_init(worker: object) -> None:
    from opentelemetry import trace
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

    exporter: SpanExporter
    if os.environ["OTEL_EXPORTER_OTLP_PROTOCOL"] == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter

        exporter = GrpcExporter()
    else:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        exporter = OTLPSpanExporter()

    provider = TracerProvider(resource=Resource.create({"service.name": "shop"}))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
