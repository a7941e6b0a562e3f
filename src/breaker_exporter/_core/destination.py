"""The wrapped exporter as the custody sees it: it sends payloads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from .payload import Delivery, Payload


class Destination(Protocol):
    """The exporter that payloads go to."""

    def send_of(self, payload: Payload) -> Callable[[], Delivery]:
        """The call that sends `payload` once."""
        ...

    def drop(self, payload: Payload) -> None:
        """`payload` will not be sent any more."""
        ...
