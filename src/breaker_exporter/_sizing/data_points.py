"""One collection of a web service's metrics: durations of requests and queries, counters, gauges."""

from __future__ import annotations

import random
from bisect import bisect_left
from collections.abc import Sequence

from opentelemetry.sdk.metrics import Exemplar
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from .spans import BEGAN, RESOURCE

_COLLECTED = BEGAN + 3_600_000_000_000
_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
"""Seconds, by OpenTelemetry's convention for durations of HTTP."""
_REQUESTS_EACH = 40
"""Values in a histogram since the collection before."""
_GOODS = ("goods", "carts", "orders", "customers", "shelves", "returns", "invoices", "coupons")
_METHODS, _STATUSES = ("GET", "POST", "PUT", "DELETE"), (200, 201, 304, 400, 404, 409, 500)
_OPERATIONS = ("SELECT", "INSERT", "UPDATE", "DELETE")
_CUMULATIVE = AggregationTemporality.CUMULATIVE


def web_metrics(series: int) -> MetricsData:
    """Return metrics of so many series: of each ten six are histograms, three counters, one a gauge.

    Each has the exemplars that the SDK takes by default where requests are traced. The same at each run.
    """
    chance = random.Random(1)
    of_each = [range(kind, series, 10) for kind in range(10)]
    requests, queries, counts, sizes = (
        sorted(number for kind in kinds for number in of_each[kind])
        for kinds in ((0, 1, 2, 3), (4, 5), (6, 7, 8), (9,))
    )
    metrics = [
        Metric(
            "http.server.request.duration",
            "Duration of HTTP server requests.",
            "s",
            Histogram([_durations(chance, _route(number)) for number in requests], _CUMULATIVE),
        ),
        Metric(
            "db.client.operation.duration",
            "Duration of database client operations.",
            "s",
            Histogram([_durations(chance, _table(number)) for number in queries], _CUMULATIVE),
        ),
        Metric(
            "shop.orders",
            "Orders by the goods in them.",
            "{order}",
            Sum([_count(chance, _shelf(number)) for number in counts], _CUMULATIVE, is_monotonic=True),
        ),
        Metric(
            "shop.stock",
            "Goods in stock.",
            "{item}",
            Gauge([_number(chance, _shelf(number)) for number in sizes]),
        ),
    ]
    scope = ScopeMetrics(InstrumentationScope("shop", "4.1.0"), [each for each in metrics if _has(each)], "")
    return MetricsData([ResourceMetrics(RESOURCE, [scope], "")])


def _has(metric: Metric) -> bool:
    return bool(metric.data.data_points)


def _route(number: int) -> dict[str, str | int]:
    return {
        "http.request.method": _METHODS[number % len(_METHODS)],
        "http.route": f"/{_GOODS[number % len(_GOODS)]}/{{id}}/{number // 40}",
        "http.response.status_code": _STATUSES[number % len(_STATUSES)],
        "network.protocol.version": "1.1",
        "url.scheme": "https",
    }


def _table(number: int) -> dict[str, str | int]:
    return {
        "db.system.name": "postgresql",
        "db.operation.name": _OPERATIONS[number % len(_OPERATIONS)],
        "db.collection.name": f"{_GOODS[number % len(_GOODS)]}_{number // 40}",
        "server.address": "database.internal",
    }


def _shelf(number: int) -> dict[str, str | int]:
    return {"shop.goods": _GOODS[number % len(_GOODS)], "shop.shelf": number}


def _durations(chance: random.Random, attributes: dict[str, str | int]) -> HistogramDataPoint:
    values = [min(chance.lognormvariate(-3.5, 1.0), 9.0) for _ in range(_REQUESTS_EACH)]
    latest = {bisect_left(_BOUNDS, value): value for value in values}
    counts = [0] * (len(_BOUNDS) + 1)
    for value in values:
        counts[bisect_left(_BOUNDS, value)] += chance.randrange(1, 100)
    return HistogramDataPoint(
        attributes=attributes,
        start_time_unix_nano=BEGAN,
        time_unix_nano=_COLLECTED,
        count=sum(counts),
        sum=sum(values) * 50,
        bucket_counts=counts,
        explicit_bounds=_BOUNDS,
        min=min(values),
        max=max(values),
        exemplars=[_exemplar(chance, latest[bucket]) for bucket in sorted(latest)],
    )


def _count(chance: random.Random, attributes: dict[str, str | int]) -> NumberDataPoint:
    exemplars: Sequence[Exemplar] = [_exemplar(chance, 1)]
    return NumberDataPoint(attributes, BEGAN, _COLLECTED, chance.randrange(100_000), exemplars)


def _number(chance: random.Random, attributes: dict[str, str | int]) -> NumberDataPoint:
    return NumberDataPoint(attributes, 0, _COLLECTED, chance.randrange(1_000))


def _exemplar(chance: random.Random, value: float) -> Exemplar:
    at = _COLLECTED - chance.randrange(60_000_000_000)
    return Exemplar({}, value, at, chance.getrandbits(64), chance.getrandbits(128))
