"""The items of one signal that the collector has taken: number, identities, and the latest."""

from __future__ import annotations

from collections import deque
from typing import Any

from google.protobuf.message import DecodeError

from ._arrivals import Source
from ._fault_settings import FaultSetting
from ._faults import Fault, Signal
from ._messages import MESSAGES, Record

LATEST = 10_000
"""Number of items of a signal, and of Sentry, that are kept; of older ones only ids or counts are."""


class Malformed(Exception):
    """The bytes are no OTLP request of their signal, or no Sentry envelope."""


class Taken:
    """Items of `signal`. They are described when somebody asks: taking them must stay cheap."""

    def __init__(self, signal: Signal) -> None:
        self._messages = MESSAGES[signal]
        self._identities: dict[Source, set[Any]] = {}
        self._latest: deque[Record] = deque(maxlen=LATEST)
        self._count = 0

    def take(self, body: bytes, setting: FaultSetting, source: Source) -> tuple[list[Record], bytes]:
        """Take the items of a request; return them and the response's message.

        Args:
            body: The request.
            setting: The fault in force; a partial success rejects some of the items.
            source: The address that it was sent to.

        Raises:
            Malformed: `body` is no such request; nothing was taken.
        """
        messages = self._messages
        request, response = messages.request(), messages.response()
        try:
            request.ParseFromString(body)
        except DecodeError as error:
            raise Malformed(str(error)) from None
        records = list(messages.records(request))
        if setting.fault is Fault.PARTIAL_SUCCESS:
            rejected = min(setting.rejected or 0, len(records))
            partial = response.partial_success
            setattr(partial, messages.rejected, rejected)
            words = messages.items.replace("_", " ")
            partial.error_message = f"{rejected} {words} rejected by the fault of this collector"
            records = records[: len(records) - rejected]
        self._count += len(records)
        self._identities.setdefault(source, set()).update(map(messages.identity, records))
        self._latest.extend(records)
        return records, response.SerializeToString()

    @property
    def identities(self) -> set[Any]:
        """One key for each different item, whatever address it was sent to."""
        of_sources = list(self._identities.values())
        return of_sources[0] if len(of_sources) == 1 else set().union(*of_sources)

    @property
    def duplicates(self) -> int:
        """Number of items that had been taken before at the same address."""
        return self._count - sum(map(len, self._identities.values()))

    @property
    def count(self) -> int:
        """Number of items, duplicates included."""
        return self._count

    def latest(self) -> list[dict[str, object]]:
        """Return the latest items, oldest first, ready for JSON."""
        return [self._messages.shown(*record) for record in self._latest]
