"""The end of a Gunicorn worker: its queued spans are exported first.

As a rule Gunicorn calls ``worker_exit``, or the interpreter runs its exit handlers. A signal with its default
action does neither (uvicorn's workers end so), nor does ``os._exit``.
"""

from __future__ import annotations

import contextlib
import faulthandler
import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING

from .._base.log import say
from .._concurrency import hub
from .._concurrency.state_lock import holds_state_lock
from .worker_checks import calls_os_exit, names_used_by

if TYPE_CHECKING:
    from ..telemetry._lifecycle import Lifecycle

_ENDING = (signal.SIGABRT, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)
"""Signals that end a process by default."""
_FIRST_PAUSE = 0.01
_LONGEST_PAUSE = 0.25
"""Seconds between two checks whether the worker still accepts requests: they grow from the first to this."""

Handler = Callable[[int, FrameType | None], object]


def prepare_end(worker: object, lifecycle: Lifecycle) -> None:
    """Arrange that telemetry is flushed or stopped before `worker` ends, in every way that can be foreseen.

    To be called on the main thread, once the worker has installed its signal handlers.
    """
    skips_exit = calls_os_exit(type(worker))
    if skips_exit:
        say(
            logging.WARNING,
            "%s calls os._exit, which runs neither worker_exit nor exit handlers: spans that end after the "
            "worker was told to stop may be lost",
            type(worker).__qualname__,
        )
    with contextlib.suppress(ValueError):  # not the main thread
        for number in _ENDING:
            handler = signal.getsignal(number)
            if handler is signal.SIG_DFL:
                # faulthandler's own handler, which dumps the stacks, looks like the default action.
                if number != signal.SIGABRT or not faulthandler.is_enabled():
                    _install(number, _stopping(lifecycle))
            elif callable(handler) and (
                # Gunicorn's arbiter sends SIGABRT to a worker that hangs, and SIGKILL a second later.
                number == signal.SIGABRT or skips_exit or "_exit" in names_used_by(handler)
            ):
                _install(number, _flushing(lifecycle, handler))
    _flush_when_told_to_stop(worker, lifecycle)


def _install(number: signal.Signals, handler: Handler) -> None:
    def handle(number: int, frame: FrameType | None) -> None:
        if holds_state_lock():  # the handler would wait for that lock, which the interrupted code holds
            hub.run_soon(partial(os.kill, os.getpid(), number))
        else:
            handler(number, frame)

    signal.signal(number, handle)
    signal.siginterrupt(number, False)  # as Gunicorn's own handlers, which must not disturb requests


def _stopping(lifecycle: Lifecycle) -> Handler:
    """A handler that stops telemetry, and then takes the default action."""

    def handle(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_IGN)  # a second signal would end the process in the middle of it

        def end() -> None:
            lifecycle.stop()
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

        if hub.on_hub():  # which must not wait
            hub.run_soon(end)
        else:
            end()

    return handle


def _flushing(lifecycle: Lifecycle, handler: Handler) -> Handler:
    """A handler that flushes before it calls `handler`, after which there may be no time."""

    def handle(number: int, frame: FrameType | None) -> None:
        lifecycle.flush()
        handler(number, frame)

    return handle


def _flush_when_told_to_stop(worker: object, lifecycle: Lifecycle) -> None:
    """Export what is queued while the last requests run, which may take all of ``graceful_timeout``.

    The attribute `alive` of Gunicorn's workers tells whether they still accept requests. A worker that has no
    such attribute is left alone.
    """

    def watch() -> None:
        has_handler, pause = True, _FIRST_PAUSE
        while worker.alive:  # type: ignore[attr-defined]
            if has_handler and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL and lifecycle.exporters:
                has_handler = False
                say(
                    logging.WARNING,
                    "SIGTERM ends this %s at once, and queued spans are lost: its handler was removed after "
                    "post_worker_init. Keep the handler of Gunicorn's worker",
                    type(worker).__qualname__,
                )
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        lifecycle.flush()

    if lifecycle.exporters and getattr(worker, "alive", False):
        with contextlib.suppress(RuntimeError):  # no thread can start: worker_exit exports all of it then
            threading.Thread(target=watch, name="breaker-exporter-stop", daemon=True).start()
