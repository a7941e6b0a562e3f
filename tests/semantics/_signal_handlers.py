"""Signal handlers that run on the main thread as soon as a condition holds."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from ._waiting import start, until

if TYPE_CHECKING:
    from concurrent.futures import Future


class HandleWhen(Protocol):
    """Runs ``handler`` on the main thread, in a signal handler, as soon as ``condition`` holds.

    Returns the list that its answer will be in. The code that it interrupts gets what it raises.
    """

    def __call__(self, condition: Callable[[], object], handler: Callable[[], object]) -> list[object]: ...


@contextmanager
def handling() -> Iterator[HandleWhen]:
    """Send the signal until it is handled: one that comes just before the main thread blocks wakes nobody."""
    watching: list[Future[None]] = []

    def handle_when(condition: Callable[[], object], handler: Callable[[], object]) -> list[object]:
        answers: list[object] = []
        heard = threading.Event()

        def handle(*_: object) -> None:
            if not heard.is_set():
                heard.set()
                answers.append(handler())

        def watch() -> None:
            until(condition)
            while not heard.wait(0.02):
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)

        signal.signal(signal.SIGUSR1, handle)
        watching.append(start(watch))
        return answers

    before = signal.getsignal(signal.SIGUSR1)
    yield handle_when
    for watch in watching:
        watch.result(timeout=30)
    signal.signal(signal.SIGUSR1, before)
