"""The facts about a signal that the engine is given; it knows no signal itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol


class SignalContract(Protocol):
    """The batches of one signal; :class:`Contract` is one."""

    @property
    def unit(self) -> str:
        """The name of an item, in the plural."""
        ...

    @property
    def size_of(self) -> Callable[[Any], int]:
        """The number of items in a batch; raises where that is none."""
        ...

    @property
    def item_size(self) -> int:
        """Bytes of memory that an item takes as it is, by estimate."""
        ...

    @property
    def tells_time(self) -> bool:
        """True where an exporter gets the time that is left, as ``timeout_millis``, if it takes it."""
        ...

    @property
    def in_order(self) -> bool:
        """True where kept batches are to be sent in the order in which they came."""
        ...

    def service_of(self, batch: object) -> str:
        """The name of the service that a batch is of."""
        ...
