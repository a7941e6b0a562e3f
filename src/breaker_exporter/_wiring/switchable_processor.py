"""The one span processor that a ``Telemetry`` adds to a provider, and a shutdown of all exporters in time.

A provider cannot remove a processor. So it gets one that passes spans on to the pipelines of this process:
a forked worker switches to pipelines of its own, and a stopped telemetry can start again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from opentelemetry.sdk.trace import SpanProcessor

from .._base import checks as check
from .._base.log import say
from .._base.redaction import origin
from .._concurrency import hub

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import ReadableSpan, Span

    from .pipeline import Pipeline


class SwitchableProcessor(SpanProcessor):
    """Passes spans on to the pipelines that it was switched to, if there are any."""

    def __init__(self) -> None:
        self._pipelines: tuple[Pipeline, ...] = ()
        self._shutdown_timeout = 0.0

    def switch_to(self, pipelines: tuple[Pipeline, ...], shutdown_timeout: float) -> None:
        """Pass spans on to these pipelines from now on.

        Args:
            pipelines: Where spans go.
            shutdown_timeout: Seconds that a shutdown by the provider may take.
        """
        self._shutdown_timeout = shutdown_timeout
        self._pipelines = pipelines

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        for pipeline in self._pipelines:
            pipeline.processor.on_start(span, parent_context)

    def on_end(self, span: ReadableSpan) -> None:
        for pipeline in self._pipelines:
            pipeline.processor.on_end(span)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Flush all pipelines side by side, within the time given.

        Returns:
            False where one was late, raised or said so itself, and where nobody may wait: on the hub
            greenlet, and in a signal handler that has interrupted what one of our locks guards.
        """
        pipelines = self._pipelines
        if hub.must_not_wait():
            return not pipelines
        flushed: list[bool] = []

        def flush(pipeline: Pipeline, left: float) -> None:
            flushed.append(pipeline.processor.force_flush(int(left * 1000)))

        seconds = check.budget(timeout_millis)
        side_by_side([partial(flush, each) for each in pipelines], seconds, "flush")
        return len(flushed) == len(pipelines) and all(flushed)

    def shutdown(self) -> None:
        self.close(self._shutdown_timeout)

    def close(self, seconds: float, beside: Iterable[Callable[[float], object]] = ()) -> None:
        """Shut down all pipelines and make the other calls, as :func:`shut_down` does."""
        pipelines, self._pipelines = self._pipelines, ()
        shut_down(pipelines, seconds, beside)


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
    calls: list[Callable[[float], object]] = [partial(_shut_down_one, each) for each in pipelines]
    side_by_side([*calls, *beside], seconds, "shutdown")
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


def _shut_down_one(pipeline: Pipeline, seconds: float) -> None:
    if pipeline.exporter:
        pipeline.exporter.begin_shutdown(seconds)
    pipeline.processor.shutdown()


def _logging_failure(call: Callable[[], object], purpose: str) -> None:
    try:
        call()
    except Exception as error:
        say(logging.WARNING, "a span processor's %s failed: %s", purpose, origin(error))
