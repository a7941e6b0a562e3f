"""The meaning of an answer to an OTLP/HTTP request (the protocol's specification, "OTLP/HTTP Response")."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from datetime import UTC
from email.utils import parsedate_to_datetime

from ..._core.report import LONGEST_PAUSE, Cause, Verdict
from .compression import unpacked
from .http import MOST_READ, Response
from .sender import Answer
from .statuses import HTTP, HTTP_OTHERS
from .words import Kind, error_message, media_type, partial_success

_PARTIAL = (b"\x0a", b"{")
"""How a partial success begins: in protobuf, in JSON."""
_ALL = 1 << 63
"""More items than any request has."""


def answer_of(response: Response, said: Callable[[str], str]) -> Answer:
    """The meaning of a response.

    Args:
        response: The response.
        said: Makes the words of the other side fit for a log line.
    """
    status = response.status
    body = unpacked(response.body, response.content_encoding, MOST_READ)
    if 200 <= status < 300:
        return _success(response, b"\xff" if body is None else body, said)
    meaning = HTTP.get(status, HTTP_OTHERS)
    words = said(error_message(body or b"", response.content_type))
    return Answer(
        meaning.verdict,
        meaning.reason(f"HTTP {status}", words),
        retry_after=seconds_of(response.retry_after) if meaning.may_ask_for_pause else None,
        is_too_large=meaning.may_be_size,
        cause=meaning.cause,
    )


def _success(response: Response, body: bytes, said: Callable[[str], str]) -> Answer:
    kind, rejected, text = partial_success(body, response.content_type)
    words = said(text)
    if kind is Kind.PAGE:
        reason = (
            f"HTTP {response.status}, but answered with {kind.value}: look at host and path of the endpoint"
        )
        return Answer(Verdict.MISCONFIGURED, reason, cause=Cause.ANSWERED)
    if kind is Kind.OTHER:
        if len(body) >= MOST_READ and body.startswith(_PARTIAL):
            # Only what has much to say of rejected items is cut off: how many they were stands before or not.
            return Answer(Verdict.DELIVERED, rejected=_ALL)
        return Answer(
            Verdict.DELIVERED,
            remark=f"HTTP {response.status}, but the answer is {kind.value} ({_shown_type(response, said)}): "
            "what was sent counts as exported; look at the endpoint if it does not arrive",
        )
    if rejected > 0:
        return Answer(Verdict.DELIVERED, words, rejected)
    return Answer(Verdict.DELIVERED, remark=words and f"the collector warns: {words}")


def _shown_type(response: Response, said: Callable[[str], str]) -> str:
    return said(media_type(response.content_type)) or "of no content type"


def seconds_of(retry_after: str | None) -> float | None:
    """The seconds that a Retry-After header asks for, as a number or as a date (RFC 9110, 10.2.3).

    ``None`` where there is none, where it cannot be read, and where its date is past.
    """
    if retry_after is None:
        return None
    try:
        seconds = float(retry_after)
    except ValueError:
        try:
            moment = parsedate_to_datetime(retry_after)
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=UTC)
            seconds = moment.timestamp() - time.time()
        except (ValueError, OverflowError):
            return None
    return min(seconds, LONGEST_PAUSE) if math.isfinite(seconds) and seconds > 0 else None
