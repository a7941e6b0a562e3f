"""The time that a worker has to stop, against what Gunicorn and Kubernetes give it."""

from __future__ import annotations

from ..._base import environment
from ..check import BROKEN, OK, WARNING, Check
from ..report import Steps, broken, ok, warning
from .configuration import Conf

CHECKS = (
    Check(
        "stopping",
        (OK, WARNING, BROKEN),
        "the time that the last requests of a worker have; a warning below 5 s, broken where there is none",
        "raise `graceful_timeout`, or lower `BREAKER_EXPORTER_SHUTDOWN_TIMEOUT`",
    ),
    Check(
        "stopping-worker-timeout",
        (WARNING,),
        "Gunicorn's `timeout` is no longer than the time that `worker_exit` may take, and ends it",
        "raise `timeout`",
    ),
    Check(
        "stopping-kubernetes",
        (WARNING,),
        "`graceful_timeout` is at least the 30 s that Kubernetes gives to a pod by default",
        "keep preStop hook and `graceful_timeout` below `terminationGracePeriodSeconds`",
    ),
)
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
    text = f"graceful_timeout {graceful:g} s - 1 s - shutdown_timeout {shutdown:g} s leaves"
    text += f" {room:g} s for the longest request" if room > 0 else " no time for any request: spans are lost"
    advice = (
        f"raise graceful_timeout above the longest request + {1 + shutdown:g} s, or lower shutdown_timeout"
    )
    if room < _LITTLE:
        yield (warning if room > 0 else broken)("stopping", text, advice)
    else:
        brief = f"a worker that ends has {room:g} s for its longest request"
        yield ok("stopping", text, brief="" if conf.path is None else brief)
    if 0 < conf.timeout <= shutdown:
        text = (
            f"Gunicorn kills a worker silent for timeout = {conf.timeout:g} s, worker_exit has {shutdown:g} s"
        )
        advice = "raise timeout above shutdown_timeout: it counts while a worker ends for max_requests"
        yield warning("stopping-worker-timeout", text, advice)
    if environment.any_set(("KUBERNETES_SERVICE_HOST",)) and graceful >= _GRACE_PERIOD:
        text = f"Kubernetes ends a pod after {_GRACE_PERIOD} s by default; graceful_timeout is {graceful:g} s"
        advice = (
            "keep preStop hook + graceful_timeout below terminationGracePeriodSeconds by a second or more"
        )
        yield warning("stopping-kubernetes", text, advice)
