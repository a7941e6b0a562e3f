"""Two lines wire OpenTelemetry into every worker; OTEL_* and BREAKER_EXPORTER_* configure it."""

from breaker_exporter.gunicorn import post_fork, post_worker_init, worker_exit

__all__ = ["post_fork", "post_worker_init", "worker_exit"]

worker_class = "gevent"
