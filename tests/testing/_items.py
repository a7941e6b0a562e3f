"""Log records and metrics as the SDK hands them to an exporter, of a service called ``shop``."""

from __future__ import annotations

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, MetricsData
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import NonRecordingSpan, SpanContext, set_span_in_context

SHOP = Resource({"service.name": "shop", "service.instance.id": "one"})

IN_A_SPAN = set_span_in_context(NonRecordingSpan(SpanContext(0xABC, 0xDEF, is_remote=False)))


def log_records(count: int, first: int = 0) -> tuple[ReadableLogRecord, ...]:
    """Records of sales with numbers from `first` on."""
    return tuple(
        ReadableLogRecord(
            LogRecord(
                timestamp=1_700_000_000_000_000_000 + number,
                observed_timestamp=1_700_000_000_000_000_001 + number,
                context=IN_A_SPAN,
                severity_text="WARN",
                severity_number=SeverityNumber.WARN,
                body=f"sold {number}",
                attributes={"number": number},
                event_name="sale",
            ),
            SHOP,
            InstrumentationScope("shop.sales"),
        )
        for number in range(first, first + count)
    )


def metrics_data(count: int) -> MetricsData:
    """A counter with `count` data points, of 1 sale, 2 sales and so on."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], resource=SHOP)
    sold = provider.get_meter("shop.sales").create_counter("sold", unit="{item}")
    for number in range(count):
        sold.add(number + 1, {"number": number})
    data = reader.get_metrics_data()
    provider.shutdown()
    assert data is not None
    return data
