"""What an OTLP exporter of metrics prefers: as arguments and variables say, as OpenTelemetry's has it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from opentelemetry.sdk.metrics import (
    Counter,
    Histogram,
    ObservableCounter,
    ObservableGauge,
    ObservableUpDownCounter,
    UpDownCounter,
)
from opentelemetry.sdk.metrics.export import AggregationTemporality
from opentelemetry.sdk.metrics.view import (
    Aggregation,
    ExplicitBucketHistogramAggregation,
    ExponentialBucketHistogramAggregation,
)

from ._metric_settings import HISTOGRAM_AGGREGATION, TEMPORALITY

if TYPE_CHECKING:
    from .._base.environment import Environment

T = TypeVar("T")

_INSTRUMENTS = (
    *(Counter, UpDownCounter, Histogram),
    *(ObservableCounter, ObservableUpDownCounter, ObservableGauge),
)
_DELTA: dict[str, tuple[type, ...]] = {
    "cumulative": (),
    "delta": (Counter, Histogram, ObservableCounter),
    "lowmemory": (Counter, Histogram),
}
"""By the word of the variable: instruments that tell what came since the last export."""
_HISTOGRAM: dict[str, Callable[[], Aggregation]] = {
    "explicit_bucket_histogram": ExplicitBucketHistogramAggregation,
    "base2_exponential_bucket_histogram": ExponentialBucketHistogramAggregation,
}


def temporality(
    environment: Environment, given: Mapping[type, AggregationTemporality] | None
) -> dict[type, AggregationTemporality]:
    """The preferred temporality of each instrument: what was given in code, else as the variable says.

    Raises:
        TypeError: `given` is no such mapping.
        TelemetryError: The variable is bad, where strict.
    """
    delta = _DELTA[environment.in_force(TEMPORALITY)]
    preferred: dict[type, AggregationTemporality] = {
        kind: AggregationTemporality.DELTA if kind in delta else AggregationTemporality.CUMULATIVE
        for kind in _INSTRUMENTS
    }
    return {**preferred, **_checked("preferred_temporality", given, AggregationTemporality)}


def aggregation(
    environment: Environment, given: Mapping[type, Aggregation] | None
) -> dict[type, Aggregation]:
    """The preferred aggregation of instruments: what was given in code, of histograms else the variable's.

    Raises:
        TypeError: `given` is no such mapping.
        TelemetryError: The variable is bad, where strict.
    """
    histogram = _HISTOGRAM[environment.in_force(HISTOGRAM_AGGREGATION)]()
    return {Histogram: histogram, **_checked("preferred_aggregation", given, Aggregation)}


def _checked(argument: str, given: Mapping[type, T] | None, kind: type[Any]) -> Mapping[type, T]:
    if given is None:
        return {}
    if not isinstance(given, Mapping) or not all(
        isinstance(instrument, type) and isinstance(value, kind) for instrument, value in given.items()
    ):
        raise TypeError(f"{argument} must map classes of instruments to {kind.__name__}, not {given!r}")
    return given
