"""What has arrived, by source, service and kind of item: the rows of the live table."""

from __future__ import annotations

import enum
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass

from ._faults import Signal
from ._messages import MESSAGES, Record
from ._values import ReceivedSentryItem

WINDOW = 5.0
"""Seconds that a rate is of."""
NO_NAME = "-"
"""The service of an item that names none."""
_LONGEST_NAME = 120
_ONCE = ("event", "transaction", "feedback")
"""Kinds of Sentry items of which one with the same event id is the same one again."""


class Source(enum.Enum):
    """The address that an item was sent to."""

    COLLECTOR = "collector"
    SENTRY_OTLP = "Sentry OTLP"
    SENTRY_ENVELOPE = "Sentry envelope"


@dataclass(frozen=True, slots=True)
class Row:
    """What has arrived of one kind, from one service, at one address.

    Attributes:
        source: The address.
        service: ``service.namespace/service.name``, or the name alone; of an envelope without one, the
            release.
        kind: ``spans``, ``log records`` or ``data points``; of an envelope, the item's type.
        items: Number of items, duplicates included.
        duplicates: Those that had arrived before at this address; ``None`` where nothing tells.
        rate: Items a second, over the latest 5 s.
        age: Seconds since the latest one.
    """

    source: Source
    service: str
    kind: str
    items: int
    duplicates: int | None
    rate: float
    age: float


class _Tally:
    def __init__(self) -> None:
        self.items = 0
        self.latest = 0.0
        self.identities: set[Hashable] = set()
        self.has_identities = True
        self._recent: deque[tuple[float, int]] = deque()

    def add(self, now: float, items: int) -> None:
        self.items += items
        self.latest = now
        self._recent.append((now, items))
        self._forget(now)

    def rate(self, now: float) -> float:
        self._forget(now)
        return sum(items for _, items in self._recent) / WINDOW

    def _forget(self, now: float) -> None:
        while self._recent and self._recent[0][0] <= now - WINDOW:
            self._recent.popleft()


class Arrivals:
    """Counts what arrives. One event loop uses it, so no lock.

    Args:
        clock: Returns seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tallies: dict[tuple[Source, str, str], _Tally] = {}
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._tallies.clear()
        self._began = self._clock()
        self._refused = 0
        self._refusal = ""

    @property
    def refused(self) -> int:
        """Number of requests that no fault refused, but their sender got wrong."""
        return self._refused

    @property
    def refusal(self) -> str:
        """The status and reason of the latest of them, or an empty string."""
        return self._refusal

    @property
    def seconds(self) -> float:
        """Time since the start, or since it was cleared."""
        return self._clock() - self._began

    def note(self, source: Source, signal: Signal, records: Iterable[Record]) -> None:
        """Count the items of an OTLP request."""
        messages = MESSAGES[signal]
        by_service: dict[str, list[Hashable]] = {}
        for record in records:
            by_service.setdefault(_service_of(record[0]), []).append(messages.identity(record))
        for service, identities in by_service.items():
            tally = self._tally(source, service, messages.items.replace("_", " "))
            tally.add(self._clock(), len(identities))
            tally.identities.update(identities)

    def note_envelope(self, items: Iterable[ReceivedSentryItem]) -> None:
        """Count the items of an envelope; of one that holds several, such as ``log``, those in it."""
        for item in items:
            tally = self._tally(Source.SENTRY_ENVELOPE, _service_in(item), _printable(item.kind))
            held = item.headers.get("item_count")
            tally.add(self._clock(), held if isinstance(held, int) and held > 0 else 1)
            tally.has_identities &= item.kind in _ONCE and item.event_id is not None
            tally.identities.add(item.event_id)

    def note_refusal(self, status: int, reason: str) -> None:
        """Count a request that was not taken."""
        self._refused += 1
        self._refusal = f"{status}, {_printable(reason)}"

    def rows(self) -> list[Row]:
        """Return a row for each address, service and kind, in this order."""
        now = self._clock()
        return [
            Row(
                source=source,
                service=service,
                kind=kind,
                items=tally.items,
                duplicates=tally.items - len(tally.identities) if tally.has_identities else None,
                rate=tally.rate(now),
                age=now - tally.latest,
            )
            for (source, service, kind), tally in sorted(self._tallies.items(), key=_order)
        ]

    def _tally(self, source: Source, service: str, kind: str) -> _Tally:
        return self._tallies.setdefault((source, service, kind), _Tally())


_SOURCES = list(Source)
_KINDS = [messages.items.replace("_", " ") for messages in MESSAGES.values()]


def _order(entry: tuple[tuple[Source, str, str], _Tally]) -> tuple[int, str, int, str]:
    source, service, kind = entry[0]
    return _SOURCES.index(source), service, _KINDS.index(kind) if kind in _KINDS else len(_KINDS), kind


def _service_of(resource: object) -> str:
    found = {}
    for pair in resource.attributes:  # type: ignore[attr-defined]
        if pair.key in ("service.name", "service.namespace"):
            found[pair.key] = pair.value.string_value
    return _named(found.get("service.name"), found.get("service.namespace"))


def _service_in(item: ReceivedSentryItem) -> str:
    # Sentry has no field for it; sentry_sdk's OpenTelemetry integration keeps the resource in a context.
    payload: object = item.payload
    for key in ("contexts", "otel", "resource"):
        payload = payload.get(key) if isinstance(payload, dict) else None
    resource = payload if isinstance(payload, dict) else {}
    release = item.payload.get("release") if item.payload else None
    return _named(resource.get("service.name") or release, resource.get("service.namespace"))


def _named(name: object, namespace: object) -> str:
    known = [part for part in (namespace, name) if isinstance(part, str) and part]
    return _printable("/".join(known)) or NO_NAME


def _printable(text: str) -> str:
    # A sender must not be able to move the cursor of the terminal that shows its name.
    shown = "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)
    return shown if len(shown) <= _LONGEST_NAME else f"{shown[: _LONGEST_NAME - 1]}\N{HORIZONTAL ELLIPSIS}"
