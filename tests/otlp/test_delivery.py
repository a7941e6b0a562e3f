"""The requests of a batch: split where a peer takes none of their size, up to the first that fails (O3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext

from breaker_exporter import ExportReport, Verdict
from breaker_exporter._core.payload import Delivery, Payload
from breaker_exporter.otlp import _delivery
from breaker_exporter.otlp._encode.batch import Encoded
from breaker_exporter.otlp._encode.request import Request
from breaker_exporter.otlp._payload import EncodedPayload
from breaker_exporter.otlp._send.sender import Answer

from ._compare import encoded

DELIVERED = ExportReport(Verdict.DELIVERED)
TAKEN = Answer(Verdict.DELIVERED)
TOO_LARGE = Answer(Verdict.REJECTED, "too large", is_too_large=True)


def no_rest() -> None:
    pass


def sent(
    encoded: Encoded, send: Callable[[Request], Answer], limit: int = 0, unit: str = "spans"
) -> Delivery:
    payload = EncodedPayload(encoded.requests)
    return _delivery.deliver(payload, send, no_rest, limit, unit, encoded.left_out)


def deliver(
    encoded: Encoded, send: Callable[[Request], Answer], limit: int = 0, unit: str = "spans"
) -> ExportReport:
    return sent(encoded, send, limit, unit).report


def batch(*sizes: int, first: int = 0) -> Encoded:
    """Spans whose names have these lengths, numbered from `first` on."""
    context, resource = SpanContext(1, 1, is_remote=False), Resource({})
    names = [f"{number:03}".ljust(size, "x") for number, size in enumerate(sizes, first)]
    return encoded([ReadableSpan(name, context, resource=resource) for name in names])


class Peer:
    """Takes requests up to `limit` bytes, and keeps them; `answers` come first."""

    def __init__(self, limit: int, *answers: Answer) -> None:
        self.limit = limit
        self.answers = list(answers)
        self.asked: list[Request] = []
        self.taken: list[int] = []
        self.refused: list[int] = []
        self.given: list[Answer] = []

    def send(self, request: Request) -> Answer:
        self.asked.append(request)
        answer = (
            self.answers.pop(0) if self.answers else TAKEN if len(request.body) <= self.limit else TOO_LARGE
        )
        if answer.verdict is Verdict.DELIVERED:
            self.taken += numbers(request)
        elif answer.verdict is Verdict.REJECTED and not (answer.is_too_large and request.items > 1):
            self.refused += numbers(request)
        self.given.append(answer)
        return answer


def numbers(request: Request) -> list[int]:
    told = ExportTraceServiceRequest.FromString(request.body)
    scopes = [scoped for of in told.resource_spans for scoped in of.scope_spans]
    return [int(span.name[:3]) for scoped in scopes for span in scoped.spans]


def test_a_batch_that_fits_is_one_request() -> None:
    peer = Peer(100_000)

    assert deliver(batch(9, 9), peer.send) == ExportReport(Verdict.DELIVERED)

    assert (peer.taken, len(peer.asked)) == ([0, 1], 1)


@pytest.mark.parametrize("sizes", [(50,) * 64, (9, 3000, 9, 9, 700, 50, 9)])
@pytest.mark.parametrize("limit", [4000, 1000, 200])
def test_only_items_that_are_too_large_alone_are_lost(sizes: tuple[int, ...], limit: int) -> None:
    peer = Peer(limit)
    lost = [number for number, size in enumerate(sizes) if len(batch(size).requests[0].body) > limit]

    report = deliver(batch(*sizes), peer.send)

    assert peer.taken == [number for number in range(len(sizes)) if number not in lost]
    assert report.verdict is Verdict.DELIVERED
    assert report.accepted_of(len(sizes)) == len(sizes) - len(lost)
    assert report.reason == ("too large" if lost else "")


def test_a_peer_that_takes_nothing_is_not_stormed() -> None:
    peer = Peer(0)

    report = deliver(batch(*(30 + number for number in range(256))), peer.send)

    assert report == ExportReport(Verdict.REJECTED, reason="too large")
    assert len(peer.asked) < 25


def test_what_is_smaller_than_all_that_was_refused_is_sent_all_the_same() -> None:
    peer = Peer(90)

    report = deliver(batch(*[200] * 40, 3), peer.send)

    assert (peer.taken, report.delivered) == ([40], 1)


def test_what_is_above_our_own_limit_alone_is_not_sent() -> None:
    peer = Peer(100_000)
    large = Request(b"x" * 101, 1)

    report = deliver(Encoded((large, Request(b"x" * 99, 1)), 0), lambda request: TAKEN, 100)

    assert report == ExportReport(Verdict.DELIVERED, 1, "101 bytes are above max_request_size")
    assert deliver(Encoded((large,), 0), peer.send, 100).verdict is Verdict.UNSENT
    assert peer.asked == []


@pytest.mark.parametrize("verdict", [Verdict.FAILED, Verdict.MISCONFIGURED])
def test_the_first_failure_ends_it_and_what_was_accepted_is_kept(verdict: Verdict) -> None:
    peer = Peer(0, TOO_LARGE, TAKEN, Answer(verdict, "no", retry_after=7))

    report = deliver(batch(*[50] * 8), peer.send)

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
    report = deliver(batch(9, 9), lambda request: Answer(Verdict.DELIVERED, "", rejected))

    assert (report.verdict, report.accepted_of(2)) == (Verdict.DELIVERED, held)


@pytest.mark.parametrize(
    ("answer", "report"),
    [
        (TAKEN, ExportReport(Verdict.DELIVERED, 2, "3 spans cannot be encoded")),
        (
            Answer(Verdict.DELIVERED, "quota", 1),
            ExportReport(
                Verdict.DELIVERED, 1, "the collector rejected 1 span: quota; 3 spans cannot be encoded"
            ),
        ),
        (Answer(Verdict.FAILED, "down"), ExportReport(Verdict.FAILED, reason="down")),
    ],
)
def test_items_that_cannot_be_encoded_count_as_lost(answer: Answer, report: ExportReport) -> None:
    with_some_left_out = Encoded(batch(9, 9).requests, 3)

    assert deliver(with_some_left_out, lambda request: answer) == report


def test_a_batch_of_which_nothing_can_be_encoded_is_unsent() -> None:
    send: Callable[[Request], Answer] = Peer(0).send

    report = deliver(Encoded((), 2), send)

    assert report == ExportReport(Verdict.UNSENT, reason="none of its spans can be encoded")


@pytest.mark.parametrize("verdict", [Verdict.FAILED, Verdict.MISCONFIGURED])
def test_what_failed_and_what_is_behind_it_is_left(verdict: Verdict) -> None:
    """K2: of a partial answer only the part without one returns."""
    parts = [batch(number).requests[0] for number in (9, 10, 11, 12)]
    answers = [Answer(Verdict.DELIVERED), Answer(Verdict.REJECTED, "no"), Answer(verdict, "down")]
    peer = Peer(0, *answers)

    delivery = sent(Encoded(tuple(parts), 0), peer.send)

    assert delivery == Delivery(ExportReport(verdict, 1, "down"), EncodedPayload(tuple(parts[2:])))


@pytest.mark.parametrize(
    "answer",
    [TAKEN, TOO_LARGE, Answer(Verdict.REJECTED), Answer(Verdict.UNSENT), Answer(Verdict.DELIVERED, "", 1)],
)
def test_of_what_has_been_answered_for_good_nothing_is_left(answer: Answer) -> None:
    assert sent(batch(9, 9), lambda request: answer).left is None


def test_of_a_batch_that_was_split_the_parts_without_an_answer_are_left() -> None:
    peer = Peer(0, TOO_LARGE, TAKEN, Answer(Verdict.FAILED, "down"))
    whole = batch(*[50] * 8)

    left = sent(whole, peer.send).left

    assert isinstance(left, EncodedPayload)
    assert left.items == 8 - len(peer.taken)
    later = Peer(100_000)
    assert _delivery.deliver(left, later.send, no_rest, 0, "spans") == Delivery(DELIVERED)
    assert peer.taken + later.taken == list(range(8))


def test_what_is_packed_is_sent_split_and_left_as_if_it_were_not() -> None:
    whole = EncodedPayload((*batch(*[50] * 8).requests, *batch(*[60] * 4).requests))
    packed = whole.packed(no_rest)
    plain, other = (Peer(0, TOO_LARGE, TAKEN, Answer(Verdict.FAILED)) for _ in range(2))

    expected = _delivery.deliver(whole, plain.send, no_rest, 0, "spans")

    assert packed != whole
    assert _delivery.deliver(packed, other.send, no_rest, 0, "spans") == expected
    assert other.asked == plain.asked


def test_what_is_packed_and_fails_stays_packed() -> None:
    packed = EncodedPayload((*batch(*[50] * 8).requests, *batch(*[60] * 4).requests)).packed(no_rest)
    peer = Peer(0, TAKEN, Answer(Verdict.FAILED))

    assert _delivery.deliver(packed, peer.send, no_rest, 0, "spans").left == replace(
        packed, requests=packed.requests[1:]
    )


_ANSWERS = [
    TAKEN,
    TOO_LARGE,
    Answer(Verdict.FAILED),
    Answer(Verdict.MISCONFIGURED),
    Answer(Verdict.REJECTED),
    Answer(Verdict.DELIVERED, "", 1),
]


@given(
    st.lists(st.integers(1, 12), min_size=1, max_size=4),
    st.lists(st.sampled_from(_ANSWERS), max_size=30),
    st.booleans(),
)
def test_each_item_is_accepted_or_lost_once_whatever_is_answered(
    counts: list[int], answers: list[Answer], is_packed: bool
) -> None:
    """P3, K2: sent until nothing is left, by a peer that fails now and then."""
    firsts = [sum(counts[:place]) for place in range(len(counts))]
    requests = [
        batch(*[30] * count, first=first).requests[0] for count, first in zip(counts, firsts, strict=True)
    ]
    peer, accepted = Peer(100_000, *answers), 0
    left: Payload | None = EncodedPayload(tuple(requests))
    while left is not None:
        payload = left.packed(no_rest) if is_packed else left
        assert isinstance(payload, EncodedPayload)
        delivery = _delivery.deliver(payload, peer.send, no_rest, 0, "spans")
        left = delivery.left
        gone = payload.items - (left.items if left else 0)
        accepted += delivery.report.accepted_of(gone)
        assert (delivery.report.verdict in (Verdict.FAILED, Verdict.MISCONFIGURED)) == (left is not None)

    rejected = sum(answer.rejected for answer in peer.given)
    assert len(peer.taken) == len(set(peer.taken)) == accepted + rejected
    assert set(peer.taken).isdisjoint(peer.refused)
    never_asked = set(range(sum(counts))).difference(peer.taken, peer.refused)
    assert not never_asked or len(peer.refused) >= 8
