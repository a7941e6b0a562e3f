"""One batch on its way: its requests are sent one by one, split where too large, and make one report."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace

from .._base.log import counted
from .._core.payload import Delivery
from .._core.report import ExportReport, Verdict
from ._encode.request import Request
from ._payload import EncodedPayload, Kept, unpacked
from ._send.sender import Answer

_FAILURES = (Verdict.FAILED, Verdict.MISCONFIGURED)
_MOST_TELLING = (*_FAILURES, Verdict.DELIVERED, Verdict.REJECTED, Verdict.UNSENT)
"""Of several answers: that the backend fails, then that it lives."""
_MOST_REFUSED = 8
"""Items refused alone, after which larger ones are not sent: what refuses everything is not stormed."""


def deliver(
    payload: EncodedPayload,
    send: Callable[[Request], Answer],
    rest: Callable[[], None],
    limit: int,
    unit: str,
    left_out: int = 0,
    most_items: int = 0,
) -> Delivery:
    """Send the requests of a batch up to the first one that fails; that and those behind it are left.

    One that its peer does not take for its size is halved, and so are those behind it that are as large; that
    as often as needed. What was accepted is not sent again.

    Args:
        payload: The batch.
        send: Sends one request.
        rest: Called between two pieces of long work: lets others run.
        limit: Bytes of a request at most, 0: any number. What is above it is one item alone, and is lost.
        unit: What items are called, in the plural: ``spans``.
        left_out: Number of items of the batch that cannot be encoded; the report counts them as lost.
        most_items: Number of items of a request at most, 0: any number. What has more is cut.
    """
    if not payload.requests:
        return Delivery(ExportReport(Verdict.UNSENT, reason=f"none of its {unit} can be encoded"))
    waiting: deque[Kept] = deque(payload.requests)
    answers: list[Answer] = []
    accepted, rejected, refused = 0, 0, list[int]()
    while waiting:
        kept = waiting.popleft()
        request = unpacked(kept, rest)
        if 0 < most_items < request.items:
            waiting.extendleft(reversed([*request.split_by_items(most_items, rest)]))
            continue
        size = len(request.body)
        if 0 < limit < size:
            answer = Answer(Verdict.UNSENT, f"{size} bytes are above max_request_size")
        elif request.items == 1 and len(refused) >= _MOST_REFUSED and size >= min(refused):
            continue
        else:
            answer = send(request)
        if answer.is_too_large:
            if request.items > 1:
                wholes = [request, *(unpacked(one, rest) for one in waiting)]
                waiting = deque(part for whole in wholes for part in _below(size, whole, rest))
                continue
            refused.append(size)
        answers.append(answer)
        if answer.verdict in _FAILURES:
            waiting.appendleft(kept)
            break
        if answer.verdict is Verdict.DELIVERED:
            lost = min(max(answer.rejected, 0), request.items)
            accepted, rejected = accepted + request.items - lost, rejected + lost
    report = _report(answers, accepted, rejected, payload.items, left_out, unit)
    return Delivery(report, replace(payload, requests=tuple(waiting)) if waiting else None)


def _below(size: int, request: Request, rest: Callable[[], None]) -> Iterator[Request]:
    if len(request.body) < size or request.items == 1:
        yield request
    else:
        for half in request.halved(rest):
            yield from _below(size, half, rest)


def _report(
    answers: list[Answer], accepted: int, rejected: int, items: int, left_out: int, unit: str
) -> ExportReport:
    telling = min(answers, key=lambda answer: _MOST_TELLING.index(answer.verdict))
    reason = next((answer.reason for answer in (telling, *answers) if answer.reason), "")
    if telling.verdict is not Verdict.DELIVERED:
        return ExportReport(telling.verdict, accepted or None, reason, telling.retry_after, telling.cause)
    reasons = [reason]
    if rejected:
        words = next((answer.reason for answer in answers if answer.rejected > 0 and answer.reason), "")
        reasons = [f"the collector rejected {counted(rejected, unit)}{words and f': {words}'}"]
    if left_out:
        reasons.append(f"{counted(left_out, unit)} cannot be encoded")
    is_whole = accepted == items + left_out
    return ExportReport(Verdict.DELIVERED, None if is_whole else accepted, "; ".join(filter(None, reasons)))
