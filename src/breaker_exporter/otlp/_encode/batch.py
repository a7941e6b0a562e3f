"""The result of encoding one batch of any signal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .request import Request

AT_ONCE = 4
"""Items of the usual size that take well below half a millisecond to encode."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """One batch, encoded.

    Attributes:
        requests: Its requests; none where nothing could be encoded. One above the limit holds one item alone.
        left_out: Number of items that cannot be encoded.
    """

    requests: tuple[Request, ...]
    left_out: int

    @classmethod
    def of(cls, request: Request, limit: int, left_out: int, rest: Callable[[], None]) -> Encoded:
        """Return a batch whose items are all in `request`.

        Args:
            request: The whole.
            limit: Bytes of a request at most; 0: any number.
            left_out: Number of items that cannot be encoded.
            rest: Called between two pieces of work: lets others run.
        """
        requests = request.split(limit, rest) if limit else (request,)
        return cls(requests if request.items else (), left_out)

    @property
    def items(self) -> int:
        """Number of items in all of its requests."""
        return sum(request.items for request in self.requests)
