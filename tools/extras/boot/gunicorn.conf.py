"""README's line; the command line has the worker class."""

from breaker_exporter.gunicorn import post_fork, post_worker_init, worker_exit

__all__ = ["post_fork", "post_worker_init", "worker_exit"]
