"""A batch is encoded while another is sent, beside the hub of gevent: this runs in a process of its own."""

from __future__ import annotations

import os

import gevent

from breaker_exporter import CircuitBreakerSpanExporter, Retention
from breaker_exporter.otlp import CooperativeOTLPSpanExporter

from ..semantics._heartbeat import Heartbeat, assert_no_stall, quiet_gap
from ..semantics._spans import spans
from ..semantics._waiting import until

ENDPOINT = "SCENARIO_ENDPOINT"


def what_is_thrown_into_a_caller_that_encodes_goes_on_to_it() -> None:
    for thrown in (gevent.GreenletExit, gevent.Timeout, ValueError):
        exporter = CircuitBreakerSpanExporter(
            CooperativeOTLPSpanExporter(os.environ[ENDPOINT]), retention=Retention()
        )
        caller = gevent.spawn(exporter.export, spans(1000) * 30)
        until(lambda: exporter.health().in_flight)  # noqa: B023

        caller.kill(thrown, timeout=20)

        assert type(caller.exception or caller.value) is thrown
        health = exporter.health()
        assert (health.failed, health.in_flight, health.last_error) == (30_000, 0, "the caller was cancelled")
        exporter.shutdown()


def a_batch_is_encoded_and_packed_while_another_waits_for_its_answer() -> None:
    exporter = CooperativeOTLPSpanExporter(os.environ[ENDPOINT], timeout=30)
    first = exporter.encode_batch(spans(1))
    call = gevent.spawn(exporter.send_payload, first)
    until(lambda: exporter._sender._flights)  # type: ignore[attr-defined]
    batch, quiet = spans(1000) * 30, quiet_gap()

    with Heartbeat() as heartbeat:
        later = exporter.encode_batch(batch).packed(lambda: gevent.sleep(0))

    assert later.items == 30_000
    assert not call.ready()
    assert_no_stall(heartbeat, quiet)
    exporter.shutdown()
    assert call.get(timeout=20).left == first
