"""The time that a worker has to stop, against what Gunicorn and Kubernetes give it."""

from __future__ import annotations

from ..._base import environment
from ..report import Steps, broken, ok, warning
from .configuration import Conf

_NOTICE = 1.0
"""Seconds within which a gevent worker notices a signal."""
_GRACE_PERIOD = 30
"""Seconds that Kubernetes gives to a whole pod by default."""
_LITTLE = 5.0
"""Seconds for requests below which something is wrong rather than tight."""


def examine(conf: Conf, shutdown: float) -> Steps[None]:
    """Find time limits that end a worker before its spans are out; `shutdown`: `shutdown_timeout`, in s."""
    graceful = conf.graceful_timeout
    room = graceful - shutdown - _NOTICE
    sums = f"graceful_timeout {graceful:g} s - 1 s - shutdown_timeout {shutdown:g} s leaves"
    advice = (
        f"raise graceful_timeout above the longest request + 1 s + {shutdown:g} s, or lower shutdown_timeout"
    )
    if room <= 0:
        text = f"{sums} no time for any request: Gunicorn kills workers before their spans are out"
        yield broken("stopping", text, advice)
    elif room < _LITTLE:
        yield warning("stopping", f"{sums} {room:g} s for the longest request", advice)
    else:
        yield ok("stopping", f"{sums} {room:g} s for the longest request")
    if 0 < conf.timeout <= shutdown:
        yield warning(
            "stopping-worker-timeout",
            f"Gunicorn kills a worker that is silent for timeout = {conf.timeout:g} s, and worker_exit may "
            f"take {shutdown:g} s",
            "raise timeout above shutdown_timeout: it counts while a worker ends for max_requests",
        )
    if environment.any_set(("KUBERNETES_SERVICE_HOST",)) and graceful >= _GRACE_PERIOD:
        yield warning(
            "stopping-kubernetes",
            f"Kubernetes ends a pod after terminationGracePeriodSeconds, {_GRACE_PERIOD} by default, and "
            f"graceful_timeout is {graceful:g} s",
            "keep preStop hook + graceful_timeout below terminationGracePeriodSeconds by a second or more",
        )
