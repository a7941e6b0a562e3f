"""Whether a worker that is told to stop has the time for it."""

from __future__ import annotations

from .._base import environment
from .conf import Conf
from .finding import Steps, broken, ok, warning
from .listening import InForce

_NOTICE = 1.0
"""Seconds within which a gevent worker notices a signal."""
_GRACEFUL_TIMEOUT = 30
"""Gunicorn's default, and Kubernetes' for the whole pod, in seconds."""
_LITTLE = 5.0
"""Seconds for requests below which something is wrong rather than tight."""


def examine(conf: Conf, force: InForce) -> Steps[None]:
    """The sum of what a stop takes, against what Gunicorn and Kubernetes give it."""
    shutdown = force.settings.shutdown_timeout
    graceful = conf.seen.get("graceful_timeout", _GRACEFUL_TIMEOUT)
    room = graceful - shutdown - _NOTICE
    whole = f"graceful_timeout {graceful:g} s - 1 s - shutdown_timeout {shutdown:g} s"
    advice = (
        f"raise graceful_timeout above the longest request + 1 s + {shutdown:g} s, or lower shutdown_timeout"
    )
    if room <= 0:
        yield broken(
            "stopping",
            f"{whole} leaves no time for any request: Gunicorn kills workers before their spans are out",
            advice,
        )
    elif room < _LITTLE:
        yield warning("stopping", f"{whole} leaves {room:g} s for the longest request", advice)
    else:
        yield ok("stopping", f"{whole} leaves {room:g} s for the longest request")
    timeout = conf.seen.get("timeout", 0)
    if 0 < timeout <= shutdown:
        yield warning(
            "stopping-worker-timeout",
            f"Gunicorn kills a worker silent for timeout = {timeout:g} s, and worker_exit may take "
            f"{shutdown:g} s",
            "raise timeout above shutdown_timeout: it counts while a worker ends for max_requests",
        )
    if environment.any_set(("KUBERNETES_SERVICE_HOST",)) and graceful >= _GRACEFUL_TIMEOUT:
        yield warning(
            "stopping-kubernetes",
            "this is Kubernetes, whose terminationGracePeriodSeconds is 30 unless set, and "
            f"graceful_timeout is {graceful:g} s",
            "preStop hook + graceful_timeout must be less than terminationGracePeriodSeconds, by a second "
            "or more",
        )
