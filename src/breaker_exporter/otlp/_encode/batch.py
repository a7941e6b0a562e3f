"""The result of encoding one batch of any signal."""

from __future__ import annotations

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
    def of(cls, request: Request, limit: int, left_out: int) -> Encoded:
        """Return a batch whose items are all in `request`; `limit` bytes for each request, 0: any number."""
        requests = request.split(limit) if limit else (request,)
        return cls(requests if request.items else (), left_out)

    @property
    def items(self) -> int:
        """Number of items in all of its requests."""
        return sum(request.items for request in self.requests)
