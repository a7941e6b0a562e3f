"""The format of Sentry's envelopes: bytes to items.

The format is https://develop.sentry.dev/sdk/data-model/envelopes/; where it leaves something open, Sentry's
Relay decides: a line may end with the envelope, a payload of a stated length has to end its line.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from ._values import ReceivedSentryItem

_JSON = frozenset(
    {
        "check_in",
        "client_report",
        "event",
        "feedback",
        "log",
        "profile",
        "profile_chunk",
        "replay_event",
        "session",
        "sessions",
        "span",
        "trace_metric",
        "transaction",
        "user_report",
    }
)
"""Kinds of items whose payload is a JSON object."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """An opened envelope."""

    event_id: str | None
    items: tuple[ReceivedSentryItem, ...]


def opened(body: bytes) -> Envelope:
    """Return the envelope that these bytes hold.

    Raises:
        ValueError: They are no envelope, or an item's payload does not fit its kind.
    """
    line, at = _line(body, 0)
    event_id = _object(line, "the envelope's header").get("event_id")
    if not isinstance(event_id, str | None):
        raise ValueError(f"event_id must be a string, not {event_id!r}")
    items = []
    while at < len(body):
        line, at = _line(body, at)
        headers = _object(line, "an item's header")
        payload, at = _payload(body, at, headers)
        items.append(_item(event_id, headers, payload))
    return Envelope(event_id, tuple(items))


def _item(event_id: str | None, headers: Mapping[str, object], payload: bytes) -> ReceivedSentryItem:
    kind = headers.get("type")
    if not isinstance(kind, str) or not kind:
        raise ValueError(f"an item's type must be a string, not {kind!r}")
    parsed = _object(payload, f"the payload of {kind!r}") if kind in _JSON else None
    return ReceivedSentryItem(kind, event_id, headers, len(payload), parsed)


def _payload(body: bytes, at: int, headers: Mapping[str, object]) -> tuple[bytes, int]:
    """Return the payload that begins at ``at``, and the begin of the next item."""
    length = headers.get("length")
    if length is None:
        return _line(body, at)
    if not isinstance(length, int) or isinstance(length, bool) or not 0 <= length <= len(body) - at:
        raise ValueError(f"an item's length is {length!r}, with {len(body) - at} bytes to come")
    end = at + length
    if body[end : end + 1] not in (b"\n", b""):
        raise ValueError(f"no line ends after the {length} bytes of a payload")
    return body[at:end], end + 1


def _line(body: bytes, at: int) -> tuple[bytes, int]:
    """Return the line that begins at ``at``, and the begin of the next one."""
    end = body.find(b"\n", at)
    if end < 0:
        end = len(body)
    return body[at:end], end + 1


def _object(text: bytes, what: str) -> dict[str, object]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise ValueError(f"{what} is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise ValueError(f"{what} must be a JSON object, not {value!r}")
    return value
