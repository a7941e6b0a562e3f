"""Writes log lines that an operator can act on, and calls listeners.

Outside every lock, in order, by one caller at a time.
"""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple

from .._base.log import Line, counted, say
from .._base.values import PROBE_CANCELLED, CircuitState, CircuitTransition
from .._concurrency import hub
from .drops import of_them_dropped

Listener = Callable[[CircuitTransition], object]


class _Told(NamedTuple):
    """A transition, with the items lost in the outage so far and the time on the circuit's clock.

    Those kept: ``None`` where nothing is.
    """

    transition: CircuitTransition
    lost: int
    dropped: int
    kept: int | None
    now: float


class Announcer:
    """Queues lines and transitions under the owner's lock, and announces them outside of it.

    Args:
        name: Returns the exporter's name and destination; called when a line is due.
        unit: The name of an item, in the plural.
        listeners: Called with each transition; the error of one that raises is logged (C8).
        outage_began: Time on the circuit's clock at which it opened, where it is open already.
    """

    def __init__(
        self,
        name: Callable[[], str],
        unit: str,
        listeners: Iterable[Listener],
        outage_began: float | None = None,
    ) -> None:
        self._name = name
        self._unit = unit
        self._listeners = tuple(listeners)
        self._pid = os.getpid()
        self._pending: deque[_Told | Line] = deque()
        self._telling = threading.Lock()
        self._outage_began = outage_began

    def forked(self) -> Announcer:
        """For a forked child: the same listeners, an outage that goes on, nothing pending."""
        return Announcer(self._name, self._unit, self._listeners, self._outage_began)

    def add(
        self, transition: CircuitTransition, *, lost: int, dropped: int, kept: int | None, now: float
    ) -> None:
        """Queue a transition.

        Args:
            transition: What has changed.
            lost: Items lost in the outage so far.
            dropped: Number of these that were kept before.
            kept: Items kept for another call; ``None`` where nothing is ever kept.
            now: Time on the circuit's clock.
        """
        self._pending.append(_Told(transition, lost, dropped, kept, now))

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
                while self._pending:
                    told = self._pending.popleft()
                    if isinstance(told, Line):
                        self._say(told)
                    else:
                        self._say(self._line_of(told))
                        self._call_listeners(told.transition)
            finally:
                self._telling.release()

    def _say(self, line: Line) -> None:
        say(line.level, "%s: " + line.text, self._name(), *line.args)

    def _line_of(self, told: _Told) -> Line:
        transition, lost, dropped, kept, now = told
        items = counted(lost, self._unit) if kept is None else f"{counted(kept, self._unit)} kept, {lost}"
        then = "exports are refused" if kept is None else "what comes is kept"
        if transition.new is CircuitState.OPEN and self._outage_began is None:
            self._outage_began = now
            return Line(
                logging.WARNING,
                "circuit opened: %s (failure %d in a row); %s lost so far in this outage; "
                "%s, next probe within %.3g s",
                (transition.reason, transition.consecutive_failures, items, then, transition.cooldown),
            )
        if transition.new is CircuitState.CLOSED and self._outage_began is not None:
            outage = now - self._outage_began
            self._outage_began = None
            if kept:
                items = f"{counted(kept, self._unit)} kept, replaying them; {lost}"
            text = "circuit closed after %.1f s; %s lost in this outage%s"
            return Line(logging.WARNING, text, (outage, items, of_them_dropped(dropped)))
        is_failed_probe = transition.new is CircuitState.OPEN and transition.reason != PROBE_CANCELLED
        if is_failed_probe and self._outage_began is not None:
            return Line(
                logging.INFO,
                "probe failed: %s; %s lost so far in this outage of %.1f s; next probe within %.3g s",
                (transition.reason, items, now - self._outage_began, transition.cooldown),
            )
        return Line(
            logging.DEBUG,
            "circuit %s -> %s: %s; cooldown %.3g s",
            (transition.old, transition.new, transition.reason, transition.cooldown),
        )

    def _call_listeners(self, transition: CircuitTransition) -> None:
        errors: list[BaseException] = []
        for listener in self._listeners:
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
                len(self._listeners),
                transition.old,
                transition.new,
                cause=errors[0],
            )
