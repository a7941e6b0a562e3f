"""The seam between an exporter and what sends its requests: HTTP, gRPC. Nothing here knows a signal."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from ..._core.report import Cause, Verdict


@dataclass(frozen=True, slots=True)
class Deadline:
    """The time of one export, which all requests of its batch share.

    Attributes:
        at: When it ends, in monotonic seconds.
        seconds: The time that the export was given, for texts such as "no answer in 10 s".
    """

    at: float
    seconds: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """Return the deadline of an export that begins now."""
        return cls(time.monotonic() + seconds, seconds)


@dataclass(frozen=True, slots=True)
class Answer:
    """The outcome of one request.

    Attributes:
        verdict: What the answer, or the lack of one, says about the backend.
        reason: Short text without secrets: why nothing was taken, or why `rejected` items were not.
        rejected: Number of items that the peer says it rejected, of a request that it took (``DELIVERED``).
            It is the peer's word: it may be negative, or more than were sent.
        retry_after: Seconds for which the peer asked to be left alone.
        remark: What an operator should know though nothing is lost by it; empty for nothing.
        is_too_large: The peer takes no request of this size; a smaller one may pass. `verdict` is then what
            counts where the request cannot be split.
        is_last_word: The interpreter exits and no thread starts any more: no circuit will tell of this loss.
        cause: Where a request failed that was not taken.
    """

    verdict: Verdict
    reason: str = ""
    rejected: int = 0
    retry_after: float | None = None
    remark: str = ""
    is_too_large: bool = False
    is_last_word: bool = False
    cause: Cause = Cause.UNKNOWN


class NotReady(Exception):
    """What requests need is missing here, such as a file of certificates; the text says what."""


class Sender(Protocol):
    """Sends encoded requests to one endpoint. It takes care of compression, connections and forks."""

    @property
    def destination(self) -> str:
        """Scheme, host and port, without secrets: ``http://collector:4318``, ``grpc://collector:4317``."""
        ...

    def send(self, body: bytes, deadline: Deadline, rest: Callable[[], None]) -> Answer:
        """Send `body` once, and say what became of it.

        It is sent a second time only where not a byte of it can have been read. An ``Exception`` that gets
        out counts as a failure of the backend.

        Args:
            body: A serialized request.
            deadline: The call ends by then, with or without an answer.
            rest: Called between two pieces of long work on this thread, such as compressing: lets others run.
        """
        ...

    def close(self) -> None:
        """End the calls under way, which then failed, and close connections; later calls fail at once."""
        ...
