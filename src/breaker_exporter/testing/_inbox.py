"""What the collector has received: items of each signal, Sentry items, requests and connections, counted."""

from __future__ import annotations

import asyncio
import json
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import asdict
from functools import partial

from ._arrivals import Arrivals, Source
from ._envelope import opened
from ._fault_settings import FaultSetting
from ._faults import Signal
from ._messages import MESSAGES
from ._shown import plain
from ._taken import LATEST, Malformed, Taken
from ._values import ReceivedSentryItem


class Inbox:
    """Items and counts; a change wakes all that wait for one. One event loop uses it, so no lock.

    Args:
        arrivals: Counts by source and service, too; tests do without, and taking items is cheaper.
    """

    def __init__(self, arrivals: Arrivals | None = None) -> None:
        self._arrivals = arrivals
        self._changed = asyncio.Event()
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._taken = {signal: Taken(signal) for signal in Signal}
        self._bodies: set[str] = set()
        self._latest_items: deque[ReceivedSentryItem] = deque(maxlen=LATEST)
        self._items: Counter[str] = Counter()
        self._requests = 0
        self._connections = 0
        if self._arrivals is not None:
            self._arrivals.clear()

    def note_connection(self) -> None:
        """Count an accepted connection."""
        self._connections += 1
        self._wake()

    def note_requests(self, count: int) -> None:
        """Count export requests that began."""
        self._requests += count
        self._wake()

    def note_refusal(self, status: int, reason: str) -> None:
        """Count a request that its sender got wrong."""
        if self._arrivals is not None:
            self._arrivals.note_refusal(status, reason)

    def take(
        self, signal: Signal, body: bytes, setting: FaultSetting, source: Source = Source.COLLECTOR
    ) -> bytes:
        """Take the items of a request of `signal`, and return the response's message.

        Args:
            signal: The signal whose request it is.
            body: The request.
            setting: The fault in force; a partial success rejects some of the items.
            source: The address that it was sent to.

        Raises:
            Malformed: `body` is no such request; nothing was taken.
        """
        records, message = self._taken[signal].take(body, setting, source)
        if self._arrivals is not None:
            self._arrivals.note(source, signal, records)
        if signal is Signal.LOGS:
            self._bodies.update(_as_text(plain(record.body)) for *_, record in records)
        self._wake()
        return message

    def take_envelope(self, body: bytes) -> str | None:
        """Take all items of a Sentry envelope, and return its event id if it has one.

        Raises:
            Malformed: ``body`` is no such envelope; nothing was taken.
        """
        try:
            envelope = opened(body)
        except ValueError as error:
            raise Malformed(str(error)) from None
        self._items.update(item.kind for item in envelope.items)
        self._latest_items.extend(envelope.items)
        if self._arrivals is not None:
            self._arrivals.note_envelope(envelope.items)
        self._wake()
        return envelope.event_id

    async def wait_for(self, what: str, count: int, timeout: float, kind: str | None = None) -> bool:
        """Wait until the count called ``what`` is at least ``count``; ``False`` after ``timeout`` seconds.

        Of ``sentry_items`` only those of ``kind`` count, where one is given.
        """
        counts: dict[str, Callable[[], int]] = {
            "requests": lambda: self._requests,
            "connections": lambda: self._connections,
            "sentry_items": lambda: self._items.total() if kind is None else self._items[kind],
        }
        for signal, messages in MESSAGES.items():
            counts[messages.items] = partial(_different, self._taken[signal])
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while counts[what]() < count:
            try:
                await asyncio.wait_for(self._changed.wait(), deadline - loop.time())
            except TimeoutError:
                return False
        return True

    def counts(self) -> dict[str, int]:
        """Return the counts alone."""
        counts = {"requests": self._requests, "connections": self._connections}
        for signal, messages in MESSAGES.items():
            taken = self._taken[signal]
            counts |= {messages.items: taken.count, f"duplicate_{messages.items}": taken.duplicates}
        return {**counts, "sentry_items": self._items.total()}

    def span_ids(self) -> list[str]:
        """Return the ids of all spans taken, in hex digits."""
        return list({span_id.hex() for _, span_id in self._taken[Signal.TRACES].identities})

    def log_bodies(self) -> list[str]:
        """Return the bodies of all log records taken; one that is no text as JSON."""
        return list(self._bodies)

    def latest(self, signal: Signal) -> list[dict[str, object]]:
        """Return the latest items of `signal`, oldest first, ready for JSON."""
        return self._taken[signal].latest()

    def latest_sentry_items(self) -> list[dict[str, object]]:
        """Return the latest items of Sentry envelopes, likewise."""
        return [asdict(item) for item in self._latest_items]

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


def _different(taken: Taken) -> int:
    return len(taken.identities)


def _as_text(body: object) -> str:
    return body if isinstance(body, str) else json.dumps(body)
