"""Writes log lines that an operator can act on, and calls listeners.

Outside every lock, in order, by one caller at a time.
"""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from .._base.log import Line, say, say_and_export
from .._base.values import PROBE_CANCELLED, CircuitState, CircuitTransition
from .._concurrency import hub
from .._concurrency.exporting import not_exporting
from .drops import of_them_dropped
from .toll import Toll, at_last, so_far, what_happens

Listener = Callable[[CircuitTransition], object]


class _Told(NamedTuple):
    """A transition, what its outage has cost, and the time on the circuit's clock."""

    transition: CircuitTransition
    tolls: Callable[[], Sequence[Toll]]
    now: float


class Announcer:
    """Queues lines and transitions under the owner's lock, and announces them outside of it.

    Args:
        name: Returns the exporter's name and destination; called when a line is due.
        listeners: Returns those that are called with each transition; the error of one that raises is logged
            (C8).
        outage_began: Time on the circuit's clock at which it opened, where it is open already.

    Attributes:
        listeners: The same.
        outage_began: The same, as far as announced.
    """

    def __init__(
        self,
        name: Callable[[], str],
        listeners: Callable[[], Sequence[Listener]],
        outage_began: float | None = None,
    ) -> None:
        self._name = name
        self.listeners = listeners
        self._pid = os.getpid()
        self._pending: deque[_Told | Line] = deque()
        self._telling = threading.Lock()
        self.outage_began = outage_began

    def forked(self) -> Announcer:
        """For a forked child: the same listeners, an outage that goes on, nothing pending."""
        return Announcer(self._name, self.listeners, self.outage_began)

    @property
    def is_pending(self) -> bool:
        """True where something is to be announced."""
        return bool(self._pending)

    def add(self, transition: CircuitTransition, tolls: Callable[[], Sequence[Toll]], now: float) -> None:
        """Queue a transition.

        Args:
            transition: What has changed.
            tolls: Returns what the outage has cost so far; called outside every lock.
            now: Time on the circuit's clock.
        """
        self._pending.append(_Told(transition, tolls, now))

    def add_line(self, line: Line) -> None:
        """Queue a line."""
        self._pending.append(line)

    def announce(self) -> None:
        """Announce what is queued, unless another caller is doing so: then it announces this too.

        Does nothing where a copy of a parent's caller comes here in a forked child: its losses are the
        parent's (R5).
        """
        if os.getpid() != self._pid:
            return
        while self._pending and self._telling.acquire(blocking=False):
            try:
                with not_exporting():
                    self._announce_pending()
            finally:
                self._telling.release()

    def _announce_pending(self) -> None:
        while self._pending:
            told = self._pending.popleft()
            if isinstance(told, Line):
                self._say(told)
            else:
                self._say(self._line_of(told))
                self._call_listeners(told.transition)

    def _say(self, line: Line) -> None:
        write = say_and_export if line.is_exported else say
        write(line.level, "%s: " + line.text, self._name(), *line.args)

    def _line_of(self, told: _Told) -> Line:
        transition, tolls, now = told.transition, told.tolls(), told.now
        if transition.new is CircuitState.OPEN and self.outage_began is None:
            self.outage_began = now
            return Line(
                logging.WARNING,
                "circuit opened: %s (failure %d in a row); %s lost so far in this outage; "
                "%s, next probe within %.3g s",
                (
                    transition.reason,
                    transition.consecutive_failures,
                    so_far(tolls),
                    what_happens(tolls),
                    transition.cooldown,
                ),
                is_exported=True,
            )
        if transition.new is CircuitState.CLOSED and self.outage_began is not None:
            outage = now - self.outage_began
            self.outage_began = None
            dropped = of_them_dropped(sum(toll.dropped for toll in tolls))
            text = "circuit closed after %.1f s; %s lost in this outage%s"
            return Line(logging.WARNING, text, (outage, at_last(tolls), dropped), is_exported=True)
        is_failed_probe = transition.new is CircuitState.OPEN and transition.reason != PROBE_CANCELLED
        if is_failed_probe and self.outage_began is not None:
            return Line(
                logging.INFO,
                "probe failed: %s; %s lost so far in this outage of %.1f s; next probe within %.3g s",
                (transition.reason, so_far(tolls), now - self.outage_began, transition.cooldown),
            )
        return Line(
            logging.DEBUG,
            "circuit %s -> %s: %s; cooldown %.3g s",
            (transition.old, transition.new, transition.reason, transition.cooldown),
        )

    def _call_listeners(self, transition: CircuitTransition) -> None:
        errors: list[BaseException] = []
        listeners = self.listeners()
        for listener in listeners:
            try:
                listener(transition)
            except Exception as error:
                errors.append(error)
            except SystemExit as error:
                # It may be a signal handler's where there are signals. Elsewhere it would end the thread of a
                # processor, and with it all exports, without a word.
                if hub.is_cooperative() or threading.current_thread() is threading.main_thread():
                    raise
                errors.append(error)
        if errors:
            say(
                logging.WARNING,
                "%s: %d of %d listeners raised at %s -> %s, the first:",
                self._name(),
                len(errors),
                len(listeners),
                transition.old,
                transition.new,
                cause=errors[0],
            )
