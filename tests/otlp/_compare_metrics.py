"""Requests of metrics compared by what a collector reads in them, and the official encoder's view of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.sdk.metrics.export import Metric, MetricsData, ResourceMetrics, ScopeMetrics
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from breaker_exporter.otlp._encode.batch import Encoded
from breaker_exporter.otlp._encode.metrics import encode_metrics as encode_directly

from ._compare import _ByIdentity

RESOURCE = Resource({"service.name": "shop"}, "https://schema/resource")
SCOPE = InstrumentationScope("tests", "1.0", "https://schema/scope", {"k": True})


def of(*metrics: Metric, resource: Any = RESOURCE, scope: Any = SCOPE) -> MetricsData:
    """Return metrics of one resource and scope."""
    return MetricsData([ResourceMetrics(resource, [ScopeMetrics(scope, metrics, "")], "")])


def read(body: bytes) -> bytes:
    """Return `body` as protobuf writes what it read: comparable; NaN, -0.0 and unknown fields too."""
    return bytes(ExportMetricsServiceRequest.FromString(body).SerializeToString(deterministic=True))


def encoded(metrics_data: MetricsData, limit: int = 0) -> Encoded:
    """Return metrics encoded by this package."""
    return encode_directly(metrics_data, limit, lambda: None)


def body_of(metrics_data: MetricsData) -> bytes:
    """Return the body of their one request; empty where there is none."""
    return b"".join([request.body for request in encoded(metrics_data).requests])


def official(metrics_data: MetricsData) -> bytes:
    """Return what the official encoder makes of metrics."""
    return bytes(encode_metrics(metrics_data).SerializeToString())


def points_of(metrics: Sequence[Metric]) -> int:
    """Return the number of data points of metrics, those that are none included."""
    return sum(len(getattr(metric.data, "data_points", None) or ()) for metric in metrics)


def encodable(metrics_data: MetricsData) -> MetricsData:
    """Return what of it the official encoder can encode, each data point tried alone.

    Ours goes further where a resource has no hash and where there is no scope: there, the official one gets
    another with the same data.
    """
    return MetricsData(
        [
            ResourceMetrics(resource, scopes, "")
            for of_resource in metrics_data.resource_metrics
            for resource in [_hashable(of_resource.resource)]
            for scopes in [[good for one in of_resource.scope_metrics for good in _scope(resource, one)]]
            if scopes
        ]
    )


def _scope(resource: Resource, scope_metrics: ScopeMetrics) -> list[ScopeMetrics]:
    scope = scope_metrics.scope or InstrumentationScope("")
    if not _is_good(of(resource=resource, scope=scope)):
        return []
    return [ScopeMetrics(scope, [good for one in scope_metrics.metrics for good in _metric(one)], "")]


def _metric(metric: Metric) -> list[Metric]:
    points = getattr(metric.data, "data_points", None)
    if not points:
        return [metric] if _is_good(of(metric)) else []
    data: Any = metric.data
    alone = [replace(metric, data=replace(data, data_points=[point])) for point in points]
    good = [point for point, one in zip(points, alone, strict=True) if _is_good(of(one))]
    return [replace(metric, data=replace(data, data_points=good))] if good else []


def _is_good(metrics_data: MetricsData) -> bool:
    try:
        official(metrics_data)
    except Exception:
        return False
    return True


def _hashable(resource: Resource) -> Any:
    try:
        hash(resource)
    except TypeError:
        return _ByIdentity(resource)
    return resource


def assert_like_the_official(metrics_data: MetricsData) -> None:
    """Encode both ways, and compare by decoding; what is official's to leave out costs only itself."""
    good = encodable(metrics_data)
    batch = encoded(metrics_data)
    items, given = (
        sum(points_of(scoped.metrics) for of in one.resource_metrics for scoped in of.scope_metrics)
        for one in (good, metrics_data)
    )
    assert (batch.items, batch.left_out) == (items, given - items)
    assert read(body_of(metrics_data)) == (read(official(good)) if items else b"")
