"""A batch in the form in which it is sent and kept, whatever its items are.

Where an exporter can encode, that is bytes: small to keep, and nothing of the application stays alive.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from .report import ExportReport


class Payload(Protocol):
    """A batch, or what is left of one. It is never changed."""

    @property
    def items(self) -> int:
        """Number of its items."""
        ...

    @property
    def size(self) -> int:
        """Bytes that it takes in memory, as measured or estimated."""
        ...

    def packed(self, rest: Callable[[], None]) -> Payload:
        """The same in the smallest form, for keeping; sending unpacks it.

        Args:
            rest: Called between two pieces of long work: lets others run.
        """
        ...


@dataclass(frozen=True, slots=True)
class ObjectPayload:
    """A batch of an exporter that cannot encode, as the objects that it is.

    Attributes:
        batch: As it was given.
        items: Number of its items.
        size: Bytes, by estimate.
    """

    batch: Any
    items: int
    size: int

    def packed(self, rest: Callable[[], None]) -> ObjectPayload:
        """The same: objects cannot be made smaller."""
        return self


@dataclass(frozen=True, slots=True)
class Delivery:
    """The result of sending a payload once.

    Attributes:
        report: Of the part that `left` is not: ``delivered`` items of it were accepted, the others never will
            be.
        left: The part that may be sent again; ``None`` where all of it has been answered for good.
    """

    report: ExportReport
    left: Payload | None = None


class Encoder(Protocol):
    """An exporter that can encode a batch now and send it later, or more than once."""

    def encode_batch(self, batch: object) -> Payload:
        """The payload of `batch`; it has no items where none can be encoded.

        It may yield to other greenlets. An ``Exception`` makes the batch fail for good.
        """
        ...

    def send_payload(self, payload: Payload) -> Delivery:
        """Send `payload` once, within the exporter's own timeout. An ``Exception`` leaves all of it."""
        ...

    def drop_payload(self, payload: Payload) -> None:
        """`payload`, in flight or not, will not be sent any more: it has failed."""
        ...


class StoringEncoder(Encoder, Protocol):
    """An encoder whose payloads can lie on a disk, and be sent by another process than made them.

    What it gets as ``rest`` is called between two pieces of long work: lets others run.

    Attributes:
        signal: The name of the signal that all its payloads are of, such as ``spans``.
    """

    signal: str

    def join_payloads(self, payloads: Sequence[Payload], rest: Callable[[], None]) -> Payload:
        """All items of `payloads`, which are in flight, in the same order, packed.

        Whoever exports items one by one would else have a file for each.
        """
        ...

    def dump_payload(self, payload: Payload) -> bytes:
        """`payload` as bytes, without headers, endpoint or credentials.

        Raises:
            ValueError: It is larger than what is loaded.
        """
        ...

    def release_payload(self, payload: Payload) -> None:
        """`payload` is on a disk now: it is no longer in flight here, and has not failed."""
        ...

    def load_payload(self, data: bytes, rest: Callable[[], None]) -> Payload:
        """The payload that `data` was made of, ready to be sent by this exporter. It is not in flight.

        No length and no count in it is trusted.

        Raises:
            ValueError: `data` is not what :meth:`dump_payload` makes.
        """
        ...
