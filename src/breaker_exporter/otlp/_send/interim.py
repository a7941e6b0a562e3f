"""Two things that http.client does not do: find the final answer (RFC 9110, 15.2), and say why it gave up."""

from __future__ import annotations

import http.client


class FinalResponse(http.client.HTTPResponse):
    """The final answer: http.client reads over ``100 Continue`` alone, and takes ``103 Early Hints`` for it.

    How many come before is for the owner of the socket to bound, by bytes and by time.
    """

    def begin(self) -> None:
        """Read up to the body of the final answer."""
        super().begin()
        while 100 <= self.status < 200 and self.status != http.HTTPStatus.SWITCHING_PROTOCOLS:
            self.headers = self.msg = None  # type: ignore[assignment]  # else it has begun, and does nothing
            super().begin()


def is_over_limit(error: BaseException) -> bool:
    """Return true if http.client gave up an answer for its length.

    It limits a line, the headers, and in newer releases the trailers and the interim answers. But for a line,
    its error has the most general type.
    """
    return type(error) is http.client.HTTPException or isinstance(error, http.client.LineTooLong)
