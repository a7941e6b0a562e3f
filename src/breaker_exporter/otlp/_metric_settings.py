"""The settings that OTLP exporters of metrics alone have, with OpenTelemetry's defaults."""

from __future__ import annotations

from .._base.setting import COUNT, Setting, words

TEMPORALITY = Setting(
    variables=("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",),
    kind=words("cumulative", "delta", "lowmemory"),
    default="cumulative",
    about="`delta`: counters and histograms tell what came since the last export, others their sum; "
    "`lowmemory`: of these two, only those that are not observable",
)
HISTOGRAM_AGGREGATION = Setting(
    variables=("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",),
    kind=words("explicit_bucket_histogram", "base2_exponential_bucket_histogram"),
    default="explicit_bucket_histogram",
    about="buckets of histograms for which no view says another kind",
)
MAX_BATCH_SIZE = Setting[int | None](
    argument="max_export_batch_size",
    kind=COUNT,
    default=None,
    unit="data points",
    about="most data points of a request",
)
DECLARED = (TEMPORALITY, HISTOGRAM_AGGREGATION)
