"""Requests by HTTP: one POST for each, within its deadline, and what the answer means."""

from __future__ import annotations

from collections.abc import Callable

from ..._core.report import ENDED_BY_SHUTDOWN, Cause, Verdict
from .._settings import Compression
from .answer import answer_of
from .compression import compressed
from .connections import Flight
from .failures import NoAnswer, NoThread
from .http import Poster
from .sender import Answer, Deadline


class HTTPSender:
    """Sends by `poster`, which has the headers that say how a request is compressed.

    Args:
        poster: Posts to the endpoint.
        compression: Of requests.
    """

    def __init__(self, poster: Poster, compression: Compression) -> None:
        self._poster = poster
        self._compression = compression
        self._flights: set[Flight] = set()
        self._is_closed = False

    @property
    def destination(self) -> str:
        """Scheme, host and port."""
        return self._poster.destination

    def send(self, body: bytes, deadline: Deadline, rest: Callable[[], None]) -> Answer:
        """Post `body` once."""
        flight = Flight(deadline.at, deadline.seconds)
        self._flights.add(flight)
        try:
            # Looked at after it can be cut off: a call that begins while another one closes ends at once.
            if self._is_closed:
                return Answer(Verdict.FAILED, ENDED_BY_SHUTDOWN, cause=Cause.UNREACHABLE)
            return answer_of(
                self._poster.post(compressed(body, self._compression, rest), flight), self._poster.said
            )
        except NoAnswer as failed:
            is_last_word = isinstance(failed, NoThread)
            return Answer(failed.verdict, str(failed), is_last_word=is_last_word, cause=failed.where)
        finally:
            self._flights.discard(flight)

    def close(self) -> None:
        """End the calls under way, which then failed, and close connections; later calls fail at once."""
        self._is_closed = True
        for flight in list(self._flights):
            flight.cut_off()
        self._poster.close()
