"""The two services of a run, and the variables that they run with."""

from __future__ import annotations

from pathlib import Path

from .._harness.official import ALL_SIGNALS
from .._harness.processes import Child, start_service
from .._harness.work import LOG_RECORDS_VARIABLE, SERIES_VARIABLE
from ..testing import FaultyCollector
from .plan import LOG_RECORDS_PER_REQUEST, METRICS_EVERY, OURS, Plan

GRACE = 10
"""Seconds that Gunicorn gives a worker to stop."""


def start(
    name: str, plan: Plan, collector: FaultyCollector, directory: Path, kept: Path
) -> tuple[Child, int]:
    """Start the service called `name`; return its process and its port.

    Args:
        name: The contender.
        plan: The plan of the run.
        collector: Its collector.
        directory: Directory for its output; made here.
        kept: An existing directory to keep batches in, where the plan kills workers.
    """
    return start_service(
        *(directory, variables(name, plan, collector, kept), f"{__package__}.conf_{name}"),
        f"{__package__}.app:app",
        *("--worker-class", "gevent", "--workers", "1", "--graceful-timeout", str(GRACE)),
    )


def variables(name: str, plan: Plan, collector: FaultyCollector, kept: Path) -> dict[str, str]:
    """Return the variables of the service called `name`."""
    is_grpc = plan.protocol == "grpc"
    return {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.grpc_endpoint if is_grpc else collector.http_base,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc" if is_grpc else "http/protobuf",
        "OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED": "true",
        "OTEL_METRIC_EXPORT_INTERVAL": f"{METRICS_EVERY * 1000:g}",
        LOG_RECORDS_VARIABLE: str(LOG_RECORDS_PER_REQUEST),
        SERIES_VARIABLE: "2",
        **(ALL_SIGNALS if name == OURS else {}),
        **({"BREAKER_EXPORTER_RETAIN_DIRECTORY": str(kept)} if plan.kill and name == OURS else {}),
        **plan.environment[name],
    }
