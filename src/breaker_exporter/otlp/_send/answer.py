"""What an answer to an OTLP/HTTP request means (the protocol's specification, "OTLP/HTTP Response")."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime

from ..._core.report import LONGEST_PAUSE, ExportReport, Verdict
from .compression import unpacked
from .http import MOST_READ, Answer
from .partial_success import report_of_success
from .statuses import HTTP, HTTP_OTHERS
from .words import (
    Kind,
    error_message,
    media_type,
    partial_success,
)

TOO_LARGE = 413
_PARTIAL = (b"\x0a", b"{")
"""How a partial success begins: in protobuf, in JSON."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What an answer means.

    Attributes:
        report: What became of the spans.
        remark: What somebody should know though no span is lost by it; empty for nothing.
    """

    report: ExportReport
    remark: str = ""


def meaning_of(answer: Answer, spans: int, said: Callable[[str], str]) -> Meaning:
    """What an answer to so many spans means.

    Args:
        answer: The answer.
        spans: Number of spans that were sent.
        said: Makes the words of the other side fit for a log line.
    """
    status = answer.status
    body = unpacked(answer.body, answer.content_encoding, MOST_READ)
    if 200 <= status < 300:
        return _success(answer, b"\xff" if body is None else body, spans, said)
    words = said(error_message(body or b"", answer.content_type))
    known = HTTP.get(status, HTTP_OTHERS)
    reason = known.reason(f"HTTP {status}", words)
    retry_after = seconds_of(answer.retry_after) if known.may_ask_for_pause else None
    return Meaning(ExportReport(known.verdict, reason=reason, retry_after=retry_after))


def _success(answer: Answer, body: bytes, spans: int, said: Callable[[str], str]) -> Meaning:
    kind, rejected, text = partial_success(body, answer.content_type)
    words = said(text)
    if kind is Kind.PAGE:
        reason = (
            f"HTTP {answer.status}, but answered with {kind.value}: look at host and path of the endpoint"
        )
        return Meaning(ExportReport(Verdict.MISCONFIGURED, reason=reason))
    if kind is Kind.OTHER:
        if len(body) >= MOST_READ and body.startswith(_PARTIAL):
            # Only what has much to say of rejected spans is cut off: how many they were stands before or not.
            return Meaning(report_of_success(spans, spans))
        return Meaning(
            report_of_success(0, spans),
            f"HTTP {answer.status}, but the answer is {kind.value} ({_shown_type(answer, said)}): "
            "its spans count as exported; look at the endpoint if they do not arrive",
        )
    remark = f"the collector warns: {words}" if words and rejected <= 0 else ""
    return Meaning(report_of_success(rejected, spans, words), remark)


def _shown_type(answer: Answer, said: Callable[[str], str]) -> str:
    return said(media_type(answer.content_type)) or "of no content type"


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
