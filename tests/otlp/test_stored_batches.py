"""A batch that one exporter encodes and another sends, with a file between them (K7), by both protocols."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from breaker_exporter import ExportReport, Verdict
from breaker_exporter._core.payload import Delivery
from breaker_exporter.otlp import CooperativeOTLPSpanExporter, OTLPGrpcSpanExporter, _pacing
from breaker_exporter.testing import FaultyCollector

from ..semantics._spans import spans
from .test_exporter import ids

pytestmark = pytest.mark.usefixtures("no_variables_from_outside")

Exporter = CooperativeOTLPSpanExporter | OTLPGrpcSpanExporter
Make = Callable[..., Exporter]
DELIVERED = ExportReport(Verdict.DELIVERED)


@pytest.fixture
def make(collector: FaultyCollector) -> Iterator[Make]:
    """Makes exporters by one of the protocols, which are shut down at the end."""
    made: list[Exporter] = []

    def make(protocol: str, **settings: Any) -> Exporter:
        if protocol == "http":
            made.append(CooperativeOTLPSpanExporter(collector.http_endpoint, **settings))
        else:
            made.append(OTLPGrpcSpanExporter(collector.grpc_endpoint, **settings))
        return made[-1]

    yield make
    for exporter in made:
        exporter.shutdown()


def no_rest() -> None:
    pass


@pytest.mark.parametrize("before", ["http", "grpc"])
@pytest.mark.parametrize("after", ["http", "grpc"])
def test_what_one_has_written_another_delivers(
    make: Make, collector: FaultyCollector, before: str, after: str
) -> None:
    first, batch = make(before), spans(300)
    payloads = [first.encode_batch(batch[begin : begin + 100]) for begin in (0, 100, 200)]
    data = first.dump_payload(first.join_payloads(payloads, no_rest))
    first.shutdown()
    second = make(after)

    payload = second.load_payload(data, no_rest)

    assert payload.items == 300
    assert second.send_payload(payload) == Delivery(DELIVERED)
    assert collector.span_ids == ids(batch)
    assert (collector.duplicates, collector.counts().requests) == (0, 1)


def test_what_was_written_for_a_peer_that_takes_more_is_split(make: Make, collector: FaultyCollector) -> None:
    """O3."""
    first, second, batch = make("http"), make("grpc", max_request_size=2000), spans(200)
    data = first.dump_payload(first.encode_batch(batch).packed(no_rest))

    assert second.send_payload(second.load_payload(data, no_rest)) == Delivery(DELIVERED)

    assert collector.span_ids == ids(batch)
    assert collector.counts().requests > 5


def test_joined_requests_are_what_the_peer_takes(make: Make, collector: FaultyCollector) -> None:
    """O3."""
    exporter, batch = make("http", max_request_size=2000), spans(100)
    payloads = [exporter.encode_batch([span]) for span in batch]

    whole = exporter.join_payloads(payloads, no_rest)

    assert exporter.send_payload(whole) == Delivery(DELIVERED)
    assert collector.span_ids == ids(batch)
    assert 3 < collector.counts().requests < 50


def test_no_endpoint_header_or_credential_is_written(make: Make, collector: FaultyCollector) -> None:
    exporter = make("http", headers={"authorization": "Bearer secret-of-ours"})
    data = exporter.dump_payload(exporter.encode_batch(spans(3)))
    for secret in (b"secret-of-ours", b"authorization", collector.http_endpoint.encode(), b"127.0.0.1"):
        assert secret not in data


@pytest.mark.parametrize("is_pressed", [False, True])
def test_others_run_where_it_takes_long(
    make: Make, is_pressed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_pacing, "_WORK", 0.0 if is_pressed else 3600.0)
    exporter = make("http")
    payload = exporter.encode_batch(spans(200))
    rests: list[None] = []

    joined = exporter.join_payloads([payload] * 10, lambda: rests.append(None))
    while_joining = len(rests)
    exporter.load_payload(exporter.dump_payload(joined), lambda: rests.append(None))

    assert (while_joining >= 10, len(rests) > while_joining + 10) == (is_pressed, is_pressed)
