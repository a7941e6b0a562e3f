"""How a Gunicorn worker ends, and what has to happen for its queued spans to go out first.

As a rule Gunicorn calls ``worker_exit`` or the interpreter runs its exit handlers. A signal with its default
action runs neither (uvicorn's workers end so), nor does ``os._exit``.
"""

from __future__ import annotations

import contextlib
import faulthandler
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from types import CodeType, FrameType, FunctionType
from typing import TYPE_CHECKING

from .._base.log import say
from .._concurrency import hub
from .._concurrency.state_lock import holds_state_lock

if TYPE_CHECKING:
    from ..telemetry._lifecycle import Lifecycle

_ENDING = (signal.SIGABRT, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)
"""Signals that end a process by default."""
_LOOK = 0.25
"""Seconds between two looks at whether the worker goes on, once it has run for a while."""


def check_start(worker: object) -> None:
    """One WARNING where this worker will not call ``post_worker_init``, so that no telemetry starts."""
    for kind in type(worker).__mro__:
        method = vars(kind).get("init_process")
        if isinstance(method, FunctionType):
            if not kind.__module__.startswith("gunicorn.") and "init_process" not in _names(method):
                say(
                    logging.WARNING,
                    "no spans are exported: %s.init_process does not call Gunicorn's own init_process, "
                    "which calls post_worker_init",
                    kind.__qualname__,
                )
            return


def check_patch() -> None:
    """One WARNING where eventlet has patched this process."""
    patcher = sys.modules.get("eventlet.patcher")
    if patcher is not None and patcher.is_monkey_patched("thread"):
        say(
            logging.WARNING,
            "eventlet is not supported: exports may hold up its hub, and what is queued at the end may be "
            "lost; Gunicorn's gevent and gthread workers are supported",
        )


def prepare_end(worker: object, lifecycle: Lifecycle) -> None:
    """Have telemetry flushed or stopped before `worker` ends, in whatever way that can be seen coming.

    To be called on the main thread, once the worker has its signal handlers.
    """
    skips_exit = _calls_os_exit(type(worker))
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
                # The fault handler's own, which dumps the stacks, is not to be seen here.
                if number != signal.SIGABRT or not faulthandler.is_enabled():
                    _set(number, _stopping(lifecycle))
            elif callable(handler) and (
                # Gunicorn's arbiter sends this to a worker that hangs, and SIGKILL a second later.
                number == signal.SIGABRT or skips_exit or "_exit" in _names(handler)
            ):
                _set(number, _flushing(lifecycle, handler))
    _watch(worker, lifecycle)


Handler = Callable[[int, FrameType | None], object]


def _set(number: signal.Signals, handler: Handler) -> None:
    def handle(number: int, frame: FrameType | None) -> None:
        if holds_state_lock():  # what the handler would wait for waits for that lock
            hub.run_soon(partial(os.kill, os.getpid(), number))
        else:
            handler(number, frame)

    signal.signal(number, handle)
    signal.siginterrupt(number, False)  # as Gunicorn's own, which are not to disturb requests


def _stopping(lifecycle: Lifecycle) -> Handler:
    """In place of the default action: stop first, then the default action."""

    def handle(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_IGN)  # a second one would end the process in the middle of it

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
    """Before a handler after which there may be no time."""

    def handle(number: int, frame: FrameType | None) -> None:
        lifecycle.flush()
        handler(number, frame)

    return handle


def _watch(worker: object, lifecycle: Lifecycle) -> None:
    """Export what is queued while the last requests run, which may take all of ``graceful_timeout``.

    Gunicorn's workers say in `alive` whether they go on accepting; one that does not say so is not watched.
    """

    def watch() -> None:
        handled, pause = True, 0.01
        while worker.alive:  # type: ignore[attr-defined]
            if handled and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL and lifecycle.exporters:
                handled = False
                say(
                    logging.WARNING,
                    "SIGTERM ends this %s at once, since somebody has taken its handler away after "
                    "post_worker_init: what is queued then is lost",
                    type(worker).__qualname__,
                )
            time.sleep(pause)
            pause = min(2 * pause, _LOOK)
        lifecycle.flush()

    if lifecycle.exporters and getattr(worker, "alive", False):
        with contextlib.suppress(RuntimeError):  # no thread to be had: worker_exit does it all, then
            threading.Thread(target=watch, name="breaker-exporter-stop", daemon=True).start()


def _calls_os_exit(kind: type) -> bool:
    return any("_exit" in _names(value) for each in kind.__mro__ for value in vars(each).values())


def _names(function: object) -> set[str]:
    """The names that a function's code uses, and that of functions inside it."""
    code = getattr(function, "__code__", None)
    found: set[str] = set()
    left = [code] if isinstance(code, CodeType) else []
    while left:
        code = left.pop()
        found.update(code.co_names)
        left += [each for each in code.co_consts if isinstance(each, CodeType)]
    return found
