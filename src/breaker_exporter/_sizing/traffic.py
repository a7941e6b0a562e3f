"""The items that one process makes, by signal, and the bytes of each, by encoding and packing a batch."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .._wiring.batch_settings import BY_SIGNAL
from ..otlp._settings import MAX_REQUEST_SIZE
from ..otlp._signals import LOGS, METRICS, TRACES, Signal

if TYPE_CHECKING:
    from ..otlp._encode.batch import Encoded


@dataclass(frozen=True, slots=True)
class Traffic:
    """One signal of one process.

    Attributes:
        signal: The signal.
        rate: Items a second.
        batch: Number of items in each batch.
    """

    signal: Signal
    rate: float
    batch: int

    @property
    def is_in_order(self) -> bool:
        """True where what is kept is sent oldest first, new items behind it (K3)."""
        return self.signal is METRICS

    def items_in(self, seconds: float) -> int:
        """Number of items in so many seconds; of metrics, of as many collections as begin in them."""
        if self.signal is METRICS:
            return math.ceil(seconds * self.rate / self.batch) * self.batch
        return math.ceil(self.rate * seconds)


@dataclass(frozen=True, slots=True)
class ItemSize:
    """The bytes that an item takes on average.

    Attributes:
        items: Number of items that were measured, in one batch.
        encoded: Bytes.
        packed: Bytes, in the form in which it is kept.
    """

    items: int
    encoded: float
    packed: float


def spans(rate: float) -> Traffic:
    """`rate` spans a second, in batches of the SDK's processor with its own settings."""
    return _batched(TRACES, rate)


def log_records(rate: float) -> Traffic:
    """`rate` log records a second, likewise."""
    return _batched(LOGS, rate)


def data_points(series: int, interval: float) -> Traffic:
    """The data points of so many series, collected every `interval` seconds."""
    return Traffic(METRICS, series / interval, series)


def measured(traffic: Traffic) -> ItemSize:
    """Encode and pack a batch of a web service's items."""
    from ..otlp._payload import EncodedPayload

    payload = EncodedPayload(_ENCODED[traffic.signal](traffic.batch).requests)
    items = traffic.batch
    return ItemSize(items, payload.size / items, payload.packed(_nothing).size / items)


def _batched(signal: Signal, rate: float) -> Traffic:
    settings = BY_SIGNAL[signal]
    most, seconds = settings.batch_size.default, settings.schedule_delay.default / 1000
    return Traffic(signal, rate, max(1, min(most, math.ceil(rate * seconds))))


def _encoded_spans(count: int) -> Encoded:
    from ..otlp._encode.spans import encode_spans
    from .spans import web_spans

    return encode_spans(web_spans(count), MAX_REQUEST_SIZE.default, _nothing)


def _encoded_log_records(count: int) -> Encoded:
    from ..otlp._encode.log_records import encode_log_records
    from .log_records import web_log_records

    return encode_log_records(web_log_records(count), MAX_REQUEST_SIZE.default, _nothing)


def _encoded_data_points(count: int) -> Encoded:
    from ..otlp._encode.metrics import encode_metrics
    from .data_points import web_metrics

    return encode_metrics(web_metrics(count), MAX_REQUEST_SIZE.default, _nothing)


_ENCODED: dict[Signal, Callable[[int], Encoded]] = {
    TRACES: _encoded_spans,
    LOGS: _encoded_log_records,
    METRICS: _encoded_data_points,
}


def _nothing() -> None:
    """Nobody else has to run here."""
