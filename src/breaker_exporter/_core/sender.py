"""Makes the calls for what waits, in a greenlet or on a thread of its own, for as long as something does.

States: *off* (nothing waits; no greenlet, thread or timer exists), *on* (it makes a step, or sleeps until the
next one or until it is woken), *stopped* (for good, by the shutdown). Killed, it is off, and the next
:meth:`Sender.wake` starts it again; one that came too late to be heard does so too.
"""

from __future__ import annotations

import contextvars
import logging
import os
import threading
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from .._base.log import say
from .._concurrency import hub
from .._concurrency.background import start_in_background
from .._concurrency.exporting import enter_export
from .._concurrency.fork import renew_lock_in_child
from .._concurrency.parker import Parker, new_parker
from .._concurrency.state_lock import new_state_lock
from .._concurrency.thrown import passing_on

Answer = TypeVar("Answer")

_AFTER_ERROR = 1.0
"""Seconds."""
_NOTHING = contextvars.Context()
"""A context that keeps nothing alive; copies of it are used."""


class Sender:
    """Makes steps until there is nothing more to do. A forked child makes its own.

    Args:
        name: The exporter's name.
        step: Makes one step, and returns the seconds until the next one is due, or ``None`` where nothing
            is left to do.

    """

    def __init__(self, name: str, step: Callable[[], float | None]) -> None:
        self._name = name
        self._step = step
        self._context = _NOTHING
        self._pid = os.getpid()
        self._worker: object = None  # of the greenlet or thread that is on
        self._is_woken = False
        self._is_stopped = False
        self._said_broken = False
        self._parker: Parker | None = None
        self._caller: object = None
        self.lock = self._new_lock()
        renew_lock_in_child(self)

    def wake(self) -> bool:
        """Have the next step made now.

        Returns:
            False where it was stopped, or where no thread can be started.
        """
        with self.lock:
            if self._is_stopped:
                return False
            self._is_woken = True
            is_on, parker, context = self._worker is not None, self._parker, self._context
            worker = self._worker = self._worker or object()
        if is_on:
            if parker is not None:
                parker.unpark()
            return True
        is_started = False
        try:
            start_in_background(partial(self._work, worker), context.copy(), partial(self._ended, worker))
            is_started = True
        except RuntimeError:
            return False
        finally:  # also where the caller was interrupted
            if not is_started:
                self._ended(worker)
        return True

    def use_context(self, context: contextvars.Context) -> None:
        """Run the steps in a copy of this context, from the sender's next start on."""
        with self.lock:
            self._context = context

    def forget_context(self, has_nothing: Callable[[], bool]) -> None:
        """Keep nothing of the application alive, where there is nothing to make a step for.

        Args:
            has_nothing: Says so. What comes in after it was asked has set a context of its own, which stays.
        """
        before = self._context
        if has_nothing():
            with self.lock:
                if self._context is before:
                    self._context = _NOTHING

    def run(self, call: Callable[[], Answer]) -> Answer:
        """Make a call in a copy of the context that steps are made in."""
        return self._context.copy().run(call)

    def is_here(self) -> bool:
        """True in code that a step runs."""
        return self._caller is not None and self._caller == hub.caller()

    def stop(self) -> None:
        """Make no further step. One that is being made is not waited for."""
        self._is_stopped = True
        if (parker := self._parker) is not None:
            parker.unpark()

    def _work(self, worker: object) -> None:
        parker = self._parker = new_parker()
        self._caller = hub.caller()
        enter_export()
        try:
            with passing_on():
                while not self._is_stopped and os.getpid() == self._pid:
                    self._is_woken = False
                    wait = self._stepped()
                    if wait is None and self._is_over(worker):
                        return
                    if wait and not self._is_woken:
                        parker.park(wait)
        except BaseException:
            self._ended(worker)
            if self._is_woken and os.getpid() == self._pid:  # since its last step: nobody else hears of that
                self.wake()
            raise

    def _stepped(self) -> float | None:
        try:
            return self._step()
        except Exception as error:  # of a given breaker, its storage, or a clock
            if not self._said_broken:
                self._said_broken = True
                text = "%s: what is kept could not be sent; trying again every second"
                say(logging.WARNING, text, self._name, cause=error)
            return _AFTER_ERROR

    def _is_over(self, worker: object) -> bool:
        """True where it is off now; false where it was woken since its last step."""
        with self.lock:
            if not self._is_woken:
                self._ended(worker)
            return not self._is_woken

    def _ended(self, worker: object) -> None:
        """It is off, whatever ended it; unless it was started again meanwhile."""
        with self.lock:
            if self._worker is worker:
                self._worker = self._parker = self._caller = None

    def _new_lock(self) -> threading.RLock:
        return new_state_lock()
