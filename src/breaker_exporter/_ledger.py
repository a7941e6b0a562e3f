"""What became of every span, and who is told of it: counts, log lines, listeners.

The counts are guarded by their owner's lock; announcing happens outside every lock.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable

from ._log import say
from ._state import CircuitState, CircuitTransition

Listener = Callable[[CircuitTransition], object]


class Ledger:
    """Counts of spans: each that is received ends in exactly one of exported, failed, refused (P3)."""

    def __init__(self) -> None:
        self.received = 0
        self.exported = 0
        self.failed = 0
        self.refused = 0
        self.lost_since_success = 0
        self.last_error: str | None = None
        self.last_success_at: float | None = None
        self.last_failure_at: float | None = None
        self._rejections = 0

    @property
    def in_flight(self) -> int:
        return self.received - self.exported - self.failed - self.refused

    def receive(self, spans: int) -> None:
        self.received += spans

    def settle(self, exported: int, failed: int, reason: str, *, lived: bool) -> None:
        """What became of a batch; `lived` is whether the backend did its work."""
        self.exported += exported
        if lived:
            self.lost_since_success = 0
        if exported or (lived and not failed):
            self.last_success_at = time.time()
        if failed or not lived:
            self.fail(failed, reason)

    def count_rejection(self, *, is_one: bool) -> int:
        """How many batches in a row the backend has rejected, this one included."""
        self._rejections = self._rejections + 1 if is_one else 0
        return self._rejections

    def fail(self, spans: int, reason: str) -> None:
        self.failed += spans
        self.lost_since_success += spans
        self.last_error = reason
        self.last_failure_at = time.time()

    def refuse(self, spans: int) -> None:
        self.refused += spans
        self.lost_since_success += spans


class Announcer:
    """Tells log and listeners of transitions, in order, one teller at a time.

    Args:
        name: The exporter's name.
        listeners: Called with each transition; one that raises is logged and hurts nobody (C8).
    """

    def __init__(self, name: str, listeners: Iterable[Listener], outage_began: float | None = None) -> None:
        self._name = name
        self._listeners = tuple(listeners)
        self._pending: deque[tuple[CircuitTransition, int, int]] = deque()
        self._telling = threading.Lock()
        self._outage_began = outage_began

    def forked(self) -> Announcer:
        """For a forked child: the same listeners, an outage that goes on, nothing pending."""
        return Announcer(self._name, self._listeners, self._outage_began)

    def add(self, transition: CircuitTransition, *, refused: int, lost: int) -> None:
        """Note a transition, with the spans refused so far and those lost since the last success."""
        self._pending.append((transition, refused, lost))

    def announce(self) -> None:
        """Tell what is pending. Whoever comes while another tells leaves it to that one."""
        while self._pending and self._telling.acquire(blocking=False):
            try:
                while self._pending:
                    transition, refused, lost = self._pending.popleft()
                    self._log(transition, refused, lost)
                    self._call_listeners(transition)
            finally:
                self._telling.release()

    def _log(self, transition: CircuitTransition, refused: int, lost: int) -> None:
        if transition.new is CircuitState.OPEN and self._outage_began is None:
            self._outage_began = time.monotonic()
            say(
                logging.WARNING,
                "%s: circuit opened after %d consecutive failures, the last: %s; "
                "%d spans refused so far; next probe within %.3g s",
                self._name,
                transition.consecutive_failures,
                transition.reason,
                refused,
                transition.cooldown,
            )
        elif transition.new is CircuitState.CLOSED and self._outage_began is not None:
            outage = time.monotonic() - self._outage_began
            self._outage_began = None
            say(logging.INFO, "%s: circuit closed after %.1f s; %d spans were lost", self._name, outage, lost)
        else:
            say(
                logging.DEBUG,
                "%s: circuit %s -> %s: %s; cooldown %.3g s",
                self._name,
                transition.old.value,
                transition.new.value,
                transition.reason,
                transition.cooldown,
            )

    def _call_listeners(self, transition: CircuitTransition) -> None:
        errors = []
        for listener in self._listeners:
            try:
                listener(transition)
            except Exception as error:
                errors.append(error)
        if errors:
            say(
                logging.WARNING,
                "%s: %d of %d listeners raised at %s -> %s, the first:",
                self._name,
                len(errors),
                len(self._listeners),
                transition.old.value,
                transition.new.value,
                cause=errors[0],
            )
