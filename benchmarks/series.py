"""The metrics that single steps are measured with: counters, histograms and gauges of a web service."""

from __future__ import annotations

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, MetricsData
from opentelemetry.sdk.resources import Resource

_SERIES = 10
"""Series of each route: three counters, four histograms, three gauges."""


def usual(series: int) -> MetricsData:
    """Return counters, histograms of 15 bounds and gauges with three to five attributes each."""
    reader = InMemoryMetricReader()
    resource = Resource.create({"service.name": "shop"})
    provider = MeterProvider([reader], resource=resource, shutdown_on_exit=False)
    web, database = provider.get_meter("flask", "1.0"), provider.get_meter("sqlalchemy", "1.0")
    counters = [
        web.create_counter(f"http.server.{name}", "1", "Counted") for name in ("calls", "bytes", "hits")
    ]
    histograms = [
        meter.create_histogram(f"{name}.duration", "s", "How long it took")
        for meter, name in (
            (web, "http.server"),
            (web, "http.client"),
            (database, "db.call"),
            (database, "db.wait"),
        )
    ]
    gauges = [
        database.create_gauge(f"db.pool.{name}", "1", "Connections") for name in ("used", "idle", "most")
    ]
    for number in range(series):
        route, at = divmod(number, _SERIES)
        attributes = {
            "http.request.method": "GET" if route % 3 else "POST",
            "http.route": f"/goods/{route}",
            "http.response.status_code": 200 + route % 5,
            "server.address": "shop.example",
        }
        if at < 3:
            counters[at].add(route + 1, attributes)
        elif at < 7:
            for value in (0.5 * route, 3, 12.5, 700.0):
                histograms[at - 3].record(value, {**attributes, "is_cached": route % 2 == 0})
        else:
            gauges[at - 7].set(route / 4, {"pool": f"pool {route}", "state": "used", "server.port": 5432})
    found = reader.get_metrics_data()
    assert found is not None
    return found
