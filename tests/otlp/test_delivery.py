"""The requests of a batch: split where a peer takes none of their size, up to the first that fails (O3)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext

from breaker_exporter import ExportReport, Verdict
from breaker_exporter.otlp._delivery import deliver
from breaker_exporter.otlp._encode.batch import Encoded
from breaker_exporter.otlp._encode.request import Request
from breaker_exporter.otlp._send.sender import Answer

from ._compare import encoded

TAKEN = Answer(Verdict.DELIVERED)
TOO_LARGE = Answer(Verdict.REJECTED, "too large", is_too_large=True)


def batch(*sizes: int) -> Encoded:
    """Spans whose names have these lengths."""
    context, resource = SpanContext(1, 1, is_remote=False), Resource({})
    names = [f"{number:03}".ljust(size, "x") for number, size in enumerate(sizes)]
    return encoded([ReadableSpan(name, context, resource=resource) for name in names])


class Peer:
    """Takes requests up to `limit` bytes, and keeps them; `answers` come first."""

    def __init__(self, limit: int, *answers: Answer) -> None:
        self.limit = limit
        self.answers = list(answers)
        self.asked: list[Request] = []
        self.taken: list[int] = []

    def send(self, request: Request) -> Answer:
        self.asked.append(request)
        answer = (
            self.answers.pop(0) if self.answers else TAKEN if len(request.body) <= self.limit else TOO_LARGE
        )
        if answer.verdict is Verdict.DELIVERED:
            self.taken += numbers(request)
        return answer


def numbers(request: Request) -> list[int]:
    told = ExportTraceServiceRequest.FromString(request.body)
    scopes = [scoped for of in told.resource_spans for scoped in of.scope_spans]
    return [int(span.name[:3]) for scoped in scopes for span in scoped.spans]


def test_a_batch_that_fits_is_one_request() -> None:
    peer = Peer(100_000)

    assert deliver(batch(9, 9), peer.send, 0, "spans") == ExportReport(Verdict.DELIVERED)

    assert (peer.taken, len(peer.asked)) == ([0, 1], 1)


@pytest.mark.parametrize("sizes", [(50,) * 64, (9, 3000, 9, 9, 700, 50, 9)])
@pytest.mark.parametrize("limit", [4000, 1000, 200])
def test_only_items_that_are_too_large_alone_are_lost(sizes: tuple[int, ...], limit: int) -> None:
    peer = Peer(limit)
    lost = [number for number, size in enumerate(sizes) if len(batch(size).requests[0].body) > limit]

    report = deliver(batch(*sizes), peer.send, 0, "spans")

    assert peer.taken == [number for number in range(len(sizes)) if number not in lost]
    assert report.verdict is Verdict.DELIVERED
    assert report.accepted_of(len(sizes)) == len(sizes) - len(lost)
    assert report.reason == ("too large" if lost else "")


def test_a_peer_that_takes_nothing_is_not_stormed() -> None:
    peer = Peer(0)

    report = deliver(batch(*(30 + number for number in range(256))), peer.send, 0, "spans")

    assert report == ExportReport(Verdict.REJECTED, reason="too large")
    assert len(peer.asked) < 25


def test_what_is_smaller_than_all_that_was_refused_is_sent_all_the_same() -> None:
    peer = Peer(90)

    report = deliver(batch(*[200] * 40, 3), peer.send, 0, "spans")

    assert (peer.taken, report.delivered) == ([40], 1)


def test_what_is_above_our_own_limit_alone_is_not_sent() -> None:
    peer = Peer(100_000)
    large = Request(b"x" * 101, 1)

    report = deliver(Encoded((large, Request(b"x" * 99, 1)), 0), lambda request: TAKEN, 100, "spans")

    assert report == ExportReport(Verdict.DELIVERED, 1, "101 bytes are above max_request_size")
    assert deliver(Encoded((large,), 0), peer.send, 100, "spans").verdict is Verdict.UNSENT
    assert peer.asked == []


@pytest.mark.parametrize("verdict", [Verdict.FAILED, Verdict.MISCONFIGURED])
def test_the_first_failure_ends_it_and_what_was_accepted_is_kept(verdict: Verdict) -> None:
    peer = Peer(0, TOO_LARGE, TAKEN, Answer(verdict, "no", retry_after=7))

    report = deliver(batch(*[50] * 8), peer.send, 0, "spans")

    assert report == ExportReport(verdict, len(peer.taken), "no", 7)
    assert 0 < len(peer.taken) < 8
    assert len(peer.asked) == 3


def test_what_several_answers_rejected_is_summed_up() -> None:
    half = Answer(Verdict.DELIVERED, "quota", rejected=1)
    peer = Peer(0, TOO_LARGE, Answer(Verdict.DELIVERED, rejected=2), half, TAKEN, TAKEN)

    report = deliver(batch(*[50] * 8), peer.send, 0, "log records")

    assert report == ExportReport(Verdict.DELIVERED, 5, "the collector rejected 3 log records: quota")


@pytest.mark.parametrize(("rejected", "held"), [(-1, 2), (0, 2), (1, 1), (9, 0)])
def test_a_peer_cannot_reject_more_than_was_sent(rejected: int, held: int) -> None:
    report = deliver(batch(9, 9), lambda request: Answer(Verdict.DELIVERED, "", rejected), 0, "spans")

    assert (report.verdict, report.accepted_of(2)) == (Verdict.DELIVERED, held)


@pytest.mark.parametrize(
    ("answer", "report"),
    [
        (TAKEN, ExportReport(Verdict.DELIVERED, 2, "3 spans cannot be encoded")),
        (
            Answer(Verdict.DELIVERED, "quota", 1),
            ExportReport(
                Verdict.DELIVERED, 1, "the collector rejected 1 spans: quota; 3 spans cannot be encoded"
            ),
        ),
        (Answer(Verdict.FAILED, "down"), ExportReport(Verdict.FAILED, reason="down")),
    ],
)
def test_items_that_cannot_be_encoded_count_as_lost(answer: Answer, report: ExportReport) -> None:
    with_some_left_out = Encoded(batch(9, 9).requests, 3)

    assert deliver(with_some_left_out, lambda request: answer, 0, "spans") == report


def test_a_batch_of_which_nothing_can_be_encoded_is_unsent() -> None:
    send: Callable[[Request], Answer] = Peer(0).send

    report = deliver(Encoded((), 2), send, 0, "spans")

    assert report == ExportReport(Verdict.UNSENT, reason="none of its spans can be encoded")
