"""Flushes and shutdowns of pipelines of any signal, side by side and in time."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from .._base.log import say
from .._base.redaction import origin
from .._concurrency import hub

if TYPE_CHECKING:
    from .pipeline import Pipeline


def flush(pipelines: Sequence[Pipeline], seconds: float) -> bool:
    """Flush all pipelines side by side, within `seconds`.

    Returns:
        False where one was late, raised or said so itself, and where nobody may wait: on the hub
        greenlet, and in a signal handler that has interrupted what one of our locks guards.
    """
    if hub.must_not_wait():
        return not pipelines
    flushed: list[bool] = []

    def flush_one(pipeline: Pipeline, left: float) -> None:
        flushed.append(pipeline.processor.force_flush(int(left * 1000)))

    side_by_side([partial(flush_one, each) for each in pipelines], seconds, "flush")
    return len(flushed) == len(pipelines) and all(flushed)


def shut_down(
    pipelines: Iterable[Pipeline], seconds: float, beside: Iterable[Callable[[float], object]] = ()
) -> None:
    """Export what is queued in all pipelines and shut them down, side by side, within `seconds`.

    Where no thread can start, at interpreter exit from Python 3.12 on, one follows the other, and each may
    take its share of the time that is left: a dead backend does not use up what a healthy one needs.

    Args:
        pipelines: The pipelines to shut down.
        seconds: The time for all together.
        beside: Further calls to make beside them, each with the seconds that it may take.
    """
    pipelines = tuple(pipelines)
    side_by_side([*(each.shut_down for each in pipelines), *beside], seconds, "shutdown")
    for pipeline in pipelines:
        if pipeline.exporter:
            pipeline.exporter._say_stopped()  # a shutdown that is late has not logged it yet


def side_by_side(calls: Sequence[Callable[[float], object]], seconds: float, purpose: str) -> None:
    """Make the calls, each with the seconds it may take, and wait for all of them no longer than `seconds`.

    Where no thread can start, one follows the other, and each may take its share of what is left.
    """
    deadline = time.monotonic() + seconds
    threads: list[threading.Thread] = []
    for done, call in enumerate(calls):
        left = max(0.0, deadline - time.monotonic())
        # After gevent's patch it is a greenlet.
        target = partial(_logging_failure, partial(call, left), purpose)
        thread = threading.Thread(target=target, name=f"breaker-exporter-{purpose}", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            _logging_failure(partial(call, left / (len(calls) - done)), purpose)
        else:
            threads.append(thread)
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))


def _logging_failure(call: Callable[[], object], purpose: str) -> None:
    try:
        call()
    except Exception as error:
        say(logging.WARNING, "a processor's %s failed: %s", purpose, origin(error))
