"""Three hooks wire OpenTelemetry into every worker; the environment says which signals, and where to."""

from breaker_exporter.gunicorn import post_fork, post_worker_init, worker_exit

__all__ = ["post_fork", "post_worker_init", "worker_exit"]

worker_class = "gevent"
