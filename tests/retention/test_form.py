"""K5: the form in which a batch is kept: encoded where the exporter can, else the objects that it is."""

from __future__ import annotations

import gc
import weakref
from typing import TYPE_CHECKING

from breaker_exporter.testing import ScriptedExporter, fail

from ..semantics._exporters import SUCCESS
from ..semantics._spans import spans
from ..semantics._waiting import until
from ._retaining import UNREACHABLE, Encoded, Encoding, batch

if TYPE_CHECKING:
    from collections.abc import Callable

    from breaker_exporter import CircuitBreakerSpanExporter
    from breaker_exporter.testing import ManualClock

    Make = Callable[..., CircuitBreakerSpanExporter]


def test_what_is_encoded_keeps_nothing_of_the_application_alive(make: Make) -> None:
    exporter = make(Encoding(default=UNREACHABLE), failure_threshold=1)

    given = batch("a", 3)
    alive = [weakref.ref(span) for span in given]
    exporter.export(given)
    given = batch("b", 3)
    alive += [weakref.ref(span) for span in given]
    exporter.export(given)
    del given
    gc.collect()

    assert [span for ref in alive if (span := ref()) is not None and span.name != "b"] == []
    assert exporter.health().retained == 6


def test_what_waits_is_packed_and_that_is_its_size(make: Make) -> None:
    """A hundred bytes a span as sent by the fake encoding, ten when packed."""
    exporter = make(Encoding(default=UNREACHABLE), failure_threshold=1)

    exporter.export(batch("a", 3))
    until(lambda: exporter.health().retained_bytes == 30)
    exporter.export(batch("b", 2))

    assert exporter.health().retained_bytes == 50


def test_a_batch_that_is_sent_at_once_is_never_packed(make: Make) -> None:
    inner = Encoding()
    exporter = make(inner)

    exporter.export(batch("a", 3))

    assert inner.payloads == [Encoded(("a",) * 3)]


def test_what_was_packed_is_sent_as_it_was_packed(make: Make, clock: ManualClock, looks_often: None) -> None:
    inner = Encoding([UNREACHABLE])
    exporter = make(inner, failure_threshold=1, clock=clock)
    exporter.export(batch("a", 3))
    until(lambda: exporter.health().retained_bytes == 30)

    clock.advance(60)
    until(lambda: exporter.health().exported == 3)

    assert inner.payloads[-1] == Encoded(("a",) * 3, item_size=10)


def test_objects_are_kept_as_they_are_at_an_estimate(make: Make) -> None:
    inner = ScriptedExporter([fail])
    exporter = make(inner, failure_threshold=1)

    exporter.export(spans(3))

    assert exporter.health().retained_bytes % 3 == 0
    assert 3 * 500 < exporter.health().retained_bytes < 3 * 50_000


def test_an_exporter_that_can_do_half_of_it_is_kept_as_objects(make: Make) -> None:
    class OnlyEncodes(ScriptedExporter):
        def encode_batch(self, batch: object) -> object:
            raise AssertionError

    exporter = make(OnlyEncodes())

    assert exporter.export(spans(2)) is SUCCESS
