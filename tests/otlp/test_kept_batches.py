"""A batch encoded now and sent later, or more than once, by both protocols (K2, K5)."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from breaker_exporter import ExportReport, Verdict
from breaker_exporter._core.payload import Delivery
from breaker_exporter._core.report import Cause
from breaker_exporter.otlp import CooperativeOTLPSpanExporter, OTLPGrpcSpanExporter
from breaker_exporter.otlp._payload import EncodedPayload
from breaker_exporter.otlp._send.sender import Answer, Deadline
from breaker_exporter.testing import Connections, Fault, FaultyCollector

from ..semantics._processes import run_patched
from ..semantics._spans import spans
from ..semantics._waiting import PATIENCE, start, until
from . import kept_scenarios
from .test_exporter import ids

pytestmark = pytest.mark.usefixtures("no_variables_from_outside")

Exporter = CooperativeOTLPSpanExporter | OTLPGrpcSpanExporter
Make = Callable[..., Exporter]
DELIVERED = ExportReport(Verdict.DELIVERED)


@pytest.fixture(params=["http", "grpc"])
def protocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def make(collector: FaultyCollector, protocol: str) -> Iterator[Make]:
    """Makes exporters to the collector, or to another endpoint, that are shut down at the end."""
    made: list[Exporter] = []

    def make(endpoint: str | None = None, **settings: Any) -> Exporter:
        if protocol == "http":
            made.append(CooperativeOTLPSpanExporter(endpoint or collector.http_endpoint, **settings))
        else:
            made.append(OTLPGrpcSpanExporter(endpoint or collector.grpc_endpoint, **settings))
        return made[-1]

    yield make
    for exporter in made:
        exporter.shutdown()


def no_rest() -> None:
    pass


def left_of(delivery: Delivery) -> EncodedPayload:
    assert isinstance(delivery.left, EncodedPayload)
    return delivery.left


def send_all(exporter: Exporter, payload: EncodedPayload) -> None:
    """Send until nothing is left: a connection that the collector has just dropped fails one call more."""
    left = [payload]

    def is_sent() -> bool:
        delivery = exporter.send_payload(left[0])
        if delivery.left is None:
            assert delivery == Delivery(DELIVERED)
            return True
        left[:] = [left_of(delivery)]
        return False

    until(is_sent)


@pytest.mark.parametrize("is_packed", [False, True])
@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_a_batch_that_was_encoded_arrives_when_it_is_sent(
    make: Make, collector: FaultyCollector, is_packed: bool, compression: str
) -> None:
    exporter, batch = make(compression=compression), spans(300)

    payload = exporter.encode_batch(batch)

    assert (payload.items, collector.counts().connections) == (300, 0)
    assert exporter.send_payload(payload.packed(no_rest) if is_packed else payload) == Delivery(DELIVERED)
    assert collector.span_ids == ids(batch)
    assert collector.counts().requests == 1


@pytest.mark.parametrize(
    ("fault", "settings", "cause"),
    [
        (Fault.UNAVAILABLE, {"retry_after": 7}, Cause.BUSY),
        (Fault.STATUS, {"status": 500}, Cause.ANSWERED),
        (Fault.STATUS, {"status": 401}, Cause.ANSWERED),
        (Fault.DEADLINE, {}, Cause.GATEWAY),
        (Fault.REFUSE, {}, Cause.UNREACHABLE),
        (Fault.TAKEN_THEN_RESET, {}, None),
    ],
)
def test_what_failed_is_left_and_arrives_when_it_is_sent_again(
    make: Make, collector: FaultyCollector, fault: Fault, settings: Any, cause: Cause | None
) -> None:
    """K2. What may have been taken arrives twice: it is at least once."""
    exporter, batch = make(), spans(20)
    is_taken = cause is None
    causes = {cause}
    if is_taken:  # gRPC's words do not tell a reset from an answer, or to older gRPC from none
        causes = {Cause.UNANSWERED} if "http" in exporter.destination else {Cause.UNKNOWN, Cause.UNANSWERED}
    payload = exporter.encode_batch(batch)
    collector.set_fault(fault, **settings)

    delivery = exporter.send_payload(payload)

    assert delivery.left == payload
    assert delivery.report.delivered is None
    assert delivery.report.cause in causes
    assert delivery.report.retry_after == settings.get("retry_after")
    collector.fault = Fault.NONE
    send_all(exporter, left_of(delivery).packed(no_rest))
    assert collector.span_ids == ids(batch)
    assert collector.duplicates == (20 if is_taken else 0)


def test_a_batch_that_would_be_too_large_is_encoded_in_several_requests(
    make: Make, collector: FaultyCollector
) -> None:
    """O3."""
    batch = spans(100)
    exporter = make(max_request_size=2000)
    payload = exporter.encode_batch(batch)
    assert payload.items == 100
    assert len(payload.requests) > 3

    assert exporter.send_payload(payload.packed(no_rest)) == Delivery(DELIVERED)

    assert collector.span_ids == ids(batch)
    assert collector.counts().requests == len(payload.requests)


def test_what_the_collector_finds_too_large_is_split(make: Make, collector: FaultyCollector) -> None:
    """O3: a 413."""
    batch = spans(100)
    collector.set_fault(Fault.TOO_LARGE, limit=2000)
    exporter = make()

    assert exporter.send_payload(exporter.encode_batch(batch).packed(no_rest)) == Delivery(DELIVERED)

    assert collector.span_ids == ids(batch)
    assert collector.duplicates == 0


class Between:
    """Sends by another, and then does what a script says, one entry a request."""

    def __init__(self, exporter: Exporter, *then: Callable[[], object]) -> None:
        self._sender = exporter._sender
        self._then = list(then)
        self.destination = self._sender.destination
        self.close = self._sender.close
        exporter._sender = self

    def send(self, body: bytes, deadline: Deadline, rest: Callable[[], None]) -> Answer:
        answer = self._sender.send(body, deadline, rest)
        if self._then:
            self._then.pop(0)()
        return answer


@pytest.mark.parametrize("is_packed", [False, True])
def test_what_was_accepted_before_the_failure_is_not_sent_again(
    make: Make, collector: FaultyCollector, is_packed: bool
) -> None:
    """K2: of a partial answer only the part without one returns."""
    batch = spans(60)
    exporter = make(max_request_size=2000)
    too_many = partial(collector.set_fault, Fault.STATUS, status=429, connections=Connections.KEEP)
    Between(exporter, too_many)
    payload = exporter.encode_batch(batch)
    if is_packed:
        payload = payload.packed(no_rest)
    first = payload.requests[0].items

    delivery = exporter.send_payload(payload)

    assert (delivery.report.verdict, delivery.report.cause) == (Verdict.FAILED, Cause.BUSY)
    assert (delivery.report.delivered, left_of(delivery).items) == (first, 60 - first)
    assert left_of(delivery).requests == payload.requests[1:]
    assert len(collector.span_ids) == first
    collector.fault = Fault.NONE
    send_all(exporter, left_of(delivery))
    assert collector.span_ids == ids(batch)
    assert collector.duplicates == 0


def test_of_a_request_that_was_split_only_the_rest_is_left(make: Make, collector: FaultyCollector) -> None:
    """O3, K2: too large, then its first half is taken, then the collector fails."""
    batch = spans(60)
    exporter = make()
    collector.set_fault(Fault.TOO_LARGE, limit=3000)
    Between(exporter, lambda: None, partial(collector.set_fault, Fault.UNAVAILABLE))

    delivery = exporter.send_payload(exporter.encode_batch(batch).packed(no_rest))

    accepted = len(collector.span_ids)
    assert 20 < accepted < 40
    assert (delivery.report.verdict, delivery.report.delivered) == (Verdict.FAILED, accepted)
    assert left_of(delivery).items == 60 - accepted
    collector.fault = Fault.NONE
    send_all(exporter, left_of(delivery))
    assert collector.span_ids == ids(batch)
    assert collector.duplicates == 0


def test_what_is_rejected_is_not_left(make: Make, collector: FaultyCollector) -> None:
    """K2: final."""
    exporter = make()
    collector.set_fault(Fault.STATUS, code="INVALID_ARGUMENT")

    delivery = exporter.send_payload(exporter.encode_batch(spans(3)))

    assert (delivery.report.verdict, delivery.left) == (Verdict.REJECTED, None)


def test_of_a_partial_success_nothing_is_left(make: Make, collector: FaultyCollector) -> None:
    exporter = make(max_request_size=2000)
    collector.set_fault(Fault.PARTIAL_SUCCESS, rejected=2)
    payload = exporter.encode_batch(spans(60))

    delivery = exporter.send_payload(payload)

    accepted = 60 - 2 * len(payload.requests)
    assert (delivery.report.verdict, delivery.report.delivered, delivery.left) == (
        *(Verdict.DELIVERED, accepted),
        None,
    )
    assert len(collector.span_ids) == accepted


def test_rejected_spans_before_a_failure_are_lost_and_the_rest_is_left(
    make: Make, collector: FaultyCollector
) -> None:
    exporter = make(max_request_size=2000)
    collector.set_fault(Fault.PARTIAL_SUCCESS, rejected=2)
    Between(exporter, partial(collector.set_fault, Fault.UNAVAILABLE))
    payload = exporter.encode_batch(spans(60))
    first = payload.requests[0].items

    delivery = exporter.send_payload(payload)

    assert (delivery.report.delivered, left_of(delivery).items) == (first - 2, 60 - first)


def test_what_cannot_be_encoded_is_not_in_it(make: Make, collector: FaultyCollector) -> None:
    """P3: how many that were, the batch and what is in it tell."""
    exporter, batch = make(), spans(3)
    some: Any = (batch[0], object(), *batch[1:])
    none: Any = (object(),)

    assert exporter.encode_batch(none) == EncodedPayload(())
    payload = exporter.encode_batch(some)
    assert payload.items == 3
    assert exporter.send_payload(payload) == Delivery(DELIVERED)
    assert collector.span_ids == ids(batch)


def test_an_empty_one_is_not_sent(make: Make, collector: FaultyCollector) -> None:
    delivery = make().send_payload(EncodedPayload(()))
    assert (delivery.report.verdict, delivery.left) == (Verdict.UNSENT, None)
    assert collector.counts().connections == 0


def test_what_is_no_batch_raises(make: Make) -> None:
    nothing: Any = 7
    with pytest.raises(TypeError):
        make().encode_batch(nothing)


def test_an_error_of_the_sender_leaves_what_it_had_not_sent(make: Make, collector: FaultyCollector) -> None:
    def fail() -> None:
        raise ZeroDivisionError("with a s3cret")

    batch = spans(60)
    exporter = make(max_request_size=2000)
    Between(exporter, lambda: None, fail)
    payload = exporter.encode_batch(batch)

    delivery = exporter.send_payload(payload)

    assert delivery.report.delivered == payload.requests[0].items
    assert delivery.report.cause is Cause.UNKNOWN
    assert delivery.report.reason.startswith("raised ZeroDivisionError in ")
    assert left_of(delivery).requests == payload.requests[1:]


def test_the_time_of_a_call_begins_with_it(make: Make, collector: FaultyCollector) -> None:
    """However long the batch was kept."""
    exporter = make(timeout=0.4)
    payload = exporter.encode_batch(spans(3))
    collector.fault = Fault.BLACKHOLE
    began = time.monotonic()

    delivery = exporter.send_payload(payload)

    assert 0.3 < time.monotonic() - began < PATIENCE
    assert (delivery.left, delivery.report.cause) == (payload, Cause.UNANSWERED)
    assert delivery.report.reason.endswith(" in 0.4 s")
    collector.fault = Fault.NONE
    send_all(exporter, payload)


def test_all_requests_of_a_batch_share_the_time_of_a_call(make: Make, collector: FaultyCollector) -> None:
    exporter = make(timeout=0.4, max_request_size=1000)
    payload = exporter.encode_batch(spans(60))
    collector.set_fault(Fault.SLOW, seconds=0.15)
    began = time.monotonic()

    delivery = exporter.send_payload(payload)

    assert time.monotonic() - began < PATIENCE
    assert 0 < len(left_of(delivery).requests) < len(payload.requests)


def test_a_batch_is_encoded_while_another_is_sent(make: Make, collector: FaultyCollector) -> None:
    """K1: a silent backend holds no batch up."""
    exporter, first, second = make(timeout=30), spans(3), spans(300)
    payload = exporter.encode_batch(first)
    collector.set_fault(Fault.SLOW, seconds=60)
    call = start(lambda: exporter.send_payload(payload))
    assert collector.wait_for_requests(1)

    later = exporter.encode_batch(second)

    assert not call.done()
    collector.fault = Fault.NONE
    assert call.result(PATIENCE).left == payload
    send_all(exporter, later)
    assert collector.span_ids >= ids(second)


def test_beside_the_hub_of_gevent_too(collector: FaultyCollector, monkeypatch: pytest.MonkeyPatch) -> None:
    """P7: and nobody is held up by either."""
    collector.fault = Fault.BLACKHOLE
    monkeypatch.setenv(kept_scenarios.ENDPOINT, collector.http_endpoint)
    run_patched(kept_scenarios.a_batch_is_encoded_and_packed_while_another_waits_for_its_answer)


def test_what_is_thrown_into_a_caller_that_encodes_goes_on_to_it(
    collector: FaultyCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C3: whatever its class."""
    monkeypatch.setenv(kept_scenarios.ENDPOINT, collector.http_endpoint)
    run_patched(kept_scenarios.what_is_thrown_into_a_caller_that_encodes_goes_on_to_it)


