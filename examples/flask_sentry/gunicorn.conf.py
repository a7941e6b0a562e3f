"""Three hooks wire OpenTelemetry and Sentry into every worker, in the order that works with gevent."""

from breaker_exporter.gunicorn import post_fork, post_worker_init, worker_exit

__all__ = ["post_fork", "post_worker_init", "worker_exit"]

worker_class = "gevent"
