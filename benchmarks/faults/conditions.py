"""The conditions of every cell: seconds of its phases, load, settings of both services."""

from __future__ import annotations

from breaker_exporter._harness.work import LOG_RECORDS_VARIABLE, SERIES_VARIABLE

WARM_UP = 1.0
HEALTHY, FAULTY, RECOVERING = 2.0, 4.0, 4.0
"""Seconds of the phases."""
IDLE = 0.5
"""Seconds from the end of the load to the end of a service that ends in the fault."""
RATE = 40.0
"""Requests a second to each of the two services, ten spans each."""

SETTINGS = {
    "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
    "OTEL_BSP_SCHEDULE_DELAY": "200",
    "BREAKER_EXPORTER_COOLDOWN": "1",
    "BREAKER_EXPORTER_MAX_COOLDOWN": "2",
    "BREAKER_EXPORTER_SHUTDOWN_TIMEOUT": "2",
}
"""Short times, so that an outage and the way back fit into a cell."""
OTHER_SIGNALS = {
    LOG_RECORDS_VARIABLE: "5",
    SERIES_VARIABLE: "20",
    "OTEL_BLRP_SCHEDULE_DELAY": "200",
    "OTEL_METRIC_EXPORT_INTERVAL": "500",
    "FAULTS_DEBUG": "1",
}
"""Variables besides, where log records and metrics are exported too."""
TIMEOUT, MAX_COOLDOWN, SHUTDOWN_TIMEOUT = 1.0, 2.0, 2.0
"""Seconds; the same values as numbers."""