def test_after_a_shutdown_nothing_is_encoded_or_sent(make: Make, collector: FaultyCollector) -> None:
    exporter = make()
    payload = exporter.encode_batch(spans(3))
    exporter.shutdown()

    shut_down = ExportReport(Verdict.FAILED, reason="exporter is shut down", cause=Cause.UNREACHABLE)
    assert exporter.send_payload(payload) == Delivery(shut_down, payload)
    with pytest.raises(RuntimeError, match="exporter is shut down"):
        exporter.encode_batch(spans(1))
    assert collector.counts().connections == 0


def test_a_shutdown_leaves_what_is_under_way(make: Make, collector: FaultyCollector) -> None:
    exporter = make(timeout=60)
    payload = exporter.encode_batch(spans(3))
    collector.set_fault(Fault.SLOW, seconds=60)
    call = start(lambda: exporter.send_payload(payload))
    assert collector.wait_for_requests(1)

    exporter.shutdown()

    delivery = call.result(PATIENCE)
    assert (delivery.report.verdict, delivery.left) == (Verdict.FAILED, payload)


def test_a_loss_is_told_by_whoever_keeps_it(
    make: Make, collector: FaultyCollector, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is lost yet."""
    collector.fault = Fault.UNAVAILABLE
    exporter = make()
    exporter.send_payload(exporter.encode_batch(spans(3)))
    assert caplog.messages == []


def test_no_thread_for_a_name_is_no_loss_yet(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As under gevent at interpreter exit, on Python 3.12."""

    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    exporter = CooperativeOTLPSpanExporter("http://collector.test:4318")
    payload = exporter.encode_batch(spans(3))
    monkeypatch.setattr(socket, "getaddrinfo", refuse)

    assert exporter.send_payload(payload).left == payload

    assert caplog.messages == []
    exporter.shutdown()


@given(
    st.lists(st.sampled_from(["none", "unavailable", "too_large", "resource_exhausted"]), max_size=5),
    st.integers(1, 60),
    st.sampled_from([600, 2000, 1 << 20]),
    st.booleans(),
)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_each_span_arrives_once_whatever_fails_before(
    make: Make, collector: FaultyCollector, faults: list[str], count: int, limit: int, is_packed: bool
) -> None:
    """P8."""
    collector.fault = Fault.NONE
    collector.clear()
    batch = spans(count)
    exporter = make(max_request_size=limit)
    Between(exporter, *[partial(collector.set_fault, Fault(fault)) for fault in [*faults, "none"]])
    payload = exporter.encode_batch(batch)

    send_all(exporter, payload.packed(no_rest) if is_packed else payload)

    assert collector.span_ids == ids(batch)
    assert collector.duplicates == 0
